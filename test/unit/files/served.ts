import type { ControlFile, Directory, TreeNode } from '../../../src/files/control-file.js';
import { dialects } from '../../../src/files/dialect.js';
import { kidledDialects } from '../../../src/files/kidled-dialect.js';
import { buildTree, type FileModes } from '../../../src/files/layout.js';
import { never, pageBytes, type World, world, type WorldOptions } from '../engine/world.js';

export interface ServedOptions extends WorldOptions {
  readonly dialect?: keyof typeof dialects;
  readonly kidledDialect?: keyof typeof kidledDialects;
  readonly modes?: FileModes;
}

export const globalFolder = '/sys/kernel/mm/coldpgs';
export const kidledFolder = '/sys/kernel/mm/kidled';

/** The tree over a simulated machine, with its files read and written by path as a client would. */
export async function served({
  dialect = '2.5',
  kidledDialect = 'K-B',
  modes = {},
  ...options
}: ServedOptions = {}): Promise<Served> {
  const it = await world(options);
  const root = buildTree({
    engine: it.engine,
    dialect: dialects[dialect],
    kidledDialect: kidledDialects[kidledDialect],
    pageBytes,
    modes,
    packageVersion: '1.2.3',
    settings: { dialect, children: 'skip', 'state-dir': '/größe' },
    gauges: () => ({ openFiles: 3 }),
  });
  return new Served(it, root);
}

export class Served {
  constructor(
    readonly world: World,
    readonly root: Directory,
  ) {}

  /** The node at a path, as the tree finds it; undefined where there is none. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of path.split('/').filter((one) => one !== ''))
      node = node?.kind === 'directory' ? node.child(name) : undefined;
    return node;
  }

  file(path: string): ControlFile {
    const node = this.find(path);
    if (node?.kind !== 'file') throw new Error(`${path} is no file`);
    return node;
  }

  directory(path: string): Directory {
    const node = this.find(path);
    if (node?.kind !== 'directory') throw new Error(`${path} is no directory`);
    return node;
  }

  read(path: string): string {
    return this.file(path).render();
  }

  /** Writes a text as it is, and lets simulated time pass until its effect is done. */
  async write(path: string, text: string, signal = never()): Promise<void> {
    const file = this.file(path);
    if (!file.apply) throw new Error(`${path} cannot be written`);
    await this.world.clock.finish((async () => file.apply?.(text, { signal }))());
  }
}
