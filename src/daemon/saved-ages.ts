import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import * as z from 'zod';
import type { Cohort, CohortHistory } from '../engine/cohort-history.js';
import type { Engine } from '../engine/engine.js';
import { MglruTracker, type NodeHistory } from '../engine/mglru-tracker.js';
import { sentenceOf, systemErrno } from '../errors.js';
import type { Memcg } from '../kernel/kernel.js';
import type { Log } from '../log.js';

const count = z.int().min(0);

/** Pages, and the times between which they were used last; null: nobody knows since when. */
const cohortSchema = z.tuple([count.min(1), z.number().nullable(), z.number()]);

const historySchema = z
  .strictObject({
    atMs: z.number(),
    minSeq: count,
    maxSeq: count,
    bornMs: z.number(),
    generations: z.array(z.array(cohortSchema).max(64)).max(8),
  })
  .refine(
    ({ minSeq, maxSeq, generations }) => generations.length === maxSeq - minSeq + 1,
    'a list for each generation',
  );

const headerSchema = z.strictObject({ version: z.literal(1), boot: z.string() });

const memcgSchema = z.strictObject({
  /** One character a byte, as in the engine: names need not be UTF-8. */
  path: z.string(),
  inode: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt),
  nodes: z.array(z.strictObject({ node: count, anon: historySchema, file: historySchema })).max(1024),
});

/** How old the saved ages may get, in milliseconds: what is lost with them is how the pages of the oldest generation differ. */
const saveEveryMs = 60_000;
/** Lines written before other work has its turn. */
const linesAtOnce = 100;

/**
 * The history of page ages in a file, so that a restart of the daemon does not make all memory young: a header and a line for each memcg. Times in it
 * are milliseconds since boot. Written at most 60 s after a look, whole or not at all.
 */
export class SavedAges {
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | undefined;

  constructor(
    private readonly file: string,
    private readonly engine: Engine,
    private readonly boot: string,
    /** Milliseconds that the engine's clock is behind the time since boot. */
    private readonly clockOffsetMs: number,
    private readonly log: Log,
  ) {}

  /** Takes over the ages of memcgs that still live. A file that cannot be trusted is set aside, with a warning; it is never fatal. */
  load(): void {
    const { tracker } = this.engine;
    const text = this.#read();
    if (text === undefined || !(tracker instanceof MglruTracker)) return;
    try {
      const [header = '', ...lines] = text.trimEnd().split('\n');
      if (headerSchema.parse(JSON.parse(header)).boot !== this.boot)
        return this.log.info({ file: this.file }, 'the saved ages are of another boot: all pages are young');
      const memcgs = lines.map((line) => memcgSchema.parse(JSON.parse(line)));
      for (const { path, inode, nodes } of memcgs)
        if (this.engine.isLive({ path, inode }))
          tracker.restore(
            { path, inode },
            nodes.map((node) => this.#known(node)),
          );
    } catch (failure) {
      this.#setAside(failure instanceof z.ZodError ? z.prettifyError(failure) : sentenceOf(failure));
    }
  }

  start(): void {
    this.#timer = setInterval(() => void (this.#saving ??= this.#saveInSlices()), saveEveryMs);
    this.#timer.unref();
  }

  /** Saves for the last time. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saving;
    try {
      writeFileSync(`${this.file}.new`, [...this.#lines()].join(''), { mode: 0o600 });
      renameSync(`${this.file}.new`, this.file);
    } catch (failure) {
      this.log.error({ failure: sentenceOf(failure) }, 'the ages could not be saved');
    }
  }

  async #saveInSlices(): Promise<void> {
    try {
      const handle = await open(`${this.file}.new`, 'w', 0o600);
      try {
        let slice: string[] = [];
        for (const line of this.#lines()) {
          if (slice.push(line) < linesAtOnce) continue;
          await handle.write(slice.join(''));
          slice = [];
        }
        await handle.write(slice.join(''));
      } finally {
        await handle.close();
      }
      await rename(`${this.file}.new`, this.file);
    } catch (failure) {
      this.log.error({ failure: sentenceOf(failure) }, 'the ages could not be saved');
    } finally {
      this.#saving = undefined;
    }
  }

  *#lines(): Generator<string> {
    yield `${JSON.stringify({ version: 1, boot: this.boot })}\n`;
    const { tracker } = this.engine;
    if (!(tracker instanceof MglruTracker)) return;
    for (const { memcg, nodes } of tracker.histories()) yield this.#line(memcg, nodes);
  }

  #line({ path, inode }: Memcg, nodes: readonly NodeHistory[]): string {
    const saved = nodes.map(({ node, anon, file }) => ({ node, anon: this.#saved(anon), file: this.#saved(file) }));
    return `${JSON.stringify({ path, inode: String(inode), nodes: saved })}\n`;
  }

  #saved({ atMs, minSeq, maxSeq, bornMs, generations }: CohortHistory): z.input<typeof historySchema> {
    const sinceBoot = (ms: number): number => Math.round(ms + this.clockOffsetMs);
    const cohort = ({ pages, fromMs, toMs }: Cohort): z.input<typeof cohortSchema> => [
      pages,
      Number.isFinite(fromMs) ? sinceBoot(fromMs) : null,
      sinceBoot(toMs),
    ];
    return {
      atMs: sinceBoot(atMs),
      minSeq,
      maxSeq,
      bornMs: sinceBoot(bornMs),
      generations: generations.map((cohorts) => cohorts.map(cohort)),
    };
  }

  #known({ node, anon, file }: z.output<typeof memcgSchema>['nodes'][number]): NodeHistory {
    const onClock = (ms: number): number => ms - this.clockOffsetMs;
    const history = (saved: z.output<typeof historySchema>): CohortHistory => ({
      ...saved,
      atMs: onClock(saved.atMs),
      bornMs: onClock(saved.bornMs),
      generations: saved.generations.map((cohorts) =>
        cohorts.map(([pages, fromMs, toMs]) => ({
          pages,
          fromMs: fromMs === null ? -Infinity : onClock(fromMs),
          toMs: onClock(toMs),
        })),
      ),
    });
    return { node, anon: history(anon), file: history(file) };
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.file, 'utf8');
    } catch (failure) {
      if (systemErrno(failure) !== 'ENOENT') this.#setAside(sentenceOf(failure));
      return undefined;
    }
  }

  #setAside(problem: string): void {
    const aside = `${this.file}.set-aside-${Date.now()}`;
    this.log.warn(
      { file: this.file, aside, problem },
      'the saved ages cannot be trusted: set aside, all pages are young',
    );
    try {
      renameSync(this.file, aside);
    } catch (failure) {
      this.log.error({ failure: sentenceOf(failure) }, 'the saved ages could not be set aside');
    }
  }
}

/** Milliseconds since boot, on the clock that the kernel's generations go by: it stands still while the machine is suspended. */
export function sinceBootMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
