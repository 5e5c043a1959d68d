#!/usr/bin/env -S node --max-semi-space-size=2 --no-parallel-scavenge
// What a machine takes for what the daemon does in user space, in us of processor time: looks at 1,000 memcgs, by the daemon's own code, with the options of src/cli/coldpgs.cts, from the text of
// lru_gen to the cohorts of each. The quotient of two machines' figures tells what the user time of one of them would be on the other. bench/pace.c is the same for
// kernel time.
import { setFlagsFromString } from 'node:v8';
import { Census } from '../src/engine/census.js';
import { Identities } from '../src/engine/identities.js';
import { MglruTracker } from '../src/engine/mglru-tracker.js';
import { LinuxLruGen } from '../src/kernel/linux/lru-gen.js';

const memcgs = 1000;
const periodMs = 15_000;
/** Rounds before what is measured: the first minutes of a daemon. */
const warmUpRounds = 10;
const rounds = 20;
const pieceBytes = 4096;

if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=1000000');

/** lru_gen after so many agings, in pieces as the kernel hands them out. Each memcg has pages in use, some that come and go, and some that nobody uses. */
function listing(agings: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let memcg = 0; memcg < memcgs; memcg++) {
    let text = `memcg ${String(memcg + 5).padStart(5)} /bench/m${memcg}\n node     0\n`;
    for (let generation = 0; generation < 4; generation++) {
      const anonPages = generation === 3 ? 128 : 40 + ((memcg + agings * generation) % 9);
      const fields = [agings + generation, (4 - generation) * periodMs - 5000, anonPages, 20];
      text += `${fields.map((field) => ` ${String(field).padStart(10)}`).join('')} \n`;
    }
    if (piece.length + text.length > pieceBytes) {
      pieces.push(piece);
      piece = '';
    }
    piece += text;
  }
  return [...pieces, piece];
}

let pieces: string[] = [];
const file = {
  async *pieces() {
    yield* pieces;
  },
  write: () => Promise.resolve(),
};
const identity = (path: string) => ({ path, inode: BigInt(path.slice('/bench/m'.length)) + 5n });
const lruGen = new LinuxLruGen(
  file,
  { at: identity, has: () => true },
  { anonOnlyEviction: false, pathOf: (path) => path },
);
const identities = new Identities(identity);
const tracker = new MglruTracker(() => periodMs);
const census = new Census();

async function look(atMs: number): Promise<void> {
  const listed = await lruGen.read();
  for (const memcg of listed) census.note(memcg, atMs, periodMs / 2);
  await tracker.observe(await identities.identify(listed, atMs), atMs);
}

await tracker.start();
let spentUs = 0;
for (let round = 0; round < warmUpRounds + rounds; round++) {
  pieces = listing(round);
  const before = process.cpuUsage();
  await look(1e6 + round * periodMs);
  const { user, system } = process.cpuUsage(before);
  if (round >= warmUpRounds) spentUs += user + system;
}
console.log((spentUs / rounds).toFixed(2));
