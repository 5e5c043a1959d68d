import { GenerationNumbers } from './generations.js';
import { SimulatedMemcg } from './memcg.js';
import type { ReleaseBehaviour } from './release.js';
import { memcgGone } from './refusals.js';

const OFFLINE_ID = '0';

/** The hierarchy of memcgs, and who is called what: paths, inodes (never given again) and ids. */
export class MemcgTree {
  readonly root: SimulatedMemcg;
  #nextInode = 1n;

  constructor(
    private readonly behaviour: ReleaseBehaviour,
    private readonly nodes: number,
    nowMs: number,
  ) {
    this.root = this.#make('/', undefined, nowMs);
  }

  /** The live memcg at a path. */
  at(path: string): SimulatedMemcg | undefined {
    return namesOf(path).reduce<SimulatedMemcg | undefined>((memcg, name) => memcg?.child(name), this.root);
  }

  /** The live memcg at a path. Throws MEMCG_GONE. */
  live(path: string): SimulatedMemcg {
    const memcg = this.at(path);
    if (!memcg) throw memcgGone(path);
    return memcg;
  }

  /** The live memcg that a command of lru_gen addresses: by id alone, whatever it was called when the id was read. */
  byId(id: string): SimulatedMemcg | undefined {
    return this.root.subtree().find((memcg) => memcg.online && memcg.id === id);
  }

  /** Makes the memcg and the parents it lacks; answers the one that is there already. */
  make(path: string, nowMs: number): SimulatedMemcg {
    let memcg = this.root;
    for (const name of namesOf(path))
      memcg = memcg.child(name) ?? this.#make(`${memcg.path === '/' ? '' : memcg.path}/${name}`, memcg, nowMs);
    return memcg;
  }

  /** Removes a memcg without children and tasks; its pages stay charged to it, or go to its parent, by kernel. */
  remove(memcg: SimulatedMemcg): void {
    memcg.online = false;
    memcg.id = OFFLINE_ID;
    if (!this.behaviour.removedPagesGoToParent || !memcg.parent) return;
    for (const set of memcg.sets) {
      const { node, type } = set.nature;
      const { maxSeq } = memcg.on(node);
      for (const { first, pages, place } of set.runs)
        if (place.kind === 'memory')
          set.move(first, pages, { ...place, seq: memcg.parent.on(node).below(maxSeq - place.seq, type) });
      set.memcg = memcg.parent;
      memcg.parent.sets.add(set);
    }
    memcg.sets.clear();
  }

  #make(path: string, parent: SimulatedMemcg | undefined, nowMs: number): SimulatedMemcg {
    const inode = this.#nextInode++;
    const id = this.behaviour.idIsInode ? inode.toString() : this.#lowestFreeId(parent);
    const generations = Array.from({ length: this.nodes }, () => new GenerationNumbers(nowMs));
    return new SimulatedMemcg(path, inode, id, parent, generations);
  }

  #lowestFreeId(parent: SimulatedMemcg | undefined): string {
    const taken = new Set(parent ? this.root.subtree().map(({ id }) => id) : []);
    let id = 1;
    while (taken.has(id.toString())) id++;
    return id.toString();
  }
}

function namesOf(path: string): string[] {
  if (!path.startsWith('/')) throw new RangeError(`Not the path of a memcg: ${path}`);
  return path.split('/').filter((name) => name !== '');
}
