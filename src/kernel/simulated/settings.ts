import type { SettingInterface } from '../kernel.js';
import { PAGE_BYTES } from './bytes.js';
import type { Faults } from './faults.js';
import type { MemcgLimits } from './memcg.js';
import { refused } from './refusals.js';
import type { World } from './world.js';

/** Files of the machine and of its memcgs, by absolute path. The limits of memcgs and zswap's switch have effect; the rest is only kept. */
export class SimulatedSettings implements SettingInterface {
  readonly #machine = new Map([
    ['/sys/kernel/mm/lru_gen/enabled', '0x0007'],
    ['/sys/kernel/mm/lru_gen/min_ttl_ms', '0'],
    ['/proc/sys/vm/swappiness', '60'],
    ['/proc/sys/vm/compaction_proactiveness', '20'],
  ]);

  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly cgroupVersion: 1 | 2,
    private readonly cgroupRoot: string,
  ) {}

  memcgFile(path: string, name: string): string | undefined {
    const memcg = this.world.tree.at(path);
    if (this.cgroupVersion === 1 || !memcg?.parent) return undefined;
    const file = `${this.cgroupRoot}${memcg.path}/${name}`;
    return this.text(file) === undefined ? undefined : file;
  }

  read(file: string): string | undefined {
    this.faults.meet('readSetting');
    return this.text(file);
  }

  /** What read() answers, without the failures that were ordered. */
  text(file: string): string | undefined {
    if (file === ZSWAP_SWITCH) return this.world.zswapEnabled ? 'Y' : 'N';
    const limit = this.#limit(file);
    if (!limit) return this.#machine.get(file);
    const bytes = limit.limits[limit.name];
    return bytes === Infinity ? 'max' : bytes.toString();
  }

  write(file: string, value: string): void {
    this.faults.meet('writeSetting');
    const limit = this.#limit(file);
    if (limit) limit.limits[limit.name] = parseLimit(file, value);
    else if (file === ZSWAP_SWITCH) this.world.zswapEnabled = /^[Yy1]/.test(value);
    else if (this.#machine.has(file)) this.#machine.set(file, value.trim());
    else throw refused('ENOENT', `There is no ${file}.`);
  }

  /** Makes a file of the machine, or takes it away (`undefined`). */
  define(file: string, value: string | undefined): void {
    if (value === undefined) this.#machine.delete(file);
    else this.#machine.set(file, value);
  }

  #limit(file: string): { limits: MemcgLimits; name: keyof MemcgLimits } | undefined {
    if (!file.startsWith(`${this.cgroupRoot}/`)) return undefined;
    const slash = file.lastIndexOf('/');
    const name = file.slice(slash + 1);
    const memcg = this.world.tree.at(file.slice(this.cgroupRoot.length, slash) || '/');
    return isLimit(name) && this.cgroupVersion === 2 && memcg?.parent ? { limits: memcg.limits, name } : undefined;
  }
}

const ZSWAP_SWITCH = '/sys/module/zswap/parameters/enabled';

const LIMITS: Record<keyof MemcgLimits, true> = {
  'memory.max': true,
  'memory.high': true,
  'memory.low': true,
  'memory.min': true,
  'memory.swap.max': true,
  'memory.swap.high': true,
  'memory.zswap.max': true,
};

function isLimit(name: string): name is keyof MemcgLimits {
  return Object.hasOwn(LIMITS, name);
}

/** Bytes, whole pages, or "max"; as the kernel takes them. */
function parseLimit(file: string, value: string): number {
  const text = value.trim();
  if (text === 'max') return Infinity;
  if (!/^\d+$/.test(text)) throw refused('EINVAL', `${file} takes bytes or "max".`);
  return Math.floor(Number(text) / PAGE_BYTES) * PAGE_BYTES;
}
