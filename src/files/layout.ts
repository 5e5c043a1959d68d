import { ColdpgsError } from '../errors.js';
import type { Engine, Memcg } from '../engine/engine.js';
import { globalFiles, type GlobalFile } from './coldpgs.js';
import type { ControlFile, Directory, TreeNode, WriteContext } from './control-file.js';
import type { Dialect } from './dialect.js';
import { idlePageStatsFiles, kidledFiles, type KidledFile } from './kidled.js';
import type { KidledDialect } from './kidled-dialect.js';
import { logLevelFile, memAgentCompactFiles, type MemAgentFile, memAgentMemcgFiles } from './mem-agent.js';
import { memcgFiles, type MemcgFile } from './memcg.js';
import { selfFiles, type SelfFile, type SelfSurroundings } from './self.js';

/** What the whole tree is made over. */
export interface Surroundings extends SelfSurroundings {
  readonly engine: Engine;
  readonly dialect: Dialect;
  readonly kidledDialect: KidledDialect;
  readonly pageBytes: number;
  readonly modes: FileModes;
  /** Its level can be set, where it has one. */
  readonly log?: { level?: string };
}

/** Permission bits of the writable files; those of the module where undefined. */
export interface FileModes {
  readonly global?: number;
  readonly memcg?: number;
}

/**
 * The root of the tree: sys/kernel/mm/coldpgs and kidled, sys/fs/cgroup with every live memcg, and coldpgs about itself. `layouts` are the directories of cgroup/:
 * hierarchies with the machine's own files beside ours.
 */
export function buildTree(surroundings: Surroundings, layouts: readonly Named[] = []): Directory {
  const global = globalFiles.map((file) => named(file.name, boundGlobal(file, surroundings)));
  const kidled = kidledFiles
    .filter((file) => file.isIn(surroundings.kidledDialect))
    .map((file) => named(file.name, boundKidled(file, surroundings)));
  const filesOfMemcg = [...memcgFiles, ...idlePageStatsFiles(surroundings.kidledDialect)];
  const self = selfFiles.map((file) => named(file.name, boundSelf(file, surroundings)));
  return fixed('/', [
    named(
      'sys',
      fixed('/sys', [
        named('fs', fixed('/sys/fs', [named('cgroup', memcgDirectory('/', filesOfMemcg, surroundings))])),
        named(
          'kernel',
          fixed('/sys/kernel', [
            named(
              'mm',
              fixed('/sys/kernel/mm', [
                named('coldpgs', fixed('/sys/kernel/mm/coldpgs', global)),
                named('kidled', fixed('/sys/kernel/mm/kidled', kidled)),
                named('mem_agent', memAgentDirectory(surroundings)),
              ]),
            ),
          ]),
        ),
      ]),
    ),
    named('coldpgs', fixed('/coldpgs', self)),
    ...(layouts.length === 0 ? [] : [named('cgroup', fixed('/cgroup', layouts))]),
  ]);
}

/** Our control files of any memcg: their names, and each of them where there is a memcg at the path. */
export function memcgFilesBeside(surroundings: Surroundings) {
  const files = [...memcgFiles, ...idlePageStatsFiles(surroundings.kidledDialect)];
  return {
    names: files.map(({ name }) => name),
    at(path: string, name: string): ControlFile | undefined {
      const file = files.find((one) => one.name === name);
      const memcg = file && surroundings.engine.memcgAt(path);
      return memcg && boundMemcg(file, memcg, surroundings);
    },
  };
}

export type Named = readonly [name: string, node: TreeNode];

function named(name: string, node: TreeNode): Named {
  return [name, node];
}

function fixed(identity: string, entries: readonly Named[]): Directory {
  const byName = new Map(entries);
  return {
    kind: 'directory',
    mode: 0o755,
    identity,
    changing: false,
    names: () => [...byName.keys()],
    child: (name) => byName.get(name),
  };
}

/** A memcg's directory: its control files and the directories of its children, as they are at each look. */
function memcgDirectory(path: string, files: readonly MemcgFile[], surroundings: Surroundings): Directory {
  const { engine } = surroundings;
  const memcg = engine.memcgAt(path);
  return {
    kind: 'directory',
    mode: 0o755,
    identity: `memcg ${memcg?.inode ?? path}`,
    changing: true,
    names: () => {
      if (!engine.memcgAt(path)) throw gone();
      return [...files.map((file) => file.name), ...engine.childNames(path)];
    },
    child: (name) => {
      const file = files.find((one) => one.name === name);
      const owner = file && engine.memcgAt(path);
      if (file) return owner && boundMemcg(file, owner, surroundings);
      const childPath = path === '/' ? `/${name}` : `${path}/${name}`;
      return engine.memcgAt(childPath) && memcgDirectory(childPath, files, surroundings);
    },
  };
}

function boundGlobal(file: GlobalFile, { engine, dialect, modes }: Surroundings): ControlFile {
  const { apply } = file;
  return {
    kind: 'file',
    identity: `/sys/kernel/mm/coldpgs/${file.name}`,
    mode: apply && modes.global !== undefined ? modes.global : file.mode,
    render: () => file.render(engine, dialect),
    ...(apply && { apply: (text: string, context: WriteContext) => apply(engine, text, context) }),
  };
}

function boundKidled({ name, mode, render, apply }: KidledFile, { engine }: Surroundings): ControlFile {
  return {
    kind: 'file',
    identity: `/sys/kernel/mm/kidled/${name}`,
    mode,
    render: () => render(engine),
    apply: (text) => apply(engine, text),
  };
}

function memAgentDirectory({ engine, log }: Surroundings): Directory {
  const directory = (name: string, files: readonly MemAgentFile[]): Named => {
    const identity = `/sys/kernel/mm/mem_agent/${name}`;
    return named(
      name,
      fixed(
        identity,
        files.map((file) => named(file.name, boundMemAgent(file, `${identity}/${file.name}`, engine))),
      ),
    );
  };
  return fixed('/sys/kernel/mm/mem_agent', [
    directory('memcg', memAgentMemcgFiles),
    directory('compact', memAgentCompactFiles),
    ...(log?.level === undefined
      ? []
      : [named('log_level', boundMemAgent(logLevelFile(log), '/sys/kernel/mm/mem_agent/log_level', engine))]),
  ]);
}

function boundMemAgent({ mode, render, apply }: MemAgentFile, identity: string, engine: Engine): ControlFile {
  return {
    kind: 'file',
    identity,
    mode,
    render: () => render(engine),
    ...(apply && { apply: (text: string, context: WriteContext) => apply(engine, text, context) }),
  };
}

/** Bound to the memcg that is there now: once it is gone the file says so, even when another memcg has taken the path. */
function boundMemcg(file: MemcgFile, memcg: Memcg, surroundings: Surroundings): ControlFile {
  const { engine, modes } = surroundings;
  const { onChange } = file;
  const stillThere = (): void => {
    if (!engine.isLive(memcg)) throw gone();
  };
  return {
    kind: 'file',
    identity: `memcg ${memcg.inode} ${file.name}`,
    mode: modes.memcg ?? file.mode,
    render: () => {
      stillThere();
      return file.render(memcg, surroundings);
    },
    apply: (text, context) => {
      stillThere();
      return file.apply(memcg, text, surroundings, context);
    },
    ...(onChange && { onChange: (listener: () => void) => onChange(memcg, surroundings, listener) }),
  };
}

/** The files of the daemon about itself are text for people; a control file has one character a byte. */
function boundSelf(file: SelfFile, surroundings: Surroundings): ControlFile {
  return {
    kind: 'file',
    identity: `/coldpgs/${file.name}`,
    mode: 0o444,
    render: () => Buffer.from(file.render(surroundings), 'utf8').toString('latin1'),
  };
}

function gone(): ColdpgsError {
  return new ColdpgsError('MEMCG_GONE', 'ENOENT', 'The memcg was removed.');
}
