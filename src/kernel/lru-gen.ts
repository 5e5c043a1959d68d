import { LineScanner } from './line-scanner.js';

/**
 * The text of debugfs `lru_gen` (Documentation/admin-guide/mm/multigen_lru.rst; lru_gen_seq_show in mm/vmscan.c): per memcg a header, per
 * memory node a line, per generation a row `seq age_ms anon_pages file_pages`.
 */

/** Swappiness of an eviction command: `file` evicts page cache only, `anon` anonymous memory (alone where the kernel can, first where it cannot). */
export type Swappiness = 'file' | 'anon';

/** One generation of one memcg on one node. */
export interface Generation {
  readonly seq: bigint;
  /** Milliseconds since its birth, that is, since the aging that made it. */
  readonly ageMs: number;
  /** Base pages; an estimate of the kernel's, never negative. */
  readonly anonPages: number;
  readonly filePages: number;
}

export interface LruGenNode {
  readonly node: number;
  /** Oldest first (the kernel's order); 2 to 4 of them. */
  readonly generations: readonly Generation[];
}

/** One memcg as lru_gen lists it. `id` is text: 16 bits or 64 by kernel, and "0" for an offline memcg, which no command can address. */
export interface LruGenMemcg {
  readonly id: string;
  readonly path: string;
  readonly nodes: readonly LruGenNode[];
}

/** Whether any page of the memcg is on a list. */
export function hasPages({ nodes }: LruGenMemcg): boolean {
  return nodes.some(({ generations }) => generations.some((one) => one.anonPages > 0 || one.filePages > 0));
}

/** The id of memcgs that are offline. */
export const OFFLINE_ID = '0';

interface OpenNode {
  readonly node: number;
  readonly generations: Generation[];
}

interface OpenMemcg {
  readonly id: string;
  readonly path: string;
  readonly nodes: OpenNode[];
}

/** At most so many blanks before the seq: rows of lru_gen_full that are not generations are indented further. */
const mostIndent = 10;

/** Parses lru_gen in pieces of any size. Lines it does not know, and rows outside a memcg or node, are passed over. */
export class LruGenParser {
  #rest = '';
  #open: OpenMemcg | undefined;
  /** Thousands of memcgs have generations of the same few numbers: one object for each number. */
  readonly #seqs = new Map<number, bigint>();
  #headers = 0;

  /** `pathsBefore`: those of an earlier listing, in its order. A path that is the same is the same string then, which costs less to have and to find in a map. */
  constructor(private readonly pathsBefore: readonly string[] = []) {}

  /** Takes the next piece of text (latin1); answers the memcgs that are complete with it. */
  push(piece: string): LruGenMemcg[] {
    const lines = new LineScanner(this.#rest + piece);
    const complete: LruGenMemcg[] = [];
    while (lines.nextLine()) {
      const finished = this.#take(lines);
      if (finished !== undefined) complete.push(finished);
    }
    this.#rest = lines.unfinished();
    return complete;
  }

  /** Ends the text: answers the last memcg. A last line without its newline is cut off, and dropped. */
  end(): LruGenMemcg[] {
    const last = this.#finished();
    this.#rest = '';
    this.#open = undefined;
    return last === undefined ? [] : [last];
  }

  /** Takes one line; answers the memcg that it ends. */
  #take(line: LineScanner): LruGenMemcg | undefined {
    const blanks = line.skipBlanks();
    if (blanks === 0 && line.skipWord('memcg')) return this.#takeHeader(line);
    if (blanks <= 1 && line.skipWord('node')) this.#takeNode(line);
    else if (blanks <= mostIndent) this.#takeGeneration(line);
    return undefined;
  }

  /** `memcg ID PATH`, where the path may have blanks. */
  #takeHeader(line: LineScanner): LruGenMemcg | undefined {
    if (line.skipBlanks() === 0) return undefined;
    const id = line.digits();
    if (id === '') return undefined;
    line.skipWord(' ');
    const path = line.rest(this.pathsBefore[this.#headers++]);
    const finished = this.#finished();
    // With memcg disabled at boot the path is empty, and what is listed is the whole machine.
    this.#open = { id, path: path === '' ? '/' : path, nodes: [] };
    return finished;
  }

  /** The memcg whose lines have ended. Its arrays are as long as they must be: one that grew has room for sixteen more, and thousands are kept from look to look. */
  #finished(): LruGenMemcg | undefined {
    if (!this.#open) return undefined;
    const { id, path, nodes } = this.#open;
    return { id, path, nodes: nodes.map(({ node, generations }) => ({ node, generations: generations.slice() })) };
  }

  /** ` node NUMBER`. */
  #takeNode(line: LineScanner): void {
    if (line.skipBlanks() === 0) return;
    const node = line.count();
    if (node >= 0 && node < 1e9 && line.isAtEnd) this.#open?.nodes.push({ node, generations: [] });
  }

  /** `SEQ AGE_MS ANON_PAGES FILE_PAGES`. Marks may follow the sizes. */
  #takeGeneration(line: LineScanner): void {
    const seq = this.#seqOf(line);
    if (seq === undefined || line.skipBlanks() === 0) return;
    const ageMs = line.count();
    if (ageMs < 0 || line.skipBlanks() === 0) return;
    const anonPages = line.size();
    if (anonPages < 0 || line.skipBlanks() === 0) return;
    const filePages = line.size();
    if (filePages < 0) return;
    line.skipBlanks();
    if (line.isAtEnd) this.#open?.nodes.at(-1)?.generations.push({ seq, ageMs, anonPages, filePages });
  }

  #seqOf(line: LineScanner): bigint | undefined {
    const count = line.count();
    if (count < 0) return undefined;
    const known = this.#seqs.get(count);
    if (known !== undefined) return known;
    const seq = BigInt(count);
    this.#seqs.set(count, seq);
    return seq;
  }
}

/** Parses a whole text of lru_gen (latin1). Never throws; what is cut off or unknown is left out. */
export function parseLruGen(text: string): LruGenMemcg[] {
  const parser = new LruGenParser();
  return [...parser.push(text), ...parser.end()];
}

/** The command that walks the page tables of a memcg on a node in full and makes the generation `maxSeq + 1`. Without a newline. */
export function agingCommand(target: { readonly id: string; readonly node: number; readonly maxSeq: bigint }): string {
  const canSwap = 1;
  const forceScan = 1;
  return `+ ${target.id} ${target.node} ${target.maxSeq} ${canSwap} ${forceScan}`;
}

/** The command that evicts up to `pages` base pages from the generations up to `minSeq`. `anonOnly`: the kernel knows the word `max` (6.16+). Without a newline. */
export function evictionCommand(
  command: {
    readonly id: string;
    readonly node: number;
    readonly minSeq: bigint;
    readonly swappiness: Swappiness;
    readonly pages: number;
  },
  anonOnly: boolean,
): string {
  const swappiness = command.swappiness === 'file' ? '0' : anonOnly ? 'max' : '200';
  return `- ${command.id} ${command.node} ${command.minSeq} ${swappiness} ${command.pages}`;
}
