import fc from 'fast-check';
import t from 'tap';
import { isAtLeast, parseKernelRelease } from '../../../src/kernel/kernel-release.js';
import { parseNodeList } from '../../../src/kernel/node-list.js';
import { anyBytes } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

void t.test('reads the version out of what distributions make of it', async (t) => {
  const versions = CAPTURED_KERNELS.map((kernel) => parseKernelRelease(captured(kernel, 'osrelease')));
  t.strictSame(
    versions.map(({ major, minor }) => [major, minor]),
    [
      [6, 1],
      [6, 12],
      [7, 2],
    ],
  );
  t.equal(parseKernelRelease('6.12.107+deb13-amd64\n').text, '6.12.107+deb13-amd64');
  t.match(parseKernelRelease('6.16-rc1'), { major: 6, minor: 16 });
});

void t.test('compares versions as numbers', async (t) => {
  const at = (text: string): boolean => isAtLeast(parseKernelRelease(text), 6, 16);
  t.strictSame(['6.2.0', '6.9.1', '5.19.0', '6.15.9', '', 'next-6.20'].map(at), [
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  t.strictSame(['6.16.0', '6.18.1', '7.0.0', '10.1.0'].map(at), [true, true, true, true]);
});

void t.test('reads lists of nodes', async (t) => {
  t.strictSame(parseNodeList('0\n'), [0]);
  t.strictSame(parseNodeList('0-2,5\n'), [0, 1, 2, 5]);
  t.strictSame(parseNodeList('\n'), []);
});

void t.test('never throws, whatever the text', async () => {
  fc.assert(
    fc.property(anyBytes, (text) => {
      parseKernelRelease(text);
      parseNodeList(text);
    }),
  );
});
