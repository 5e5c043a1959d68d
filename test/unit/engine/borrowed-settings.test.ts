import t from 'tap';
import { BorrowedSettings, type Loan } from '../../../src/engine/borrowed-settings.js';
import type { SettingInterface } from '../../../src/kernel/kernel.js';

/** Borrowed settings over files that say "max", and a log of every change and journal entry in the order they happened. */
function world(names: readonly string[] = ['a', 'b']) {
  const files = new Map(names.map((name) => [name, 'max']));
  const refusing = new Set<string>();
  const log: string[] = [];
  const settings: SettingInterface = {
    memcgFile: () => undefined,
    read: (file) => files.get(file),
    write: (file, value) => {
      if (refusing.has(file)) throw new Error(`${file} refused`);
      files.set(file, value);
      log.push(`${file} = ${value}`);
    },
  };
  const journal = { loans: [] as readonly Loan[], write: (loans: readonly Loan[]) => void note(loans) };
  const note = (loans: readonly Loan[]): void => {
    journal.loans = loans;
    log.push(`journal: ${loans.map(({ file, value }) => `${file} was ${value}`).join(', ')}`);
  };
  return { borrowed: new BorrowedSettings(settings, journal), files, refusing, log, journal };
}

void t.test('the original is in the journal before the change, and out of it after the value is back', async (t) => {
  const { borrowed, log } = world();
  const giveBack = borrowed.borrow('a', '0');
  giveBack();
  t.same(log, ['journal: a was max', 'a = 0', 'a = max', 'journal: ']);
});

void t.test('given back twice is given back once', async (t) => {
  const { borrowed, files } = world();
  const giveBack = borrowed.borrow('a', '0');
  giveBack();
  files.set('a', '4096');
  giveBack();
  t.equal(files.get('a'), '4096', 'what somebody set since then stays');
});

void t.test('borrowers of one file share the loan; the last one gives it back', async (t) => {
  const { borrowed, files, log } = world();
  const [first, second, third] = [borrowed.borrow('a', '0'), borrowed.borrow('a', '0'), borrowed.borrow('a', '0')];
  t.equal(log.filter((line) => line === 'a = 0').length, 1);
  second();
  second();
  first();
  t.equal(files.get('a'), '0');
  third();
  t.equal(files.get('a'), 'max');
});

void t.test('different files are different loans', async (t) => {
  const { borrowed, files, journal } = world();
  const giveBackA = borrowed.borrow('a', '0');
  borrowed.borrow('b', '1');
  t.same(journal.loans, [
    { file: 'b', value: 'max' },
    { file: 'a', value: 'max' },
  ]);
  giveBackA();
  t.same(Object.fromEntries(files), { a: 'max', b: '1' });
  t.same(journal.loans, [{ file: 'b', value: 'max' }]);
});

void t.test('a refused change is no loan', async (t) => {
  const { borrowed, refusing, journal, files } = world();
  refusing.add('a');
  t.throws(() => borrowed.borrow('a', '0'), { message: 'a refused' });
  t.same(journal.loans, []);
  refusing.clear();
  borrowed.borrow('a', '0')();
  t.equal(files.get('a'), 'max');
});

void t.test(
  'a journal that cannot be written leaves the setting alone, and the next borrower takes it for real',
  async (t) => {
    const { borrowed, files, journal } = world();
    const write = journal.write;
    journal.write = () => {
      throw new Error('no space left');
    };
    t.throws(() => borrowed.borrow('a', '0'), { message: 'no space left' });
    t.equal(files.get('a'), 'max');
    journal.write = write;
    borrowed.borrow('a', '0');
    t.equal(files.get('a'), '0');
    t.same(journal.loans, [{ file: 'a', value: 'max' }]);
  },
);

void t.test('a setting that is there no more, or has the value already, is not borrowed', async (t) => {
  const { borrowed, log, files } = world();
  borrowed.borrow('missing', '0')();
  borrowed.borrow('a', 'max')();
  t.same(log, []);
  t.notOk(files.has('missing'));
});

void t.test('a file that is gone meanwhile needs no restoring', async (t) => {
  const { borrowed, files, journal } = world();
  const giveBack = borrowed.borrow('a', '0');
  files.delete('a');
  giveBack();
  t.notOk(files.has('a'));
  t.same(journal.loans, []);
});

void t.test('what cannot be given back stays in the journal, and can be tried again', async (t) => {
  const { borrowed, refusing, journal, files } = world();
  const giveBack = borrowed.borrow('a', '0');
  refusing.add('a');
  t.throws(giveBack, { message: 'a refused' });
  t.same(journal.loans, [{ file: 'a', value: 'max' }]);
  refusing.clear();
  giveBack();
  t.equal(files.get('a'), 'max');
  t.same(journal.loans, []);
});

void t.test('giveBackAll gives back what it can, however often it is borrowed, and answers what failed', async (t) => {
  const { borrowed, refusing, journal, files } = world();
  borrowed.borrow('a', '0');
  const giveBackB = borrowed.borrow('b', '0');
  borrowed.borrow('b', '0');
  refusing.add('a');
  t.match(borrowed.giveBackAll(), [{ message: 'a refused' }]);
  t.equal(files.get('b'), 'max');
  t.same(journal.loans, [{ file: 'a', value: 'max' }]);
  giveBackB();
  t.equal(files.get('b'), 'max', 'who still thinks to have it does no harm');
  refusing.clear();
  t.same(borrowed.giveBackAll(), []);
  t.same(journal.loans, []);
});

void t.test('gives all back the latest first: a setting may exist only while another is borrowed', async (t) => {
  const written: string[] = [];
  const settings: SettingInterface = {
    memcgFile: () => undefined,
    read: () => 'off',
    write: (file, value) => void written.push(`${file} ${value}`),
  };
  const borrowed = new BorrowedSettings(settings, { write: () => undefined });
  borrowed.borrow('nr_kdamonds', '1');
  borrowed.borrow('kdamonds/0/state', 'on');
  borrowed.giveBackAll();
  t.same(written.slice(2), ['kdamonds/0/state off', 'nr_kdamonds off']);
});

void t.test('loans with a proof are given back while it holds, though giving back the first ends it', async (t) => {
  const { borrowed, files, journal } = world(['count', 'state']);
  const giveBackCount = borrowed.borrow('count', '1');
  const giveBackState = borrowed.borrow('state', 'on');
  const proof = { file: 'state', value: 'on' };
  borrowed.bind(['count', 'state'], proof);
  t.same(journal.loans, [
    { file: 'state', value: 'max', proof },
    { file: 'count', value: 'max', proof },
  ]);
  giveBackState();
  t.same(journal.loans, [{ file: 'count', value: 'max' }]);
  giveBackCount();
  t.same(Object.fromEntries(files), { count: 'max', state: 'max' });
  t.same(journal.loans, []);
});

for (const [how, giveBack] of [
  ['one by one', (each: readonly (() => void)[]) => each.forEach((one) => one())],
  ['all at once', (_each: readonly (() => void)[], borrowed: BorrowedSettings) => void borrowed.giveBackAll()],
] as const)
  void t.test(`loans whose proof does not hold any more are forgotten, ${how}; others are not`, async (t) => {
    const { borrowed, files, journal } = world(['count', 'state', 'other']);
    const loans = ['other', 'state', 'count'].map((file) => borrowed.borrow(file, 'on'));
    borrowed.bind(['count', 'state'], { file: 'state', value: 'on' });
    files.set('state', 'somebody’s');
    giveBack(loans, borrowed);
    t.same(Object.fromEntries(files), { count: 'on', state: 'somebody’s', other: 'max' });
    t.same(journal.loans, []);
  });
