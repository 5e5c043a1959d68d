import type { LruGenFile } from '../../../../src/kernel/linux/lru-gen.js';

interface ModelMemcg {
  readonly id: string;
  readonly path: string;
  maxSeq: bigint;
}

/** What the kernel answers to a command that it refuses. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: refused, write`), { code });
}

/**
 * debugfs lru_gen with one node: commands of a write take effect one after the other, up to the first that is refused.
 * `ageStale`: aging past a generation that is no longer the youngest ages once more (6.14+), and is not passed over in silence.
 */
export class LruGenModel implements LruGenFile {
  readonly writes: string[] = [];
  piecesRead = 0;
  readonly #memcgs: ModelMemcg[];
  readonly #refusedIds = new Set<string>();

  constructor(
    memcgs: readonly { readonly id: string; readonly path: string }[],
    private readonly ageStale = true,
  ) {
    this.#memcgs = memcgs.map((memcg) => ({ ...memcg, maxSeq: 3n }));
  }

  refuse(id: string): void {
    this.#refusedIds.add(id);
  }

  maxSeqs(): Record<string, bigint> {
    return Object.fromEntries(this.#memcgs.map(({ path, maxSeq }) => [path, maxSeq]));
  }

  async *pieces(): AsyncGenerator<string> {
    for (const { id, path, maxSeq } of this.#memcgs) {
      this.piecesRead++;
      yield `memcg ${id.padStart(5)} ${path}\n node     0\n`;
      for (let seq = maxSeq - 3n; seq <= maxSeq; seq++)
        yield ` ${String(seq).padStart(10)}       1000          1           2 \n`;
    }
  }

  async write(commands: string): Promise<void> {
    this.writes.push(commands);
    for (const command of commands.trimEnd().split('\n')) this.#run(command);
  }

  #run(command: string): void {
    const [verb, id = '', , seq = '0'] = command.split(' ');
    const memcg = this.#memcgs.find((one) => one.id === id);
    if (memcg === undefined || this.#refusedIds.has(id) || BigInt(seq) > memcg.maxSeq) throw systemError('EINVAL');
    if (verb === '-' && BigInt(seq) + 2n > memcg.maxSeq) throw systemError('EINVAL');
    if (verb === '+' && (this.ageStale || BigInt(seq) === memcg.maxSeq)) memcg.maxSeq++;
  }
}
