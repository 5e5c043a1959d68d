import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { type DemoServer, eventually, mountsBelow, reasonToSkip, serveSupervised, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();
const kills = 20;
const clients = 8;
const readsPerClient = 1250;
const amount = 7;

/**
 * Reads and writes until its standard input ends, and at least so many reads: `total` opened anew, `large` through one descriptor from the start to the
 * end of the test. Every fifth turn adds to `total`. Says what it counted.
 */
const client = `
  process.chdir(process.argv[1]);
  const fs = require('node:fs');
  const counted = { reads: 0, writes: 0, failed: [] };
  const attempt = (what, work) => {
    try { work(); } catch (error) { counted.failed.push(what + ' ' + (error.code ?? error.message)); }
  };
  // As cat reads. readFileSync believes st_size, which the kernel sets to what was written last for a moment.
  const readToEnd = (file) => {
    const opened = fs.openSync(file);
    let text = '';
    for (let count; (count = fs.readSync(opened, buffer)) > 0; ) text += buffer.toString('latin1', 0, count);
    fs.closeSync(opened);
    return text;
  };
  const held = fs.openSync('large');
  const buffer = Buffer.alloc(16);
  let ended = false;
  process.stdin.on('end', () => { ended = true; }).resume();
  const turn = () => {
    for (let i = 0; i < 5; i++) {
      attempt('read', () => {
        const text = readToEnd('total');
        if (!/^\\d+\\n$/.test(text)) throw new Error('gave ' + JSON.stringify(text));
      });
      counted.reads++;
    }
    attempt('held read', () => {
      const line = counted.reads % 4096;
      fs.readSync(held, buffer, 0, 16, line * 16);
      if (buffer.toString('latin1') !== 'line ' + String(line).padStart(10, '0') + '\\n') throw new Error('another line');
    });
    counted.reads++;
    attempt('write', () => {
      fs.writeFileSync('total', '${amount}');
      counted.writes++;
    });
    if (ended && counted.reads >= ${readsPerClient}) console.log(JSON.stringify(counted));
    // Leaves the servers some time to start.
    else setTimeout(turn, 10);
  };
  turn();`;

interface Counted {
  readonly reads: number;
  readonly writes: number;
  readonly failed: readonly string[];
}

function startClient(t: Test, server: DemoServer): { process: ChildProcess; counted: Promise<Counted> } {
  const child = spawn(process.execPath, ['-e', client, server.mountPoint], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const counted = new Promise<Counted>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => resolve(JSON.parse(line) as Counted));
    child.on('exit', () => reject(new Error('a client ended without a word')));
  });
  return { process: child, counted };
}

/** Kills the process that serves, and resolves when another one does. */
async function killServer(server: DemoServer): Promise<void> {
  const pid = server.serverPid;
  process.kill(pid, 'SIGKILL');
  await eventually('another server', () => server.serverPid !== pid);
}

void t.test(
  '20 kills under the load of 8 clients: no read fails, no write is lost or done twice',
  { skip },
  async (t) => {
    const server = await serveSupervised(t);
    const all = Array.from({ length: clients }, () => startClient(t, server));
    for (let i = 0; i < kills; i++) {
      await sleep(100 + (i % 5) * 40);
      await killServer(server);
    }
    for (const { process } of all) process.stdin?.end();
    const counted = await Promise.all(all.map(({ counted }) => counted));
    const sum = (what: 'reads' | 'writes'): number => counted.reduce((sum, one) => sum + one[what], 0);
    t.same(
      counted.flatMap(({ failed }) => failed),
      [],
    );
    t.ok(sum('reads') >= 10_000, `${sum('reads')} reads`);
    t.equal(await server.says('cat total'), `${sum('writes') * amount}\n`);
    t.equal(server.said.filter(({ event }) => event === 'ready').length, kills + 1);
    await server.gaugesShow({ openFiles: 0, processesBefore: kills });
    t.comment(`${sum('reads')} reads and ${sum('writes')} writes over ${kills} kills`);
  },
);

void t.test('what is under way when the server is killed', { skip }, async (t) => {
  const server = await serveSupervised(t);

  await t.test('a write whose effect had begun is not done again: its writer is interrupted', async (t) => {
    const writing = server.sh('echo 5 > total-slowly');
    await eventually('the first half', async () => (await server.says('cat total')) === '5\n');
    await killServer(server);
    t.match(await writing, { status: 1, stderr: 'Interrupted system call' });
    t.equal(await server.says('cat total'), '5\n');
  });

  await t.test('who waits for news is woken, and then by the next change', async (t) => {
    const seen = join(await temporaryFolder(t), 'seen');
    const watching = server.says(`
      exec >${seen}
      perl -e '
        open my $file, "<", "told-of" or die;
        $| = 1;
        while (1) {
          sysseek $file, 0, 0; sysread $file, my $text, 100; print $text;
          my $news = ""; vec($news, fileno $file, 1) = 1;
          select(undef, undef, $news, 3) or exit;
        }'`);
    await server.gaugesShow({ pollersWaiting: 1 });
    await killServer(server);
    await eventually('it to be woken', () => readFileSync(seen, 'utf8') === 'nothing yet\n'.repeat(2));
    await server.gaugesShow({ pollersWaiting: 1 });
    await server.says('echo news > told-of');
    await watching;
    t.equal(readFileSync(seen, 'utf8'), 'nothing yet\nnothing yet\nnews\n');
  });

  await t.test('a directory in the middle of its listing is listed to its end', async (t) => {
    const whole = `
      const directory = fs.opendirSync('many', { bufferSize: 10 });
      const names = new Set([directory.readSync().name]);
      process.kill(${server.serverPid}, 'SIGKILL');
      for (let entry; (entry = directory.readSync()); ) names.add(entry.name);
      print(names.size);`;
    t.equal(await server.node(whole), 10_000);
  });

  await t.test('a reload ends what is short and loses nothing', async (t) => {
    const before = Number(await server.says('cat total'));
    const pid = server.serverPid;
    const writing = server.sh('echo 5 > total-slowly');
    await server.gaugesShow({ writesInProgress: 1 });
    server.signal('SIGUSR2');
    t.match(await writing, { status: 0, stderr: '' });
    await eventually('another server', () => server.serverPid !== pid);
    t.equal(await server.says('cat total'), `${before + 10}\n`);
  });

  await t.test('SIGTERM unmounts, also while no server runs', async (t) => {
    process.kill(server.serverPid, 'SIGKILL');
    t.equal(await server.signal('SIGTERM').ended, 0);
    t.same(await mountsBelow(server.mountPoint), []);
  });
});
