import { noContinuity, type WriteOutcome } from '../../../../src/fuse/dev-fuse/continuity.js';

/** What an earlier process left: outcomes by request. */
export function after(outcomes: Record<number, WriteOutcome>) {
  const told: string[] = [];
  const continuity = {
    ...noContinuity,
    incarnation: 1,
    inheritedPollers: [42],
    inheritedWrites: new Map(Object.entries(outcomes).map(([unique, outcome]) => [Number(unique), outcome])),
    begun: (unique: number) => void told.push(`begun ${unique}`),
    ended: (unique: number, outcome: WriteOutcome) => void told.push(`ended ${unique} ${JSON.stringify(outcome)}`),
    answered: (unique: number) => void told.push(`answered ${unique}`),
    taken: (unique: number) => void told.push(`taken ${unique}`),
    waiting: (unique: number) => void told.push(`waiting ${unique}`),
  };
  return { continuity, told };
}
