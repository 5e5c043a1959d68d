import type { Capabilities, Engine } from '../engine/engine.js';

/** One read-only file of coldpgs/, the daemon about itself. Its text is for people: Unicode, not bytes. */
export interface SelfFile {
  readonly name: string;
  readonly render: (self: SelfSurroundings) => string;
}

export interface SelfSurroundings {
  readonly engine: Engine;
  /** The version of the package, as package.json has it. */
  readonly packageVersion: string;
  /** The settings in force, by the name of their command line option. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Figures of the transport, by name. */
  readonly gauges: () => Readonly<Record<string, number>>;
}

/** The files of coldpgs/: one `name: value` a line, so that shell scripts can cut them. */
export const selfFiles: readonly SelfFile[] = [
  { name: 'version', render: ({ packageVersion }) => `${packageVersion}\n` },
  {
    name: 'capabilities',
    render: ({ engine }) => capabilitiesText(engine.capabilities) + watchingText(engine),
  },
  {
    name: 'errors',
    render: ({ engine }) =>
      engine.problems
        .latest()
        .map(({ at, about, sentence }) => `${at.toISOString()} ${oneLine(`${about}: ${sentence}`)}\n`)
        .join(''),
  },
  {
    name: 'settings',
    render: ({ settings, engine }) => lines({ ...settings, 'scan-period': engine.settings.scanPeriodMs / 1000 }),
  },
  { name: 'gauges', render: ({ gauges }) => lines(gauges()) },
];

/** What a machine can do, a `name: value` a line. */
export function capabilitiesText(capabilities: Capabilities): string {
  return lines({
    kernel: capabilities.kernelRelease,
    cgroup: `v${capabilities.cgroupVersion} at ${capabilities.cgroupRoot}`,
    lru_gen: capabilities.lruGen,
    anon_only_eviction: capabilities.anonOnlyEviction,
    memory_reclaim: capabilities.memoryReclaim,
    slab_by_memcg: capabilities.slabByMemcg,
    swap_bytes: capabilities.swapBytes,
    zswap: capabilities.zswap,
    psi: capabilities.psi,
    nodes: capabilities.nodes.join(','),
  });
}

/** Where page ages come from, and what watching them costs; `scan_stretch` is above 1 where that is more than it may. */
function watchingText(engine: Engine): string {
  const { tracker, readWitness, stretch, usedPercent } = engine.watching();
  return lines({
    tracker,
    read_witness: readWitness ?? 'none: page cache used through read(2) only may look idle',
    scan_stretch: stretch.toFixed(2),
    processes_left_mlocked: engine.mlocked.processesLeftAlone,
    scan_cpu_percent_used: usedPercent === undefined ? 'not known yet' : usedPercent.toFixed(2),
  });
}

function lines(values: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/** Names of memcgs may have line breaks in them; an error is one line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
