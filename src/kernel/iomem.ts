/** A range of physical addresses, end exclusive. */
export interface PhysicalRange {
  readonly start: number;
  readonly end: number;
}

/** The ranges of RAM in /proc/iomem, lowest first. Without CAP_SYS_ADMIN the kernel prints zeros for addresses: then there are none. */
export function parseSystemRam(text: string): PhysicalRange[] {
  const ranges: PhysicalRange[] = [];
  for (const line of text.split('\n')) {
    const [, first, last] = /^([0-9a-f]+)-([0-9a-f]+) : System RAM$/.exec(line) ?? [];
    if (first === undefined || last === undefined) continue;
    const range = { start: parseInt(first, 16), end: parseInt(last, 16) + 1 };
    if (range.end > range.start + 1 && Number.isSafeInteger(range.end)) ranges.push(range);
  }
  return ranges;
}
