import { readFileSync } from 'node:fs';
import { pathBytes } from './kernel-file.js';

/** Entry of the auxiliary vector that holds the page size (getauxval(3)). */
const AT_PAGESZ = 6n;
const WORD_BYTES = 8;

/** Bytes of a base page, from the auxiliary vector of this process: pairs of words, type and value. 4096 where it does not say. */
export function readPageBytes(auxiliaryVectorFile: string): number {
  const vector = readFileSync(pathBytes(auxiliaryVectorFile));
  for (let at = 0; at + 2 * WORD_BYTES <= vector.length; at += 2 * WORD_BYTES) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + WORD_BYTES));
  }
  return 4096;
}
