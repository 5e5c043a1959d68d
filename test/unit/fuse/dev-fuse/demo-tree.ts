import { ColdpgsError } from '../../../../src/errors.js';
import type { ControlFile } from '../../../../src/files/control-file.js';
import { Tree } from '../../../../src/tree/tree.js';
import { directory, readOnly, writable } from '../../tree/nodes.js';

/** Who owns everything. */
export const root = { uid: 5, gid: 6 };

/** A file that says what was last written, and tells of it. */
export function noticed(identity: string): ControlFile {
  let last = 'nothing\n';
  const listeners = new Set<() => void>();
  return {
    ...writable(identity, (text) => {
      last = text;
      for (const tell of listeners) tell();
    }),
    render: () => last,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** A tree with a file of each kind. */
export function demo(incarnation = 0): Tree {
  const memcg = directory({ file: readOnly('memcg 7 file', () => 'of a memcg\n') });
  return new Tree(
    directory({
      text: readOnly('text', () => 'some text\n'),
      noticed: noticed('noticed'),
      defective: writable('defective', () => {
        throw new TypeError('a defect');
      }),
      refusing: writable('refusing', () => {
        throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'no');
      }),
      slow: writable('slow', async (_text, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new ColdpgsError('CANCELLED', 'EINTR', 'interrupted');
      }),
      memcgs: { ...directory({ memcg }), identity: 'memcgs', changing: true },
    }),
    root,
    { incarnation },
  );
}
