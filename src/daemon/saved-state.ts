import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { sentenceOf, systemErrno } from '../errors.js';
import { maxAgePeriods } from '../engine/coldness.js';
import type { Engine } from '../engine/engine.js';
import { mostBuckets } from '../engine/histogram.js';
import type { MemcgBuckets } from '../engine/idle-stats.js';
import { ledgerRows } from '../engine/ledger.js';
import type { Log } from '../log.js';
import type { WholeAutopilotStart } from './autopilot-start.js';
import type { LaunchChange } from './launch.js';
import { SavedAutopilot, savedAutopilotSchema } from './saved-autopilot.js';
import { restoreScanPeriod, savedScanPeriod, savedScanPeriodSchema } from './saved-scan-period.js';

const count = z.int().min(0);
const unsigned32 = count.max(0xffff_ffff);
const unsigned64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((text) => BigInt(text))
  .refine((number) => number < 2n ** 64n);

/** The form of the state file. Identities of memcgs (inodes) hold within one boot, so it names the boot. */
const stateSchema = z.strictObject({
  version: z.literal(1),
  boot: z.string(),
  global: z.strictObject({
    flags: unsigned32,
    batch: unsigned32.min(1),
    hierarchy: z.literal([0, 1]),
    mode: unsigned32,
    agePeriods: count.max(255),
    nonrotAgePeriods: count.max(255),
  }),
  kidled: z.strictObject({ useHierarchy: z.literal([0, 1]), scanTarget: count.min(1).max(3) }).optional(),
  scanPeriod: savedScanPeriodSchema.optional(),
  autopilot: savedAutopilotSchema.optional(),
  memcgs: z.array(
    z.strictObject({
      /** One character a byte, as in the engine: names need not be UTF-8. */
      path: z.string(),
      inode: unsigned64,
      /** Of memory.idle_page_stats, where they are not those of its parent. */
      buckets: z.array(count.min(1).max(maxAgePeriods)).max(mostBuckets).refine(isIncreasing).optional(),
      bytes: z.partialRecord(z.enum(ledgerRows), count).optional(),
      controls: z
        .strictObject({
          flags: unsigned64,
          agePeriods: count.max(255),
          size: unsigned64,
          lastAgePeriods: count.max(255),
        })
        .optional(),
    }),
  ),
});

function isIncreasing(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
}

type State = z.input<typeof stateSchema>;
type ParsedState = z.output<typeof stateSchema>;

/** How old the saved state may get while something changes, in milliseconds. */
const saveEveryMs = 1000;

/** Counters and controls in a file, so that they survive the daemon: written atomically when something has changed, at most 1 s old. */
export class SavedState {
  #saved = '';
  #timer: NodeJS.Timeout | undefined;
  readonly autopilot: SavedAutopilot;
  /** The scan period that the daemon was launched with. */
  #launchedPeriodMs: number;

  constructor(
    /** Undefined: it is kept by `onChanged` alone. */
    private readonly file: string | undefined,
    private readonly engine: Engine,
    private readonly boot: string,
    private readonly log: Log,
    /** Called about once a second while something changes. */
    private readonly onChanged?: () => void,
  ) {
    this.autopilot = new SavedAutopilot(engine, log);
    this.#launchedPeriodMs = engine.settings.scanPeriodMs;
  }

  /**
   * Takes over what the file says of memcgs that still live, or what a daemon left that was killed (`newer`: it may be younger than the file). A file
   * that cannot be trusted is set aside, with a warning; it is never fatal.
   */
  load(newer?: string): void {
    const state = this.#takeOver(newer);
    restoreScanPeriod(this.engine, this.#launchedPeriodMs, state?.scanPeriod, this.log);
    this.autopilot.restore(state?.autopilot);
  }

  /** The launch says something else from now on, as the next daemon's will. */
  relaunched(launched: WholeAutopilotStart, { scanPeriod, autopilot }: LaunchChange): void {
    if (scanPeriod !== undefined) this.#launchedPeriodMs = scanPeriod * 1000;
    this.autopilot.relaunched(launched, autopilot);
  }

  #takeOver(newer: string | undefined): ParsedState | undefined {
    const text = newer ?? this.#read();
    if (text === undefined) return undefined;
    const parsed = parseState(text);
    if ('problem' in parsed) {
      this.#setAside(parsed.problem);
      return undefined;
    }
    const { state } = parsed;
    if (state.boot !== this.boot) {
      this.log.info({ file: this.file }, 'the saved state is of another boot: all counters start at zero');
      return state;
    }
    Object.assign(this.engine.global, state.global);
    if (state.kidled) Object.assign(this.engine.kidled, state.kidled);
    const custom: MemcgBuckets[] = [];
    for (const { path, inode, bytes, controls, buckets } of state.memcgs) {
      const memcg = { path, inode };
      if (!this.engine.isLive(memcg)) continue;
      if (bytes) this.engine.ledger.add(memcg, bytes);
      if (controls) this.engine.controls.set(memcg, controls);
      if (buckets) custom.push({ memcg, buckets });
    }
    this.engine.kidled.restoreBuckets(custom);
    return state;
  }

  start(): void {
    this.#timer = setInterval(() => this.save(), saveEveryMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.save();
  }

  /** The state at this moment, in the form of the file. */
  text(): string {
    return `${JSON.stringify(this.#state())}\n`;
  }

  /** Writes the state if it changed. A failure is logged: the next try may succeed, and counters in memory are right. */
  save(): void {
    const text = this.text();
    if (text === this.#saved) return;
    this.onChanged?.();
    try {
      if (this.file !== undefined) {
        writeFileSync(`${this.file}.new`, text, { mode: 0o600 });
        renameSync(`${this.file}.new`, this.file);
      }
      this.#saved = text;
    } catch (failure) {
      this.log.error({ failure: sentenceOf(failure) }, 'the state could not be saved');
    }
  }

  #state(): State {
    const memcgs = new Map<bigint, State['memcgs'][number]>();
    for (const { memcg, bytes } of this.engine.ledger.accounts())
      memcgs.set(memcg.inode, { path: memcg.path, inode: String(memcg.inode), bytes });
    for (const { memcg, controls } of this.engine.controls.entries()) {
      const { flags, size, agePeriods, lastAgePeriods } = controls;
      const known = memcgs.get(memcg.inode) ?? { path: memcg.path, inode: String(memcg.inode) };
      known.controls = { flags: String(flags), size: String(size), agePeriods, lastAgePeriods };
      memcgs.set(memcg.inode, known);
    }
    const { kidled, global } = this.engine;
    for (const { memcg, buckets } of kidled.customBuckets()) {
      const known = memcgs.get(memcg.inode) ?? { path: memcg.path, inode: String(memcg.inode) };
      memcgs.set(memcg.inode, { ...known, buckets: [...buckets] });
    }
    const { useHierarchy, scanTarget } = kidled;
    return {
      version: 1,
      boot: this.boot,
      global,
      kidled: { useHierarchy, scanTarget },
      memcgs: [...memcgs.values()],
      scanPeriod: savedScanPeriod(this.engine, this.#launchedPeriodMs),
      autopilot: this.autopilot.saved(),
    };
  }

  #read(): string | undefined {
    if (this.file === undefined) return undefined;
    try {
      return readFileSync(this.file, 'utf8');
    } catch (failure) {
      if (systemErrno(failure) !== 'ENOENT') this.#setAside(sentenceOf(failure));
      return undefined;
    }
  }

  #setAside(problem: string): void {
    if (this.file === undefined)
      return this.log.warn({ problem }, 'the state cannot be trusted: counters start at zero');
    const aside = `${this.file}.set-aside-${Date.now()}`;
    this.log.warn(
      { file: this.file, aside, problem },
      'the saved state cannot be trusted: set aside, counters start at zero',
    );
    try {
      renameSync(this.file, aside);
    } catch (failure) {
      this.log.error({ failure: sentenceOf(failure) }, 'the saved state could not be set aside');
    }
  }
}

function parseState(text: string): { state: z.output<typeof stateSchema> } | { problem: string } {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(text));
    return parsed.success ? { state: parsed.data } : { problem: z.prettifyError(parsed.error) };
  } catch (failure) {
    return { problem: sentenceOf(failure) };
  }
}
