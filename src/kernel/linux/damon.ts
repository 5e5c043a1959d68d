import { setImmediate as othersGoOn } from 'node:timers/promises';
import { ColdpgsError } from '../../errors.js';
import {
  attributeWrites,
  kdamondWrites,
  schemeWrites,
  type DamonFilter,
  type DamonPlan,
  type DamonStat,
  type DamonWrite,
} from '../damon.js';
import { parseSystemRam } from '../iomem.js';
import type { DamonInterface } from '../kernel.js';
import { isAtLeast, type KernelRelease } from '../kernel-release.js';
import { onceNotBusy } from './busy.js';
import { readText, readTextIfThere, readTextSync, writeText, writeTextSync } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

/** A write takes microseconds; so many of them may go by before others have their turn. */
const WRITES_AT_A_TIME = 200;

/** DAMON's sysfs files. The only kdamond that is ever written to is the first of a machine that had none, and only until somebody turns it off. */
export class LinuxDamon implements DamonInterface {
  readonly countFile: string;
  readonly stateFile: string;
  readonly pidFile: string;
  readonly #kdamond: string;

  constructor(
    private readonly paths: KernelPaths,
    private readonly release: KernelRelease,
    /** DAMON compares paths of memcgs from the top of the hierarchy, whatever part of it is mounted. */
    private readonly pathFromTop: (path: string) => string,
  ) {
    this.countFile = `${paths.damonAdmin}/kdamonds/nr_kdamonds`;
    this.#kdamond = `${paths.damonAdmin}/kdamonds/0`;
    this.stateFile = `${this.#kdamond}/state`;
    this.pidFile = `${this.#kdamond}/pid`;
  }

  async obstacle(): Promise<string | undefined> {
    const kdamonds = await onceNotBusy(() => readTextIfThere(this.countFile));
    if (kdamonds === undefined) return `this kernel has no ${this.paths.damonAdmin} (CONFIG_DAMON_SYSFS)`;
    if (!isAtLeast(this.release, 6, 14))
      return `kernel ${this.release.text} does not count what a filter lets pass (sz_ops_filter_passed, Linux 6.14 or later)`;
    if (((await readTextIfThere(this.paths.damonStatEnabled)) ?? 'N').trim() === 'Y')
      return `DAMON_STAT is on and has DAMON for itself: write N to ${this.paths.damonStatEnabled}`;
    if (Number(kdamonds) !== 0)
      return `somebody else has a kdamond in ${this.paths.damonAdmin}, which coldpgs does not touch`;
    if ((await this.#ram()).length === 0) return `${this.paths.iomem} names no RAM`;
    return undefined;
  }

  async configure(plan: DamonPlan): Promise<number> {
    const ram = await this.#ram();
    await this.#write(kdamondWrites(this.#asKernelNames(plan), ram));
    return ram.reduce((bytes, { start, end }) => bytes + end - start, 0);
  }

  async replaceSchemes(plan: DamonPlan, pid: string): Promise<void> {
    await this.#write([...attributeWrites(plan), ...schemeWrites(this.#asKernelNames(plan))], pid);
    await this.#command('commit', pid);
  }

  async stats(schemes: number, pid: string): Promise<DamonStat[]> {
    await this.#command('update_schemes_stats', pid);
    const folder = `${this.#kdamond}/contexts/0/schemes`;
    try {
      return Array.from({ length: schemes }, (_, index) => ({
        triedBytes: Number(readTextSync(`${folder}/${index}/stats/sz_tried`)),
        passedBytes: Number(readTextSync(`${folder}/${index}/stats/sz_ops_filter_passed`)),
      }));
    } catch (refusal) {
      throw kernelRefused('Cannot read what DAMON has counted.', refusal);
    }
  }

  #asKernelNames(plan: DamonPlan): DamonPlan {
    const named = (filter: DamonFilter): DamonFilter =>
      filter.type === 'memcg' ? { ...filter, path: this.pathFromTop(filter.path) } : filter;
    return { ...plan, schemes: plan.schemes.map((scheme) => ({ ...scheme, filters: scheme.filters.map(named) })) };
  }

  async #ram() {
    return parseSystemRam(await readText(this.paths.iomem));
  }

  /** The kdamond answers at its next sample. */
  #command(command: string, pid: string): Promise<void> {
    return this.#change(`DAMON refused ${command}.`, () => writeText(this.stateFile, command), pid);
  }

  async #write(writes: readonly DamonWrite[], pid?: string): Promise<void> {
    for (const [index, { file, value }] of writes.entries()) {
      if (index % WRITES_AT_A_TIME === WRITES_AT_A_TIME - 1) await othersGoOn();
      const path = `${this.#kdamond}/${file}`;
      await this.#change(`Cannot write ${value} to ${path}.`, () => writeTextSync(path, value), pid);
    }
  }

  async #change(refused: string, write: () => void | Promise<void>, pid?: string): Promise<void> {
    try {
      await onceNotBusy(() => {
        if (pid !== undefined) this.#demandOwn(pid);
        return write();
      });
    } catch (refusal) {
      throw refusal instanceof ColdpgsError ? refusal : kernelRefused(refused, refusal);
    }
  }

  #demandOwn(pid: string): void {
    if (this.#pid() === pid) return;
    throw new ColdpgsError(
      'TRACKER_UNAVAILABLE',
      'EOPNOTSUPP',
      `Somebody turned off the kdamond of coldpgs (process ${pid}). What is in ${this.paths.damonAdmin} now coldpgs does not touch.`,
    );
  }

  #pid(): string | undefined {
    try {
      return readTextSync(this.pidFile).trim();
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }
}
