import { readFileSync } from 'node:fs';

/** Bytes in use on all swap devices, by /proc/swaps. */
export function swapUsedBytes(): number {
  return swaps().reduce((sum, [, , , usedKb]) => sum + Number(usedKb) * 1024, 0);
}

/** The devices that are swapped to. */
export function swapDevices(): string[] {
  return swaps().map(([device = '']) => device);
}

function swaps(): string[][] {
  const [, ...lines] = readFileSync('/proc/swaps', 'utf8').trim().split('\n');
  return lines.map((line) => line.split(/\s+/));
}
