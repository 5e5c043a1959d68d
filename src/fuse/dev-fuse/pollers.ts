import type { Continuity } from './continuity.js';

const POLLIN = 0x001;
const POLLPRI = 0x002;
const POLLOUT = 0x004;
const POLLERR = 0x008;
const POLLRDNORM = 0x040;
const POLLWRNORM = 0x100;

/** What poll(2) answers, as for the files of sysfs and cgroupfs: they can always be read, and POLLPRI with POLLERR says that there is news. */
export const pollEvents = {
  unchanged: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM,
  changed: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI | POLLERR,
} as const;

/** The open files that somebody polls and that have not changed since: the tree's handles, with the kernel's names for them. */
export class Pollers {
  readonly #waiting = new Map<number, number>();

  constructor(
    private readonly wake: (kernelHandle: number) => void,
    private readonly continuity: Continuity,
  ) {}

  get size(): number {
    return this.#waiting.size;
  }

  waits(handle: number, kernelHandle: number): void {
    if (this.#waiting.get(handle) === kernelHandle) return;
    this.#waiting.set(handle, kernelHandle);
    this.continuity.polled([...this.#waiting.values()]);
  }

  changed(handle: number): void {
    const kernelHandle = this.#waiting.get(handle);
    if (kernelHandle === undefined) return;
    this.released(handle);
    this.wake(kernelHandle);
  }

  released(handle: number): void {
    if (this.#waiting.delete(handle)) this.continuity.polled([...this.#waiting.values()]);
  }

  /** Those who poll on an earlier process look again, and come to wait on this one. */
  wakeInherited(): void {
    for (const kernelHandle of this.continuity.inheritedPollers) this.wake(kernelHandle);
  }
}
