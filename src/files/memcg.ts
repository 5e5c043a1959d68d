import { maxAgePeriods } from '../engine/coldness.js';
import type { Engine } from '../engine/engine.js';
import type { Memcg } from '../engine/engine.js';
import { requireSwapin, swapinWord } from './coldpgs.js';
import type { WriteContext } from './control-file.js';
import type { Dialect } from './dialect.js';
import { parseUnsigned, refuse, strip, unsignedLongMax } from './kernel-text.js';

/** What the files of a memcg work on. */
export interface MemcgSurroundings {
  readonly engine: Engine;
  readonly dialect: Dialect;
  readonly pageBytes: number;
}

/** One memory.* file, for every memcg. */
export interface MemcgFile {
  readonly name: string;
  readonly mode: number;
  render(memcg: Memcg, surroundings: MemcgSurroundings): string;
  apply(memcg: Memcg, text: string, surroundings: MemcgSurroundings, context: WriteContext): void | Promise<void>;
  /** Tells of each change of the text until the function that it returns is called; where somebody may want to wait for that. */
  readonly onChange?: (memcg: Memcg, surroundings: MemcgSurroundings, listener: () => void) => () => void;
}

/** The memory.coldpgs.* files of every memcg, the root's included (reference: coldpgs, section 3). All but swapin strip white space first. */
export const memcgFiles: readonly MemcgFile[] = [
  {
    name: 'memory.coldpgs.flags',
    mode: 0o644,
    render: (memcg, { engine }) => `0x${engine.controls.of(memcg).flags.toString(16)}\n`,
    apply: (memcg, text, { engine }) => {
      const flags = parseUnsigned(strip(text), 16, unsignedLongMax);
      if (flags === undefined) throw refuse('memory.coldpgs.flags', text, 'a hexadecimal number of at most 64 bits');
      engine.noteColdness(memcg, { flags });
    },
  },
  {
    name: 'memory.coldpgs.threshold',
    mode: 0o644,
    render: (memcg, { engine }) => `${engine.controls.of(memcg).agePeriods}\n`,
    apply: async (memcg, text, surroundings, context) => {
      const value = parseUnsigned(strip(text), 10, BigInt(maxAgePeriods));
      if (value === undefined) throw refuse('memory.coldpgs.threshold', text, 'a decimal number from 0 to 255');
      const agePeriods = Number(value);
      const { engine } = surroundings;
      engine.controls.set(memcg, { agePeriods });
      if (agePeriods > 0) engine.noteColdness(memcg, { lastAgePeriods: agePeriods });
      await reclaimWhenComplete(memcg, surroundings, context);
    },
  },
  {
    name: 'memory.coldpgs.size',
    mode: 0o644,
    render: (memcg, { engine }) => `${engine.controls.of(memcg).size}\n`,
    apply: async (memcg, text, surroundings, context) => {
      const size = parseUnsigned(strip(text), 10, unsignedLongMax);
      if (size === undefined)
        throw refuse(
          'memory.coldpgs.size',
          text,
          `a decimal number of ${surroundings.dialect.name === 'doc' ? 'pages' : 'bytes'}, without a suffix`,
        );
      surroundings.engine.controls.set(memcg, { size });
      await reclaimWhenComplete(memcg, surroundings, context);
    },
  },
  {
    name: 'memory.coldpgs.stats',
    mode: 0o644,
    render: (memcg, { engine, dialect, pageBytes }) =>
      dialect.stats(engine.ownStats(memcg), engine.totalStats(memcg), pageBytes),
    apply: (memcg, text, { engine }) => {
      if (parseUnsigned(strip(text), 0, unsignedLongMax) !== 0n)
        throw refuse('memory.coldpgs.stats', text, 'only 0, which sets its counters to zero');
      engine.resetStats(memcg);
    },
    onChange: (memcg, { engine }, listener) => engine.ledger.onChange(memcg, listener),
  },
  {
    name: 'memory.coldpgs.swapin',
    mode: 0o644,
    render: () => swapinWord,
    apply: async (memcg, text, { engine }, { signal }) => {
      requireSwapin('memory.coldpgs.swapin', text);
      await engine.swapIn(memcg, signal);
    },
  },
];

/**
 * Threshold and size may be written in either order; the one that completes the pair starts the run. Both are taken (and read 0)
 * when it starts, so that a pair written meanwhile by somebody else is a run of its own.
 */
async function reclaimWhenComplete(
  memcg: Memcg,
  { engine, dialect, pageBytes }: MemcgSurroundings,
  { signal }: WriteContext,
): Promise<void> {
  const { agePeriods, size } = engine.controls.of(memcg);
  if (size === 0n || (agePeriods === 0 && !engine.needsNoThreshold(memcg))) return;
  engine.controls.set(memcg, { agePeriods: 0, size: 0n });
  await engine.reclaimMemcg(memcg, agePeriods, Number(size) * dialect.sizeUnitBytes(pageBytes), signal);
}
