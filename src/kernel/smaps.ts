import type { AddressRange } from './pagemap.js';

const HEADER = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) [-r][-w][-x][-sp] /;
const HELD = { resident: /^Rss: +(\d{1,15}) kB$/, swapped: /^Swap: +(\d{1,15}) kB$/ } as const;
const FLAGS = /^VmFlags:(.*)$/;

/** Mappings of devices and of bare page frames (VM_IO, VM_PFNMAP): reading them may have effects, and they hold no swap. */
const UNTOUCHABLE_FLAGS = ['io', 'pf'];
/** Of mlocked mappings (VM_LOCKED). */
const LOCKED_FLAG = 'lo';

interface OpenMapping {
  readonly range: AddressRange | undefined;
  holds: boolean;
  untouchable: boolean;
}

/**
 * Finds the mappings with pages in memory, or with swapped-out ones, in the text of /proc/PID/smaps, in pieces of any size. pagemap alone would do, but
 * mappings are sparse and huge, and pagemap has an entry for every page of them.
 */
export class HoldingMappingParser {
  #rest = '';
  #open: OpenMapping | undefined;

  constructor(private readonly held: keyof typeof HELD) {}

  /** Takes the next piece of text (latin1); answers the mappings with such pages that are complete with it. */
  push(piece: string): AddressRange[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#take(line));
  }

  /** Ends the text; answers the last mapping if it has such pages. */
  end(): AddressRange[] {
    const last = this.#open;
    this.#rest = '';
    this.#open = undefined;
    return wanted(last);
  }

  /** Takes one line; answers the mapping that it ends. */
  #take(line: string): AddressRange[] {
    const header = HEADER.exec(line);
    if (header !== null) {
      const finished = this.#open;
      this.#open = { range: rangeOf(header), holds: false, untouchable: false };
      return wanted(finished);
    }
    if (this.#open === undefined) return [];
    const size = HELD[this.held].exec(line);
    if (size !== null) this.#open.holds = Number(size[1]) > 0;
    const flags = FLAGS.exec(line)?.[1]?.split(' ');
    if (flags !== undefined) this.#open.untouchable = UNTOUCHABLE_FLAGS.some((flag) => flags.includes(flag));
    return [];
  }
}

function wanted(mapping: OpenMapping | undefined): AddressRange[] {
  return mapping?.range !== undefined && mapping.holds && !mapping.untouchable ? [mapping.range] : [];
}

/** The range of a line that begins a mapping; undefined for any other. */
export function mappingRange(line: string): AddressRange | undefined {
  const header = HEADER.exec(line);
  return header === null ? undefined : rangeOf(header);
}

/** Whether a line begins the mapping of a file, whose pages are page cache. */
export function isPageCache(line: string): boolean {
  return FILE_MAPPING.test(line);
}

/** The range of a header line, or undefined for one that cannot be read: [vsyscall] lies above 2^53, where numbers are not exact. */
function rangeOf([, start = '', end = '']: RegExpExecArray): AddressRange | undefined {
  const range = { start: parseInt(start, 16), end: parseInt(end, 16) };
  return Number.isSafeInteger(range.end) && range.start < range.end ? range : undefined;
}

const FILE_MAPPING =
  /^[0-9a-f]{1,16}-[0-9a-f]{1,16} [-r][-w][-x][-sp] [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ [1-9]\d* +\/(?!memfd:|SYSV|dev\/)/;
const SIZE = /^(Rss|Pss|Referenced|Anonymous): +(\d{1,15}) kB$/;
const KIB = 1024;

/**
 * Sums up, from the text of /proc/PID/smaps in pieces of any size, what page tables show as used of page cache since their accessed bits were
 * cleared. Of pages that several processes share each counts its part. Agings leave mlocked mappings out (should_skip_vma in mm/vmscan.c): what they show as used may
 * have been so long ago, and is not counted.
 */
export class ReferencedFileParser {
  #rest = '';
  #isFile = false;
  #sizes = noSizes();
  #bytes = 0;

  push(piece: string): void {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
  }

  /** Ends the text; answers the bytes. */
  end(): number {
    this.#finish();
    return this.#bytes;
  }

  #take(line: string): void {
    if (HEADER.test(line)) {
      this.#finish();
      this.#isFile = FILE_MAPPING.test(line);
      return;
    }
    if (this.#isFile && FLAGS.exec(line)?.[1]?.split(' ').includes(LOCKED_FLAG)) this.#isFile = false;
    const [, name, size] = SIZE.exec(line) ?? [];
    if (name !== undefined) this.#sizes[name as keyof MappingSizes] = Number(size) * KIB;
  }

  #finish(): void {
    const { Rss, Pss, Referenced, Anonymous } = this.#sizes;
    if (this.#isFile && Rss > 0)
      this.#bytes += Math.min(Referenced, Math.max(0, Rss - Anonymous)) * Math.min(1, Pss / Rss);
    this.#isFile = false;
    this.#sizes = noSizes();
  }
}

type MappingSizes = Record<'Rss' | 'Pss' | 'Referenced' | 'Anonymous', number>;

function noSizes(): MappingSizes {
  return { Rss: 0, Pss: 0, Referenced: 0, Anonymous: 0 };
}
