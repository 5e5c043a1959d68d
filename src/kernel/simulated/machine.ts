import type { Kernel, Memcg } from '../kernel.js';
import { arrivalSeq } from './arrival.js';
import { PAGE_BYTES, mib } from './bytes.js';
import { type Fragmentation, SimulatedCompaction } from './compaction.js';
import { Faults, type Faulty } from './faults.js';
import { SimulatedLruGen, type LruGenHooks } from './lru-gen.js';
import type { SimulatedMemcg } from './memcg.js';
import { SimulatedMemcgs } from './memcgs.js';
import { SimulatedMemoryReclaim } from './memory-reclaim.js';
import { SimulatedMemory, SimulatedSwap } from './memory.js';
import { noDamon, noIdlePages, noPageOut } from './no-such-interface.js';
import { SimulatedMlock } from './mlock.js';
import { SimulatedPageFrames } from './page-frames.js';
import { PageSet, type PageSetNature } from './page-set.js';
import { SimulatedPressure } from './psi.js';
import { SimulatedProcesses } from './processes.js';
import { SimulatedSettings } from './settings.js';
import { SimulatedSlab } from './slab.js';
import { SimulatedZswap } from './zswap.js';
import { capabilitiesOf, worldOf, type MachineOptions } from './machine-options.js';
import { pagesOf, type AnonOptions, type FileOptions, type Size, type Use } from './set-options.js';
import type { World } from './world.js';

/** A machine without anything on it but coldpgs itself. */
export function simulatedMachine(options: MachineOptions): SimulatedMachine {
  return new SimulatedMachine(options);
}

/** A simulated machine: `kernel` is what the engine sees, the methods are what happens to the machine. */
export class SimulatedMachine {
  readonly kernel: Kernel;
  readonly hooks: LruGenHooks = {};
  readonly settings: SimulatedSettings;
  readonly mlock: SimulatedMlock;
  readonly #world: World;
  readonly #faults = new Faults();
  readonly #compaction: SimulatedCompaction;
  #nextPid = 1000;
  #nextAddress = 0x5500_0000_0000;

  constructor(options: MachineOptions) {
    const { cgroupVersion = 2, own = '/system.slice/coldpgs.service' } = options;
    const world = worldOf(options);
    const capabilities = capabilitiesOf(options, world);
    this.#world = world;
    this.mlock = new SimulatedMlock(world);
    this.settings = new SimulatedSettings(world, this.#faults, cgroupVersion, capabilities.cgroupRoot);
    this.#compaction = new SimulatedCompaction(options.clock, this.#faults);
    const vmSwappiness = (): number => Number(this.settings.text('/proc/sys/vm/swappiness'));
    this.kernel = {
      kind: 'simulated',
      pageBytes: PAGE_BYTES,
      capabilities: () => Promise.resolve(capabilities),
      memcgs: new SimulatedMemcgs(world, own, cgroupVersion),
      lruGen: new SimulatedLruGen(world, this.#faults, this.hooks, options.evictionMsPerMib ?? 0),
      memory: new SimulatedMemory(world, this.#faults, cgroupVersion, vmSwappiness),
      memoryReclaim: new SimulatedMemoryReclaim(world, this.#faults, cgroupVersion),
      swap: new SimulatedSwap(world, this.#faults),
      zswap: new SimulatedZswap(world),
      slab: new SimulatedSlab(world, this.#faults, options.shrinkerDebug ?? false),
      processes: new SimulatedProcesses(world, this.#faults, options.populateMsPerMib ?? 0),
      mlock: this.mlock,
      settings: this.settings,
      pressure: new SimulatedPressure(world, this.#faults, options.pressureScope ?? 'memcg'),
      compaction: this.#compaction,
      pageFrames: new SimulatedPageFrames(world),
      idlePages: noIdlePages,
      pageOut: noPageOut,
      damon: noDamon,
    };
    this.memcg(own);
  }

  /** Makes a memcg, and the parents it lacks. A path has one character a byte, as everywhere in kernel/. */
  memcg(path: string): Memcg {
    const { inode } = this.#world.tree.make(path, this.#world.settle());
    return { path, inode };
  }

  /** Ends the tasks of a memcg and of those below it, and removes them all. Page cache stays behind. */
  rmdir(path: string): void {
    const nowMs = this.#world.settle();
    const subtree = [...this.#world.tree.live(path).subtree()].filter(({ online }) => online);
    for (const memcg of subtree.reverse()) {
      for (const pid of [...memcg.tasks]) this.exit(pid);
      for (const set of memcg.sets) set.touchEvery(undefined, nowMs);
      this.#world.tree.remove(memcg);
    }
  }

  /** Starts a process in a memcg, which is made if it is not there. Answers its id. */
  task(path: string, pid = this.#nextPid++): number {
    this.#made(path).tasks.add(pid);
    return pid;
  }

  /** Moves a process. As on cgroup v2, what it has stays charged where it was. */
  moveTask(pid: number, path: string): void {
    for (const { tasks } of this.#world.tree.root.subtree()) tasks.delete(pid);
    this.#made(path).tasks.add(pid);
  }

  /** Ends a process: its anonymous memory and the slots it had in swap are free. */
  exit(pid: number): void {
    this.#world.settle();
    for (const memcg of this.#world.tree.root.subtree()) {
      memcg.tasks.delete(pid);
      for (const set of memcg.sets) if (set.nature.mapping?.pid === pid && !set.nature.shmem) set.free();
    }
  }

  /** Anonymous memory of the process `pid`, or of the first task of the memcg, which is started if there is none. */
  anon(path: string, options: AnonOptions): PageSet {
    const pid = options.pid ?? [...this.#made(path).tasks][0] ?? this.task(path);
    const pages = pagesOf(options);
    const mapping = { pid, address: this.#nextAddress };
    this.#nextAddress += (pages + 1) * PAGE_BYTES;
    return this.#add(path, options, {
      type: 'anon',
      access: 'mapped',
      dirty: false,
      shmem: options.shmem ?? false,
      mapping,
    });
  }

  /** Page cache, used through read(2) unless `access` says otherwise. */
  file(path: string, options: FileOptions): PageSet {
    const { access = 'read', dirty = false } = options;
    return this.#add(path, options, { type: 'file', access, dirty, shmem: false });
  }

  /** swapoff of all devices: what is there comes back. */
  swapoff(): void {
    this.#world.settle();
    this.#world.swapoff();
  }

  /** Reclaimable slab of the memcg itself: so many MiB from now on. */
  slab(path: string, { mib: size }: { readonly mib: number }): void {
    this.#made(path).slabReclaimableBytes = mib(size);
  }

  /** memory.swappiness of cgroup v1. */
  swappiness(path: string, value: number): void {
    this.#made(path).swappiness = value;
  }

  /** Uses a set now, once. An aging or eviction at this very moment counts as before it. */
  touch(set: PageSet): void {
    set.touch(this.#world.settle());
    set.memcg.cpuUsageUs += 1000;
    this.#world.bringBack(set);
  }

  /** From now on the memcg's own tasks wait for memory and I/O so many percent of the time. */
  pressure(path: string, { memory = 0, io = 0 }: { readonly memory?: number; readonly io?: number }): void {
    const nowMs = this.#world.clock.nowMs();
    const memcg = this.#made(path);
    memcg.memoryStall.rate(memory, nowMs);
    memcg.ioStall.rate(io, nowMs);
  }

  /** Free blocks, and how compactions go. */
  get fragmentation(): Fragmentation {
    return this.#compaction.fragmentation;
  }

  /** Compactions started so far. */
  get compactions(): number {
    return this.#compaction.started.length;
  }

  /** Their nodes; undefined for all. */
  get compactedNodes(): readonly (number | undefined)[] {
    return this.#compaction.started;
  }

  /** Lets the tasks of a memcg run for a moment without using any of its pages. */
  run(path: string): void {
    this.#world.settle();
    this.#made(path).cpuUsageUs += 1000;
  }

  /** Changes how often a set is used from now on; `undefined`: no more. */
  touchEvery(set: PageSet, everyMs: number | undefined): void {
    set.touchEvery(everyMs, this.#world.settle());
  }

  /** Takes a set away: memory unmapped, a file deleted. */
  drop(set: PageSet): void {
    this.#world.settle();
    set.free();
  }

  /** Pages of a set that are in memory, in swap and only in their file, at this moment. */
  where(set: PageSet): { readonly memory: number; readonly swap: number; readonly storage: number } {
    this.#world.settle();
    return { memory: set.residentPages, swap: set.swappedPages, storage: set.droppedPages };
  }

  /** Processes that the kernel would have killed because coldpgs brought back more than a limit allows. Must stay empty. */
  get oomKills(): readonly { readonly pid: number; readonly path: string }[] {
    return this.#world.oomKills;
  }

  /** The next `times` calls of a Kernel method throw `error` (age answers it as a refusal). */
  failNext(what: Faulty, error: Error, times = 1): void {
    this.#faults.failNext(what, error, times);
  }

  #made(path: string): SimulatedMemcg {
    return this.#world.tree.make(path, this.#world.clock.nowMs());
  }

  #add(path: string, use: Size & Use, kind: Pick<PageSetNature, 'type' | 'access' | 'dirty' | 'shmem' | 'mapping'>) {
    const nowMs = this.#world.settle();
    const memcg = this.#made(path);
    const { node = 0, mlocked = false, missedByWalk = 0, generationsDown } = use;
    const nature = { ...kind, node, missedByWalk, pages: pagesOf(use) };
    const generations = memcg.on(node);
    const seq =
      generationsDown === undefined
        ? arrivalSeq(this.#world, nature, generations)
        : generations.below(generationsDown, kind.type);
    const set = new PageSet(nature, memcg, seq, nowMs, use.touchedEveryMs, mlocked);
    memcg.sets.add(set);
    memcg.cpuUsageUs += 1000;
    return set;
  }
}
