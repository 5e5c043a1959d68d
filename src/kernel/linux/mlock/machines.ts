import { arm64 } from './arm64.js';
import type { Machine } from './machine.js';
import { x64 } from './x64.js';

/** The architecture of this machine; undefined for one that coldpgs does not know so well. */
export function machineOf(architecture: string = process.arch): Machine | undefined {
  return { x64, arm64 }[architecture];
}
