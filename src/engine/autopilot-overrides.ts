import type { MemcgSettings } from './autopilot-settings.js';
import { parentOf } from '../kernel/lineage.js';

/** Settings of their own for a memcg, and for those below it unless `noSubdir`. */
export interface MemcgOverride {
  readonly path: string;
  /** Memory nodes it is for; none: all nodes that no other override of the same path names. */
  readonly nodes: readonly number[];
  readonly noSubdir: boolean;
  /** What is not named here is as for all memcgs. */
  readonly settings: Partial<MemcgSettings>;
}

/** Which settings a memcg has on a node: those of the most specific override, else of all memcgs. */
export class MemcgOverrides {
  #byPath = new Map<string, MemcgOverride[]>();

  get isEmpty(): boolean {
    return this.#byPath.size === 0;
  }

  /** In the order of their paths. */
  list(): readonly MemcgOverride[] {
    return [...this.#byPath.keys()].sort().flatMap((path) => this.#byPath.get(path) ?? []);
  }

  replace(overrides: readonly MemcgOverride[]): void {
    this.#byPath = new Map();
    for (const override of overrides) {
      const those = this.#byPath.get(override.path) ?? [];
      those.push(override);
      // Named nodes before "all that are left".
      those.sort((one, other) => Math.sign(other.nodes.length) - Math.sign(one.nodes.length));
      this.#byPath.set(override.path, those);
    }
  }

  /** The settings of a memcg on a node, over those of all memcgs. */
  settingsOf(path: string, node: number, common: MemcgSettings): MemcgSettings {
    if (this.isEmpty) return common;
    for (let layer = path; ; layer = parentOf(layer)) {
      const found = this.#byPath
        .get(layer)
        ?.find(({ nodes, noSubdir }) => (layer === path || !noSubdir) && (nodes.length === 0 || nodes.includes(node)));
      if (found) return { ...common, ...found.settings };
      if (layer === '/') return common;
    }
  }
}

/** Why overrides cannot stand side by side, as a sentence; undefined when they can: each node of a path is named once. */
export function conflictOf(overrides: readonly MemcgOverride[]): string | undefined {
  const taken = new Set<string>();
  for (const { path, nodes } of overrides)
    for (const node of nodes.length === 0 ? ['all other nodes'] : nodes) {
      const key = `${path} ${node}`;
      if (taken.has(key))
        return `there are two settings for memcg ${path} on ${typeof node === 'number' ? `node ${node}` : node}`;
      taken.add(key);
    }
  return undefined;
}
