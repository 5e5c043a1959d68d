import t from 'tap';
import { isAskedToStop, isStopPending } from '../../../../src/fuse/dev-fuse/pending-signals.js';

const status = (sets: Record<string, string>): string =>
  Object.entries(sets)
    .map(([name, hex]) => `${name}:\t${hex}\n`)
    .join('');

const none = { SigPnd: '0000000000000000', ShdPnd: '0000000000000000', SigBlk: '0000000000000000' };

void t.test('which signals ask a program to stop', async (t) => {
  const cases: [string, Record<string, string>, boolean][] = [
    ['SIGINT to the process', { ShdPnd: '0000000000000002' }, true],
    ['SIGUSR1 to the thread', { SigPnd: '0000000000000200' }, true],
    ['SIGCHLD', { ShdPnd: '0000000000010000' }, false],
    ['SIGWINCH and SIGCHLD', { ShdPnd: '0000000008010000' }, false],
    ['SIGCHLD and SIGTERM', { ShdPnd: '0000000000014000' }, true],
    ['SIGTERM that is blocked, and SIGCHLD', { ShdPnd: '0000000000014000', SigBlk: '0000000000004000' }, false],
    ['nothing that could be seen', {}, true],
  ];
  for (const [what, sets, asked] of cases) t.equal(isStopPending(status({ ...none, ...sets })), asked, what);
});

void t.test('a thread that cannot be seen is taken to be asked', async (t) => {
  t.equal(isAskedToStop(0), true);
});
