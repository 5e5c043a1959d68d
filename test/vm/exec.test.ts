/** `coldpgs exec` on a real cgroup hierarchy: what passes through it is what the kernel says and does. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { execSays, execSh } from './exec.js';
import { assertAtMost } from './limits.js';
import { says, sh } from './shell.js';

const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8');

void describe('the cgroup hierarchy through coldpgs exec', () => {
  let daemon: Daemon;
  let mountsBefore: string;
  before(async () => {
    daemon = await Daemon.start();
    mountsBefore = mounts();
  });
  after(async () => {
    assert.equal(mounts(), mountsBefore, 'nothing is left mounted');
    assert.ok(!existsSync('/cgroup'));
    await daemon.remove();
  });

  void it('v2 is the real tree, and only our files are more', async () => {
    await says('mkdir -p /sys/fs/cgroup/diff/below; echo +memory > /sys/fs/cgroup/diff/cgroup.subtree_control');
    // Names, types, modes, owners and inode numbers; the texts change from one read to the next.
    const listing = "cd /sys/fs/cgroup; find . -printf '%p %y %m %U:%G %i\\n' | sort";
    const real = (await says(listing)).split('\n');
    const through = (await execSays(daemon, 'v2', listing)).split('\n');
    assert.deepEqual(
      real.filter((line) => !through.includes(line)),
      [],
    );
    for (const line of through.filter((one) => !real.includes(one)))
      assert.match(line, /^\.(\/[\w.-]+)*\/memory\.(coldpgs\.\w+|idle_page_stats) f 644 0:0 \d+$/);
    const texts =
      "cd /sys/fs/cgroup/diff; grep -r . --include 'cgroup.*' --include 'memory.max' --include 'pids.*' 2>&1 | sort";
    assert.equal(await execSays(daemon, 'v2', texts), await says(texts));
    await says('rmdir /sys/fs/cgroup/diff/below /sys/fs/cgroup/diff');
  });

  void it('a process that is written to cgroup.procs moves; 0 is who writes, also from other pid namespaces', async () => {
    const moved = (ids: string): Promise<string> => execSays(daemon, 'v2', `mkdir /sys/fs/cgroup/moved; ${ids}`);
    const where = 'cat /proc/self/cgroup; echo 0 > /sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/moved';
    for (const write of ['echo $$', 'echo 0', 'printf 0', 'echo 0x0'])
      assert.equal(await moved(`${write} > /sys/fs/cgroup/moved/cgroup.procs; ${where}`), '0::/moved\n', write);
    const inNamespace = (write: string): string =>
      `unshare --pid --fork --mount-proc bash -c '${write} > /sys/fs/cgroup/moved/cgroup.procs; cat /proc/self/cgroup; cat /sys/fs/cgroup/moved/cgroup.procs'; rmdir /sys/fs/cgroup/moved`;
    for (const write of ['echo 0', 'echo $$'])
      assert.match(await moved(inNamespace(write)), /^0::\/moved\n1\n$/, `${write} in a pid namespace`);
  });

  void it('refusals are the kernel’s own', async () => {
    const cases = [
      ['echo 4194304 > /sys/fs/cgroup/cgroup.procs', 'No such process'],
      ['echo 2 > /sys/fs/cgroup/refused/cgroup.procs', 'Invalid argument'],
      ['echo x > /sys/fs/cgroup/refused/memory.max', 'Invalid argument'],
      ['echo 1 > /sys/fs/cgroup/refused/memory.current', 'Invalid argument'],
      ['echo +none > /sys/fs/cgroup/refused/cgroup.subtree_control', 'Invalid argument'],
      ['dd if=/dev/zero of=/sys/fs/cgroup/refused/memory.max bs=5000 count=1 status=none', 'Argument list too long'],
      ['echo 1 > /sys/fs/cgroup/refused/new', 'Permission denied'],
      ['rm /sys/fs/cgroup/refused/memory.max', 'Operation not permitted'],
      ['mkdir /sys/fs/cgroup/refused', 'File exists'],
      ['rmdir /sys/fs/cgroup/none', 'No such file or directory'],
      ['echo 1G > /sys/fs/cgroup/refused/memory.reclaim', 'Resource temporarily unavailable'],
    ];
    await says('mkdir /sys/fs/cgroup/refused');
    for (const [script = '', reason = ''] of cases) {
      const real = await sh(script);
      const through = await execSh(daemon, 'v2', script);
      assert.ok(through.status !== 0 && through.stderr.includes(reason), `${script}: ${through.stderr}`);
      assert.ok(real.stderr.includes(reason), `${script} without coldpgs: ${real.stderr}`);
    }
    await says('rmdir /sys/fs/cgroup/refused');
  });

  void it('who was given a subtree may move what is its own inside of it, and nothing else', async () => {
    const script = `
      mkdir /sys/fs/cgroup/given /sys/fs/cgroup/given/a
      find /sys/fs/cgroup/given -not -name 'memory.coldpgs.*' -not -name memory.idle_page_stats -exec chown 65534:65534 {} +
      echo 0 > /sys/fs/cgroup/given/cgroup.procs
      setpriv --reuid 65534 --regid 65534 --clear-groups bash -c '
        echo 0 > /sys/fs/cgroup/given/a/cgroup.procs && cat /proc/self/cgroup
        mkdir /sys/fs/cgroup/given/b && stat -c "%u %n" /sys/fs/cgroup/given/b /sys/fs/cgroup/given/b/cgroup.procs
        echo 1 > /sys/fs/cgroup/given/b/cgroup.procs || true
        echo 0 > /sys/fs/cgroup/cgroup.procs || true' 2>&1 | sed 's/^bash: line [0-9]*: //'
      echo 0 > /sys/fs/cgroup/cgroup.procs
      until rmdir /sys/fs/cgroup/given/a /sys/fs/cgroup/given/b 2>/dev/null; do sleep 0.1; done
      rmdir /sys/fs/cgroup/given`;
    const said = await execSays(daemon, 'v2', script);
    assert.equal(
      said,
      [
        '0::/given/a',
        '65534 /sys/fs/cgroup/given/b',
        '65534 /sys/fs/cgroup/given/b/cgroup.procs',
        'echo: write error: Permission denied',
        '/sys/fs/cgroup/cgroup.procs: Permission denied',
        '',
      ].join('\n'),
    );
  });

  void it('moves of many processes to and fro lose none', async () => {
    const script = `
      cd /sys/fs/cgroup; mkdir one two
      for i in $(seq 40); do sleep 1000 & pids="$pids $!"; done
      for round in 1 2 3; do for to in one two; do
        for pid in $pids; do echo $pid > $to/cgroup.procs || echo "lost $pid"; done
        echo $to $(wc -l < $to/cgroup.procs) $(wc -l < /proc/self/fd/0)
      done; done < /dev/null
      kill $pids; wait 2> /dev/null
      until rmdir one two 2> /dev/null; do sleep 0.1; done`;
    const said = await execSays(daemon, 'v2', script);
    assert.equal(said, 'one 40 0\ntwo 40 0\n'.repeat(3));
  });

  void it('v1: a script of v1 makes a group, moves itself and limits it', async () => {
    const script = `
      mkdir -p /cgroup/memory/test/below && echo 64M > /cgroup/memory/test/memory.limit_in_bytes
      cat /sys/fs/cgroup/memory/test/memory.limit_in_bytes /sys/fs/cgroup/unified/test/memory.max
      echo $$ > /cgroup/memory/test/tasks; echo "status $?"
      echo $$ > /cgroup/memory/test/below/tasks; cat /proc/self/cgroup; grep -c . /cgroup/memory/test/below/tasks
      head -n 2 /cgroup/memory/test/below/memory.stat | cut -d ' ' -f 1; grep ^total_rss' ' /cgroup/memory/test/memory.stat | wc -l
      echo $$ > /cgroup/memory/tasks
      rmdir /cgroup/memory/test/below; echo $$ > /cgroup/memory/test/tasks; cat /proc/self/cgroup
      echo $$ > /cgroup/memory/tasks; rmdir /cgroup/memory/test; ls -d /cgroup/memory/test`;
    const { stdout, stderr } = await execSh(daemon, 'v1', script);
    assert.equal(
      stdout,
      ['67108864', '67108864', 'status 1', '0::/test/below', '2', 'cache', 'rss', '1', '0::/test', ''].join('\n'),
    );
    assert.match(stderr, /Device or resource busy\n.*No such file or directory\n$/s);
    assert.match(await daemon.errors(), /\/test has groups below with the memory controller/);
  });

  void it('v1: a limit below what is in use and cannot be reclaimed is refused, and kills nobody', async () => {
    const script = `
      mkdir /cgroup/memory/test
      sh -c 'echo $$ > /cgroup/memory/test/tasks; exec /root/workload locked:64:0' > /tmp/locked & 
      until grep -q ready /tmp/locked; do sleep 0.1; done
      echo 32M > /cgroup/memory/test/memory.limit_in_bytes; echo "status $?"
      cat /cgroup/memory/test/memory.limit_in_bytes
      kill %1 && wait %1; echo "ended with $?"; rmdir /cgroup/memory/test`;
    const { stdout, stderr } = await execSh(daemon, 'v1', script);
    assert.equal(stdout, 'status 1\n9223372036854771712\nended with 0\n');
    assert.match(stderr, /Device or resource busy/);
  });

  void it('without a running coldpgs one is started, and gone afterwards', { timeout: 120_000 }, async () => {
    const before = mounts();
    const script = `
      coldpgs exec --layout v1 -- sh -c "cat /sys/kernel/mm/coldpgs/version; exit 9" < /dev/null > /tmp/said 2>&1
      echo "status $?" >> /tmp/said`;
    await says(script);
    assert.equal(readFileSync('/tmp/said', 'utf8'), '0x20500\nstatus 9\n');
    assert.equal(mounts(), before);
    assert.equal((await says('ls /run/coldpgs-exec')).trim(), 'lock');
  });
});

void describe('what coldpgs exec costs, on a machine that is watched as by default', () => {
  let daemon: Daemon;
  before(async () => (daemon = await Daemon.start({ periodMs: 15_000, scanCpuPercent: 2 })));
  after(() => daemon.remove());

  /** Makes and removes 100 groups, while a walk goes over them or nothing else is done; says how many were made, how many are left, and the rate a second. */
  const makeAndRemove = (beside: 'a walk' | 'nothing'): string => `
    const fs = require("fs");
    const many = "/sys/fs/cgroup/many/";
    fs.mkdirSync(many);
    const doing = ${beside === 'a walk' ? '"find " + many + " > /dev/null 2>&1"' : '"sleep 0.1"'};
    const walk = require("child_process").spawn("sh", ["-c", "while [ -e " + many + " ]; do " + doing + "; done"]);
    const names = Array.from({ length: 100 }, (_, i) => "group" + i);
    const here = () => fs.readdirSync(many).filter((name) => name.startsWith("group")).length;
    const start = performance.now();
    for (const name of names) fs.mkdirSync(many + name);
    const made = here();
    for (const name of names) fs.rmdirSync(many + name);
    const rate = (2 * names.length) / (performance.now() - start) * 1000;
    walk.on("exit", () => console.log(made, left, Math.round(rate)));
    const left = here();
    fs.rmdirSync(many);`;

  for (const beside of ['nothing', 'a walk'] as const)
    void it(`mkdir and rmdir in a row beside ${beside} lose nothing`, async () => {
      const script = `node -e '${makeAndRemove(beside)}'`;
      const through = (await execSays(daemon, 'v2', script)).trim().split(' ').map(Number);
      const real = (await says(script)).trim().split(' ').map(Number);
      assert.deepEqual(through.slice(0, 2), [100, 0]);
      console.log(`# ${through[2]} mkdir and rmdir a second beside ${beside}; without coldpgs ${real[2]}`);
    });

  void it('find over 2,000 memcgs', async () => {
    const each = (what: string): string =>
      `node -e 'for (let i = 0; i < 2000; i++) require("fs").${what}("/sys/fs/cgroup/wide/" + i)'`;
    await says(
      `mkdir /sys/fs/cgroup/wide; echo +memory > /sys/fs/cgroup/wide/cgroup.subtree_control; ${each('mkdirSync')}`,
    );
    try {
      const timed =
        'cd /; find /sys/fs/cgroup > /dev/null; a=$(date +%s%N); find /sys/fs/cgroup | wc -l; echo $(( ($(date +%s%N) - a) / 1000000 ))';
      const [names, ms] = (await execSays(daemon, 'v2', timed)).trim().split('\n');
      const [realNames, realMs] = (await says(timed)).trim().split('\n');
      console.log(
        `# find /sys/fs/cgroup: ${names} names in ${ms} ms; without coldpgs ${realNames} names in ${realMs} ms`,
      );
      assert.ok(Number(names) > Number(realNames) + 6 * 2000);
    } finally {
      await says(`${each('rmdirSync')}; rmdir /sys/fs/cgroup/wide`);
    }
  });

  void it('a read costs about what one of ours costs', async () => {
    const script = `
      const fs = require('fs');
      const time = (file) => {
        const us = [];
        for (let i = 0; i < 2000; i++) {
          const start = process.hrtime.bigint();
          fs.closeSync(fs.openSync(file)), fs.readFileSync(file);
          us.push(Number(process.hrtime.bigint() - start) / 1000);
        }
        return us.sort((a, b) => a - b)[1000];
      };
      const group = '/sys/fs/cgroup/timed/';
      for (const name of ['memory.max', 'memory.coldpgs.size']) time(group + name);
      console.log(time(group + 'memory.max'), time(group + 'memory.coldpgs.size'));`;
    await says('mkdir /sys/fs/cgroup/timed');
    const said = await execSays(daemon, 'v2', `node -e '${script.replaceAll("'", '"')}'`);
    await says('rmdir /sys/fs/cgroup/timed');
    const [real = NaN, ours = NaN] = said.trim().split(' ').map(Number);
    console.log(`# a real file ${real.toFixed(0)} us, one of ours ${ours.toFixed(0)} us (p50)`);
    // No process is started for it, and nothing looked for.
    assertAtMost('real / ours', real / ours, 1.3);
  });
});
