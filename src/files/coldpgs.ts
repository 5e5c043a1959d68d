import type { Engine } from '../engine/engine.js';
import { maxAgePeriods } from '../engine/coldness.js';
import type { WriteContext } from './control-file.js';
import type { Dialect } from './dialect.js';
import { parseUnsigned, refuse, unsignedIntMax } from './kernel-text.js';

/** One file of /sys/kernel/mm/coldpgs. */
export interface GlobalFile {
  readonly name: string;
  readonly mode: number;
  readonly render: (engine: Engine, dialect: Dialect) => string;
  readonly apply?: (engine: Engine, text: string, context: WriteContext) => void | Promise<void>;
}

/** The largest block the kernel keeps is of this order (MAX_PAGE_ORDER, but on a few machines with large pages). */
const largestOrder = 10;

/** The files of /sys/kernel/mm/coldpgs (reference: coldpgs, section 2). Values are parsed as they are: no blanks are stripped. */
export const globalFiles: readonly GlobalFile[] = [
  { name: 'version', mode: 0o400, render: (_engine, dialect) => hex(dialect.version) },
  {
    name: 'flags',
    mode: 0o600,
    render: ({ global }) => hex(global.flags),
    apply: ({ global }, text) => void (global.flags = number('flags', text, 16, 0, unsignedIntMax)),
  },
  {
    name: 'batch',
    mode: 0o600,
    render: ({ global }) => decimal(global.batch),
    apply: ({ global }, text) => void (global.batch = number('batch', text, 10, 1, unsignedIntMax)),
  },
  {
    name: 'hierarchy',
    mode: 0o600,
    render: ({ global }) => decimal(global.hierarchy),
    apply: ({ global }, text) => void (global.hierarchy = number('hierarchy', text, 10, 0, 1n) as 0 | 1),
  },
  {
    name: 'mode',
    mode: 0o600,
    render: ({ global }) => hex(global.mode),
    apply: ({ global }, text) => void (global.mode = number('mode', text, 16, 0, unsignedIntMax)),
  },
  {
    name: 'threshold',
    mode: 0o600,
    render: ({ global }) => decimal(global.agePeriods),
    apply: async (engine, text, { signal }) => {
      const agePeriods = number('threshold', text, 10, 1, BigInt(maxAgePeriods));
      engine.noteGlobalColdness(agePeriods);
      await engine.reclaimAll(agePeriods, signal);
    },
  },
  {
    name: 'threshold_nonrot',
    mode: 0o600,
    render: ({ global }) => decimal(global.nonrotAgePeriods),
    apply: (engine, text) => engine.noteNonrot(number('threshold_nonrot', text, 10, 0, BigInt(maxAgePeriods))),
  },
  {
    name: 'compact',
    mode: 0o600,
    render: ({ compactions }) =>
      [...compactions.freeBlocks()].map(([node, blocks]) => `node ${node}: ${blocks.join(' ')}\n`).join(''),
    apply: async ({ compactions }, text, { signal }) => {
      if (/^now\n?$/.test(text)) return compactions.all(signal);
      const order = parseUnsigned(text, 10, BigInt(largestOrder));
      if (order === undefined) throw refuse('coldpgs/compact', text, `now, or an order from 0 to ${largestOrder}`);
      await compactions.untilFree(Number(order), signal);
    },
  },
  {
    name: 'swapin',
    mode: 0o600,
    render: () => swapinWord,
    apply: async (engine, text, { signal }) => {
      requireSwapin('swapin', text);
      const root = engine.memcgAt('/');
      if (root) await engine.swapIn(root, signal);
    },
  },
];

/** The one thing that a swapin file says and takes, newline included. */
export const swapinWord = 'swapin\n';

/** Throws BAD_VALUE unless the text is the swapin word to the byte. */
export function requireSwapin(file: string, text: string): void {
  if (text !== swapinWord) throw refuse(file, text, 'the word swapin and a newline (echo swapin)');
}

function number(file: string, text: string, base: 10 | 16, least: number, most: bigint): number {
  const value = parseUnsigned(text, base, most);
  if (value === undefined || value < least)
    throw refuse(
      `coldpgs/${file}`,
      text,
      `a ${base === 16 ? 'hexadecimal' : 'decimal'} number from ${least} to ${most}`,
    );
  return Number(value);
}

function hex(value: number): string {
  return `0x${value.toString(16)}\n`;
}

function decimal(value: number): string {
  return `${value}\n`;
}
