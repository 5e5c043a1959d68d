import t from 'tap';
import { onceNotBusy, onceNotBusySync } from '../../../../src/kernel/linux/busy.js';

/** A file that is refused with `code` so often, and how often it was asked for. */
function refused(times: number, code = 'EBUSY'): { access: () => string; asked: number } {
  const file = {
    asked: 0,
    access: (): string => {
      if (++file.asked <= times) throw Object.assign(new Error(code), { code });
      return 'on';
    },
  };
  return file;
}

void t.test('a file that is busy for a moment is asked for until it answers', async (t) => {
  const [one, other] = [refused(3), refused(3)];
  t.equal(
    onceNotBusySync(() => one.access()),
    'on',
  );
  t.equal(await onceNotBusy(async () => other.access()), 'on');
  t.same([one.asked, other.asked], [4, 4]);
});

void t.test('one that stays busy is given up in the end', async (t) => {
  t.throws(() => onceNotBusySync(() => refused(Infinity).access()), { code: 'EBUSY' });
  const file = refused(20);
  await t.rejects(
    onceNotBusy(() => file.access()),
    { code: 'EBUSY' },
  );
  t.equal(file.asked, 20);
});

void t.test('every other refusal is final', async (t) => {
  const [one, other] = [refused(1, 'EINVAL'), refused(1, 'EPERM')];
  t.throws(() => onceNotBusySync(() => one.access()), { code: 'EINVAL' });
  await t.rejects(
    onceNotBusy(() => other.access()),
    { code: 'EPERM' },
  );
  t.same([one.asked, other.asked], [1, 1]);
});
