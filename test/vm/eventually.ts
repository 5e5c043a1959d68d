import { setTimeout as sleep } from 'node:timers/promises';

/** Between looks: a look costs an emulated machine up to a tenth of a second, in which what it waits for does not go on. */
const pauseMs = 100;

/** What `look` finds, a tenth of a second after it is there at the latest. Rejects when that takes longer than the patience, which is generous: the VM may be emulated. */
export async function eventually<Found>(
  what: string,
  look: () => Found | Promise<Found>,
  patienceMs = 120_000,
  betweenLooksMs = pauseMs,
): Promise<NonNullable<Found>> {
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs; await sleep(betweenLooksMs)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
  }
  throw new Error(`waited ${patienceMs / 1000} s in vain for ${what}`);
}

/** As {@link eventually}, for what passes again soon: within a millisecond. `look` must be cheap. */
export function inTheAct<Found>(what: string, look: () => Found | Promise<Found>): Promise<NonNullable<Found>> {
  return eventually(what, look, undefined, 1);
}
