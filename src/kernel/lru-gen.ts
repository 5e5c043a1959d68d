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

const HEADER = /^memcg +(\d{1,20}) ?(.*)$/s;
const NODE = /^ ?node +(\d{1,9})$/;
/** At most ten blanks before the seq: rows of lru_gen_full that are not generations are indented further. Marks may follow the sizes. */
const GENERATION = /^ {0,10}(\d{1,20}) +(\d{1,20}) +(-?\d{1,20})[a-z]? +(-?\d{1,20})[a-z]? *$/;

/** Parses lru_gen in pieces of any size. Lines it does not know, and rows outside a memcg or node, are passed over. */
export class LruGenParser {
  #rest = '';
  #open: OpenMemcg | undefined;
  /** Thousands of memcgs have generations of the same few numbers: one object for each number. */
  readonly #seqs = new Map<string, bigint>();

  /** Takes the next piece of text (latin1); answers the memcgs that are complete with it. */
  push(piece: string): LruGenMemcg[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    const complete: LruGenMemcg[] = [];
    for (const line of lines) {
      const finished = this.#take(line);
      if (finished !== undefined) complete.push(finished);
    }
    return complete;
  }

  /** Ends the text: answers the last memcg. A last line without its newline is cut off, and dropped. */
  end(): LruGenMemcg[] {
    const last = this.#open;
    this.#rest = '';
    this.#open = undefined;
    return last === undefined ? [] : [last];
  }

  /** Takes one line; answers the memcg that it ends. */
  #take(line: string): LruGenMemcg | undefined {
    // Most lines are these.
    const row = GENERATION.exec(line);
    if (row !== null) {
      this.#open?.nodes.at(-1)?.generations.push(this.#generationOf(row));
      return undefined;
    }
    const header = HEADER.exec(line);
    if (header !== null) {
      const finished = this.#open;
      const [, id = OFFLINE_ID, path = ''] = header;
      // With memcg disabled at boot the path is empty, and what is listed is the whole machine.
      this.#open = { id, path: path === '' ? '/' : path, nodes: [] };
      return finished;
    }
    const node = NODE.exec(line);
    if (node !== null) this.#open?.nodes.push({ node: Number(node[1]), generations: [] });
    return undefined;
  }

  #generationOf([, seq = '0', ageMs, anonPages, filePages]: RegExpExecArray): Generation {
    return {
      seq: this.#seqOf(seq),
      ageMs: Number(ageMs),
      anonPages: Math.max(0, Number(anonPages)),
      filePages: Math.max(0, Number(filePages)),
    };
  }

  #seqOf(text: string): bigint {
    const known = this.#seqs.get(text);
    if (known !== undefined) return known;
    const seq = BigInt(text);
    this.#seqs.set(text, seq);
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
