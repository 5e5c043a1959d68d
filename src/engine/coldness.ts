import type { Generation } from '../kernel/lru-gen.js';

/** The largest age kidled and coldpgs know, in scan periods. */
export const maxAgePeriods = 255;

/**
 * The newest generation whose pages are proven idle for at least `idleMs`, or undefined when none is.
 * A page in generation X was last seen in use before X+1 was born, so it is idle for at least the age of X+1; the kernel
 * evicts no generation newer than the youngest but two.
 */
export function newestProvenSeq(generations: readonly Generation[], idleMs: number): bigint | undefined {
  let proven: bigint | undefined;
  for (let index = 0; index < generations.length - 2; index++) {
    const generation = generations[index];
    const successor = generations[index + 1];
    if (generation && successor && successor.ageMs >= idleMs) proven = generation.seq;
  }
  return proven;
}

/** The longest idle time that the generations prove for any page they could evict, in milliseconds; 0 when there is none. */
export function longestProvenIdleMs(generations: readonly Generation[]): number {
  return generations.length < 3 ? 0 : (generations[1]?.ageMs ?? 0);
}

/** Pages of a type in generations up to and including `seq`. */
export function pagesUpTo(generations: readonly Generation[], seq: bigint, type: 'anonPages' | 'filePages'): number {
  return generations.reduce((sum, generation) => (generation.seq <= seq ? sum + generation[type] : sum), 0);
}

/** Agings and looks may come early by this share of their interval, so that several fall together: so much less is what two agings prove. */
export const earlyAgings = 0.05;

/**
 * Milliseconds between two agings of a memcg that is asked for pages idle `agePeriods` periods. With four generations the oldest
 * border lies two to three intervals back: at half the asked age, and what agings may come early, it always proves it.
 */
export function agingIntervalMs(periodMs: number, agePeriods: number): number {
  return agePeriods <= 2 ? periodMs : Math.floor((periodMs * agePeriods) / 2 / (1 - earlyAgings));
}

/** Milliseconds between two agings of a memcg on a node. */
export type AgingIntervals = (path: string, node: number) => number;
