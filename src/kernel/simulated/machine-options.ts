import type { Capabilities } from '../capabilities.js';
import type { Clock } from '../clock.js';
import { PAGE_BYTES } from './bytes.js';
import { World } from './world.js';

export interface MachineOptions {
  readonly clock: Clock;
  /** Decides how lru_gen behaves. '6.12.0' when absent. */
  readonly release?: string;
  /** Memory nodes; 1 when absent. */
  readonly nodes?: number;
  /** One swap device for each size, the first with the highest priority. None when absent. */
  readonly swapBytes?: number | readonly number[];
  readonly zswap?: boolean;
  /** Whether the slab of single memcgs can be freed; false when absent. */
  readonly shrinkerDebug?: boolean;
  /** See Arrival; false when absent. */
  readonly newCacheIsOld?: boolean;
  readonly cgroupVersion?: 1 | 2;
  /** `machine`: pressure is not known by memcg. */
  readonly pressureScope?: 'memcg' | 'machine';
  /** The memcg of coldpgs itself; it exists from the start. */
  readonly own?: string;
  /** What differs from what the options above say. */
  readonly capabilities?: Partial<Capabilities>;
  /** Time that an eviction (a populate) takes on the clock; 0 when absent. */
  readonly evictionMsPerMib?: number;
  readonly populateMsPerMib?: number;
}

/** A machine as it is after boot: the root memcg alone. */
export function worldOf({ clock, release = '6.12.0', nodes = 1, swapBytes = [], ...options }: MachineOptions): World {
  const sizes = typeof swapBytes === 'number' ? [swapBytes] : swapBytes;
  const devices = sizes.map((bytes, index) => ({
    name: `/dev/vd${String.fromCharCode('b'.charCodeAt(0) + index)}`,
    sizePages: Math.floor(bytes / PAGE_BYTES),
    priority: -2 - index,
    usedPages: 0,
  }));
  const world = new World(clock, release, nodes, devices, options.newCacheIsOld ?? false);
  world.zswapEnabled = options.zswap ?? false;
  return world;
}

/** What such a machine can do. */
export function capabilitiesOf(options: MachineOptions, world: World): Capabilities {
  const {
    release = '6.12.0',
    nodes = 1,
    shrinkerDebug = false,
    zswap = false,
    cgroupVersion = 2,
    capabilities,
  } = options;
  return {
    kernelRelease: release,
    cgroupVersion,
    cgroupRoot: cgroupVersion === 2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory',
    lruGen: 'on',
    anonOnlyEviction: world.behaviour.anonOnlyEviction,
    memoryReclaim: cgroupVersion === 2,
    slabByMemcg: shrinkerDebug,
    swapBytes: world.devices.reduce((sum, { sizePages }) => sum + sizePages * PAGE_BYTES, 0),
    zswap: zswap ? 'on' : 'off',
    psi: true,
    nodes: Array.from({ length: nodes }, (_, node) => node),
    ...capabilities,
  };
}
