import koffi from 'koffi';
import t from 'tap';
import { called } from '../../../../src/kernel/linux/libc.js';

/** A call that fails so, one time after the other, and then answers 7. */
function failing(...errnos: string[]): { readonly call: () => number; readonly times: () => number } {
  let times = 0;
  const call = (): number => {
    const name = errnos[times++];
    if (name === undefined) return 7;
    koffi.errno(koffi.os.errno[name] ?? 0);
    return -1;
  };
  return { call, times: () => times };
}

void t.test('a call that fails as it can fails with that', async (t) => {
  const once = failing('ESRCH');
  t.throws(() => called('ptrace CONT', once.call), { message: 'ptrace CONT: ESRCH', code: 'ESRCH' });
  t.equal(once.times(), 1);
});

void t.test('an errno that another call has left is not taken for its own', async (t) => {
  t.equal(called('ptrace CONT', failing('ENOMEM').call), 7);
  t.throws(() => called('ptrace CONT', failing('ENOMEM', 'EAGAIN', 'ESRCH').call), { code: 'ESRCH' });
});

void t.test('a failure of an unknown kind is told in the end', async (t) => {
  const always = failing(...new Array<string>(100).fill('ENOSYS'));
  t.throws(() => called('waitid', always.call), { code: 'ENOSYS' });
});
