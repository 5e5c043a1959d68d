import { readSync, writeSync } from 'node:fs';
import * as z from 'zod';
import { sentenceOf } from '../errors.js';
import type { Continuity, WriteOutcome } from '../fuse/dev-fuse/continuity.js';

/** The start of the file: where the newest text is (0 or 1) and its length, then the request in hand: three numbers of 8 bytes. */
const HEADER = { bytes: 16, place: 0, length: 8 } as const;
const TAKEN_AT = 16;

/** Where texts are written, in turns. Far apart; the file has holes. */
const PLACES = [4096, 2 ** 30] as const;

/** Milliseconds after which a change of who polls is written. */
const POLLERS_DELAY_MS = 10;

const outcomeSchema = z.union([
  z.enum(['begun', 'waiting']),
  z.strictObject({ count: z.int() }),
  z.strictObject({ errno: z.int() }),
]);

/** The first line of a text; the state follows. */
const headSchema = z.strictObject({
  writes: z.array(z.tuple([z.number(), outcomeSchema])),
  pollers: z.array(z.number()),
  /** What the last daemon that served was started with; see last-launch.ts. */
  launch: z.unknown().optional(),
});

/**
 * What a daemon leaves to the next one when it is killed: the state, and how far it got with the writes that it had not answered. In a file that the
 * supervisor holds, written before each answer to a write. A text is either the newest or as if it had never been written.
 */
export class Checkpoint implements Continuity {
  /** The state that the daemon before left; undefined when there was none. */
  readonly inheritedState: string | undefined;
  readonly inheritedWrites: Map<number, WriteOutcome>;
  readonly inheritedPollers: readonly number[];
  readonly inheritedTaken: number | undefined;
  /** Of the last daemon that served; undefined when there was none. */
  readonly inheritedLaunch: unknown;
  /** Why nothing is inherited: the text is not what this class writes, as after an upgrade that has another form of it. Better without than not to serve. */
  readonly unreadable: string | undefined;
  readonly #writes = new Map<number, WriteOutcome>();
  readonly #taken = Buffer.alloc(8);
  /** At first those that the daemon before left: until they are woken, they would wait for ever if this one were killed. */
  #pollers: readonly number[];
  #pollersTimer: NodeJS.Timeout | undefined;
  #state: () => string = () => this.inheritedState ?? '';
  #launch: unknown;
  #place = 0;

  constructor(
    private readonly descriptor: number,
    readonly incarnation: number,
  ) {
    let last: Last | undefined;
    try {
      last = incarnation > 0 ? readLast(descriptor) : undefined;
    } catch (failure) {
      this.unreadable = sentenceOf(failure);
    }
    this.inheritedState = last?.state || undefined;
    this.inheritedWrites = new Map(last?.writes);
    this.#pollers = this.inheritedPollers = last?.pollers ?? [];
    this.#launch = this.inheritedLaunch = last?.launch;
    this.inheritedTaken = last?.taken;
    this.#place = last?.place ?? 0;
  }

  /** From now on the state is what this returns. */
  keep(state: () => string): void {
    this.#state = state;
    this.save();
  }

  /** This daemon serves, with that: the next one can as well. */
  keepLaunch(note: object): void {
    this.#launch = note;
    this.save();
  }

  begun(unique: number): void {
    this.#writes.set(unique, 'begun');
    this.save();
  }

  ended(unique: number, outcome: WriteOutcome): void {
    this.#writes.set(unique, outcome);
    this.save();
  }

  /** Not worth a save: an answer to a request that was answered is refused by the kernel. */
  answered(unique: number): void {
    this.#writes.delete(unique);
    this.inheritedWrites.delete(unique);
  }

  polled(kernelHandles: readonly number[]): void {
    this.#pollers = kernelHandles;
    if (this.#pollersTimer !== undefined) return;
    this.#pollersTimer = setTimeout(() => {
      this.#pollersTimer = undefined;
      this.save();
    }, POLLERS_DELAY_MS);
    this.#pollersTimer.unref();
  }

  taken(unique: number): void {
    this.#taken.writeDoubleLE(unique);
    writeSync(this.descriptor, this.#taken, 0, 8, TAKEN_AT);
  }

  waiting(unique: number): void {
    this.#writes.set(unique, 'waiting');
    this.save();
  }

  /** Writes all of it. What the daemon before had not finished stays in it until this one has. */
  save(): void {
    const head: z.input<typeof headSchema> = {
      writes: [...this.inheritedWrites, ...this.#writes],
      pollers: [...this.#pollers],
      launch: this.#launch,
    };
    const text = Buffer.from(`${JSON.stringify(head)}\n${this.#state()}`);
    this.#place = 1 - this.#place;
    const start = PLACES[this.#place] ?? PLACES[0];
    for (let written = 0; written < text.length;)
      written += writeSync(this.descriptor, text, written, text.length - written, start + written);
    const header = Buffer.alloc(HEADER.bytes);
    header.writeDoubleLE(this.#place, HEADER.place);
    header.writeDoubleLE(text.length, HEADER.length);
    writeSync(this.descriptor, header, 0, HEADER.bytes, 0);
  }
}

type Last = z.output<typeof headSchema> & { readonly state: string; readonly place: number; readonly taken: number };

/** Undefined when nothing was written yet. Throws when the file is not what this class writes. */
function readLast(descriptor: number): Last | undefined {
  const header = Buffer.alloc(TAKEN_AT + 8);
  readSync(descriptor, header, 0, header.length, 0);
  const length = header.readDoubleLE(HEADER.length);
  if (length === 0) return undefined;
  const place = header.readDoubleLE(HEADER.place);
  const bytes = Buffer.alloc(length);
  readSync(descriptor, bytes, 0, length, PLACES[place] ?? PLACES[0]);
  const text = bytes.toString();
  const endOfHead = text.indexOf('\n');
  const head = headSchema.parse(JSON.parse(text.slice(0, endOfHead)));
  return { ...head, state: text.slice(endOfHead + 1), place, taken: header.readDoubleLE(TAKEN_AT) };
}
