import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import t from 'tap';
import { FileLoanJournal, parseLoans, settleOldLoans } from '../../../src/daemon/loan-journal.js';
import { StateDir } from '../../../src/daemon/state-dir.js';
import type { SettingInterface } from '../../../src/kernel/kernel.js';
import { silentLog } from '../../../src/log.js';

const boot = '5f3c1a52-6c1e-4a6b-9d0e-2b7f0c6f3f11';
const swapMax = '/sys/fs/cgroup/test/memory.swap.max';

function claimed(t: Test): StateDir {
  const stateDir = StateDir.claim(t.testdir());
  t.teardown(() => stateDir.release());
  return stateDir;
}

/** Settings in memory, and what was logged about them. */
function machine(values: Record<string, string>, refusing: readonly string[] = []) {
  const files = new Map(Object.entries(values));
  const said: string[] = [];
  const settings: SettingInterface = {
    memcgFile: () => undefined,
    read: (file) => files.get(file),
    write: (file, value) => {
      if (refusing.includes(file)) throw new Error('busy');
      files.set(file, value);
    },
  };
  const say = (details: object, sentence: string): void => void said.push(`${JSON.stringify(details)} ${sentence}`);
  return { files, settings, said, log: { ...silentLog, info: say, warn: say, error: say } };
}

void t.test(
  'the journal names the boot and has a line for each loan, in a file named after the process; without loans there is none',
  async (t) => {
    const journal = new FileLoanJournal(claimed(t), boot, 4711);
    t.match(journal.file, /\/loans\.4711$/);
    journal.write([
      { file: swapMax, value: 'max' },
      { file: '/sys/fs/cgroup/a\xff b/memory.swap.max', value: '4096' },
    ]);
    t.equal(
      readFileSync(journal.file, 'latin1'),
      `boot\t${boot}\nmax\t${swapMax}\n4096\t/sys/fs/cgroup/a\xff b/memory.swap.max\n`,
      'bytes stay what they are',
    );
    journal.write([]);
    t.notOk(existsSync(journal.file));
    t.doesNotThrow(() => journal.write([]));
  },
);

void t.test('what was written is what is read; what was cut short is left out', async (t) => {
  t.same(parseLoans(`max\t${swapMax}\n0\t/a\tb c/d\n`), [
    { file: swapMax, value: 'max' },
    { file: '/a\tb c/d', value: '0' },
  ]);
  t.same(parseLoans(`boot\t${boot}\nwhile\t4711 /the pid\noff\t/state\nmax\t${swapMax}\n`), [
    { file: '/state', value: 'off', proof: { file: '/the pid', value: '4711' } },
    { file: swapMax, value: 'max' },
  ]);
  for (const cut of ['while\t4711 /pid', '', '\n', 'max', 'max\t', 'max\t\n', `\t${swapMax}`, 'max\tsys', swapMax])
    t.same(parseLoans(cut), [], JSON.stringify(cut));
});

void t.test('the next start gives back what earlier daemons had borrowed when they died, and says so', async (t) => {
  const stateDir = claimed(t);
  const { files, settings, said, log } = machine({ [swapMax]: '0', '/other': 'Y' });
  new FileLoanJournal(stateDir, boot, 11).write([{ file: swapMax, value: 'max' }]);
  new FileLoanJournal(stateDir, boot, 12).write([{ file: '/other', value: 'N' }]);
  await settleOldLoans(stateDir, settings, boot, log);
  t.same(Object.fromEntries(files), { [swapMax]: 'max', '/other': 'N' });
  t.same(readdirSync(stateDir.path), ['daemon']);
  t.equal(said.filter((line) => line.includes('gave back')).length, 2);
});

void t.test(
  'a setting that is gone is not made anew; one that is refused is told of and does not hold up the rest',
  async (t) => {
    const stateDir = claimed(t);
    const { files, settings, said, log } = machine({ '/busy': '0', '/other': 'Y' }, ['/busy']);
    new FileLoanJournal(stateDir, boot, 11).write([
      { file: '/gone', value: 'max' },
      { file: '/busy', value: 'max' },
      { file: '/other', value: 'N' },
    ]);
    await settleOldLoans(stateDir, settings, boot, log);
    t.same(Object.fromEntries(files), { '/busy': '0', '/other': 'N' });
    t.match(
      said.filter((line) => line.includes('cannot give back')),
      [/\/busy.*busy/],
    );
    t.notOk(existsSync(stateDir.file('loans.11')));
  },
);

void t.test('what was borrowed in another boot is not given back in this one, and that is said', async (t) => {
  const stateDir = claimed(t);
  const { files, settings, said, log } = machine({ [swapMax]: '0' });
  new FileLoanJournal(stateDir, 'another boot', 11).write([{ file: swapMax, value: 'max' }]);
  await settleOldLoans(stateDir, settings, boot, log);
  t.equal(files.get(swapMax), '0', 'a setting of the same name, which somebody made since');
  t.same(readdirSync(stateDir.path), ['daemon']);
  t.match(said, [/loans\.11.*of another boot/]);
});

void t.test(
  'the next start gives back what has a proof only while that holds, and says what it leaves alone',
  async (t) => {
    const proof = { file: '/state', value: 'on' };
    const loans = [
      { file: '/state', value: 'off', proof },
      { file: '/count', value: '0', proof },
      { file: swapMax, value: 'max' },
    ];
    const stateDir = claimed(t);
    const own = machine({ '/state': 'on', '/count': '1', [swapMax]: '0' });
    new FileLoanJournal(stateDir, boot, 11).write(loans);
    await settleOldLoans(stateDir, own.settings, boot, own.log);
    t.same(Object.fromEntries(own.files), { '/state': 'off', '/count': '0', [swapMax]: 'max' });
    const others = machine({ '/state': 'paused', '/count': '1', [swapMax]: '0' });
    new FileLoanJournal(stateDir, boot, 11).write(loans);
    await settleOldLoans(stateDir, others.settings, boot, others.log);
    t.same(Object.fromEntries(others.files), { '/state': 'paused', '/count': '1', [swapMax]: 'max' });
    t.match(others.said, [/\/state.*left alone/, /\/count.*left alone/, /gave back/]);
  },
);

void t.test('a journal that does not name its boot is of this one', async (t) => {
  const stateDir = claimed(t);
  writeFileSync(stateDir.file('loans.11'), `max\t${swapMax}\n`);
  const { files, settings, log } = machine({ [swapMax]: '0' });
  await settleOldLoans(stateDir, settings, boot, log);
  t.equal(files.get(swapMax), 'max');
});

void t.test('a guardian that was interrupted leaves its list to the next start', async (t) => {
  const stateDir = claimed(t);
  writeFileSync(stateDir.file('loans.11.settled'), `max\t${swapMax}\n`);
  const { files, settings, log } = machine({ [swapMax]: '0' });
  await settleOldLoans(stateDir, settings, boot, log);
  t.equal(files.get(swapMax), 'max');
});

void t.test('a guardian that is at work is waited for, and what it gave back is not given back again', async (t) => {
  const stateDir = claimed(t);
  writeFileSync(stateDir.file('loans.11.settled'), `max\t${swapMax}\n`);
  const { files, settings, said, log } = machine({ [swapMax]: '0' });
  const settling = settleOldLoans(stateDir, settings, boot, log);
  await sleep(100);
  t.equal(files.get(swapMax), '0', 'it is the guardian’s');
  rmSync(stateDir.file('loans.11.settled'));
  await settling;
  t.equal(files.get(swapMax), '0');
  t.same(said, []);
});

void t.test('the guardian', async (t) => {
  /** Starts a borrower of these settings, which all say "max"; killed after the test. */
  async function borrow(
    t: Test,
    names: readonly string[],
  ): Promise<{ child: ChildProcess; state: string; files: string[] }> {
    const folder = t.testdir({ state: {}, settings: {} });
    const files = names.map((name) => join(folder, 'settings', name));
    for (const file of files) writeFileSync(file, 'max\n');
    const script = fileURLToPath(new URL('./borrower.js', import.meta.url));
    const args = [script, join(folder, 'state'), ...files];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    return { child, state: join(folder, 'state'), files };
  }

  const valuesOf = (files: readonly string[]): string[] => files.map((file) => readFileSync(file, 'utf8').trimEnd());

  async function eventually(look: () => boolean): Promise<boolean> {
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) if (look()) return true;
    return false;
  }

  await t.test('gives back what was borrowed when the daemon is killed', async (t) => {
    const names = ['memory.swap.max', 'with blanks  and $(tricks) `too`', "quote's", 'tab\tinside', 'back\\slash'];
    const { child, state, files } = await borrow(t, names);
    t.same(
      valuesOf(files),
      names.map(() => 'borrowed'),
    );
    child.kill('SIGKILL');
    t.ok(await eventually(() => valuesOf(files).every((value) => value === 'max')), valuesOf(files).join());
    t.ok(await eventually(() => readdirSync(state).join() === 'daemon'), 'and leaves no list behind');
  });

  await t.test('gives back what is bound to a proof, though giving back the first ends it', async (t) => {
    const { child, files } = await borrow(t, ['bound count', 'other', 'bound state']);
    child.kill('SIGKILL');
    t.ok(await eventually(() => valuesOf(files).every((value) => value === 'max')), valuesOf(files).join());
  });

  for (const [what, change] of [
    ['says something else', (file: string) => writeFileSync(file, '4712\n')],
    ['is gone', (file: string) => rmSync(file)],
  ] as const)
    await t.test(`leaves alone what is bound to a proof that ${what}`, async (t) => {
      const { child, state, files } = await borrow(t, ['other', 'bound count', 'bound state']);
      change(files[2] ?? '');
      child.kill('SIGKILL');
      t.ok(await eventually(() => readdirSync(state).join() === 'daemon'), 'it ends');
      t.same(valuesOf(files.slice(0, 2)), ['max', 'borrowed']);
    });

  await t.test('does not make a setting that is gone, and gives back the others', async (t) => {
    const { child, files } = await borrow(t, ['gone', 'stays']);
    const [gone = '', stays = ''] = files;
    rmSync(gone);
    child.kill('SIGKILL');
    t.ok(await eventually(() => valuesOf([stays]).join() === 'max'));
    t.notOk(existsSync(gone));
  });

  await t.test(
    'tries a file again that refuses for a moment, and one that always does keeps nothing from the others',
    async (t) => {
      const { child, state, files } = await borrow(t, ['refuses', 'busy', 'other']);
      const [refuses = '', busy = '', other = ''] = files;
      rmSync(refuses);
      mkdirSync(refuses);
      rmSync(busy);
      symlinkSync(refuses, busy);
      child.kill('SIGKILL');
      t.ok(await eventually(() => readdirSync(state).some((name) => name.endsWith('.settled'))), 'it is at work');
      // In one step: a file that is not there for a moment is taken for one that has gone.
      writeFileSync(`${busy}.new`, 'borrowed');
      renameSync(`${busy}.new`, busy);
      t.ok(await eventually(() => valuesOf([busy, other]).join() === 'max,max'), valuesOf([busy, other]).join());
      t.ok(await eventually(() => readdirSync(state).join() === 'daemon'), 'and it ends');
      t.ok(existsSync(refuses));
    },
  );

  await t.test('has nothing to do when the daemon gave everything back', async (t) => {
    const { child, state, files } = await borrow(t, ['memory.swap.max']);
    child.stdin?.end();
    await once(child, 'exit');
    t.same(valuesOf(files), ['max']);
    t.same(readdirSync(state), ['daemon']);
    writeFileSync(files[0] ?? '', 'set by somebody since');
    await sleep(200);
    t.same(valuesOf(files), ['set by somebody since']);
  });
});
