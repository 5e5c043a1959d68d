import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { Directory } from '../../../../src/files/control-file.js';
import { opcode } from '../../../../src/fuse/dev-fuse/protocol.js';
import type { PassedDirectory } from '../../../../src/passed.js';
import { Tree } from '../../../../src/tree/tree.js';
import { directory } from '../../tree/nodes.js';
import { root } from './demo-tree.js';
import { after } from './earlier-process.js';
import { fields, KernelSide, name } from './kernel-side.js';

const { EEXIST, EIO, ENOENT } = constants.errno;
const RESENT = 0x8000_0000_0000_0000n;

/** A directory of the machine with these names in it, which makes and removes others as the kernel does. */
function machine(...there: string[]): Directory & { readonly there: Set<string> } {
  const names = new Set(there);
  const refused = (errno: 'EEXIST' | 'ENOENT'): never => {
    throw Object.assign(new Error(errno), { code: errno });
  };
  const passed: Partial<PassedDirectory> = {
    make: async (made) => void (names.has(made) ? refused('EEXIST') : names.add(made)),
    remove: async (gone) => void (names.delete(gone) || refused('ENOENT')),
  };
  return {
    ...directory({}),
    names: () => [...names],
    child: (one) => (names.has(one) ? directory({}) : undefined),
    passed: passed as PassedDirectory,
    there: names,
  };
}

const making = (text: string): Buffer => Buffer.concat([fields([32, 0o755], [32, 0]), name(text)]);

/** Asks for a change, and returns its answer. */
async function ask(kernel: KernelSide, code: number, body: Buffer, unique = 10n) {
  kernel.ask(code, { body, unique });
  await turn();
  const answers = kernel.replies.filter((one) => one.unique === unique);
  if (answers.length !== 1) throw new Error(`${answers.length} answers`);
  return answers[0];
}

void t.test('MKDIR and RMDIR are answered when they are done, or with the refusal', async (t) => {
  const folder = machine('there');
  const kernel = new KernelSide(new Tree(folder, root));
  t.match(await ask(kernel, opcode.FUSE_MKDIR, making('made'), 10n), { error: 0 });
  t.same([...folder.there], ['there', 'made']);
  t.match(await ask(kernel, opcode.FUSE_MKDIR, making('there'), 12n), { error: -EEXIST });
  t.match(await ask(kernel, opcode.FUSE_RMDIR, name('made'), 14n), { error: 0 });
  t.match(await ask(kernel, opcode.FUSE_RMDIR, name('made'), 16n), { error: -ENOENT });
});

void t.test('what the process before had done when it died is answered as done', async (t) => {
  const { continuity } = after({});
  const kernel = new KernelSide(new Tree(machine('made'), root), { continuity });
  t.match(await ask(kernel, opcode.FUSE_MKDIR, making('made'), 10n | RESENT), { error: 0 });
  t.match(await ask(kernel, opcode.FUSE_RMDIR, name('gone'), 12n | RESENT), { error: 0 });
  t.match(await ask(kernel, opcode.FUSE_MKDIR, making('new'), 14n | RESENT), { error: 0 }, 'what it had not is done');
});

void t.test('a directory that is gone before its answer is written is answered all the same', async (t) => {
  const folder = machine();
  const kernel = new KernelSide(
    new Tree({ ...folder, child: (one) => ({ ...directory({}), passed: defective(one) }) }, root),
  );
  t.match(await ask(kernel, opcode.FUSE_MKDIR, making('made')), { error: -EIO });
});

function defective(about: string): PassedDirectory {
  const status = (): never => {
    throw new Error(`no status of ${about}`);
  };
  return { status } as unknown as PassedDirectory;
}
