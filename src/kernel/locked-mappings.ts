import type { LockedRange } from './mlock.js';
import { isPageCache, mappingRange } from './smaps.js';

/** Ranges smaller than this are not worth a stop of the process. */
const LEAST_BYTES = 64 * 1024;
/** Code, mappings of devices and bare page frames, and huge pages, which are never evicted. */
const LEFT_ALONE = ['ex', 'io', 'pf', 'ht'];

/** Finds the locked memory in the text of /proc/PID/smaps, in pieces of any size. */
export class LockedMappingParser {
  #rest = '';
  #range: LockedRange | undefined;
  #hasAnon = false;
  readonly #locked: LockedRange[] = [];

  push(piece: string): void {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
  }

  /** Ends the text; answers the ranges, lowest first. */
  end(): LockedRange[] {
    return this.#locked.filter(({ start, end }) => end - start >= LEAST_BYTES);
  }

  #take(line: string): void {
    const range = mappingRange(line);
    if (range !== undefined) {
      this.#range = line.endsWith(' [stack]') ? undefined : { ...range, kind: isPageCache(line) ? 'file' : 'anon' };
      this.#hasAnon = false;
    } else if (line.startsWith('Anonymous:')) this.#hasAnon = !/ 0 kB$/.test(line);
    else if (line.startsWith('VmFlags:')) this.#end(line.slice('VmFlags:'.length).trim().split(' '));
  }

  #end(flags: readonly string[]): void {
    if (this.#range === undefined || !flags.includes('lo') || LEFT_ALONE.some((flag) => flags.includes(flag))) return;
    const kind = this.#hasAnon ? 'anon' : this.#range.kind;
    const { start, end } = this.#range;
    const last = this.#locked.at(-1);
    if (last?.end === start && last.kind === kind)
      this.#locked[this.#locked.length - 1] = { start: last.start, end, kind };
    else this.#locked.push({ start, end, kind });
  }
}
