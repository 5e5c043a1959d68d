/**
 * Pressure stall information (Documentation/accounting/psi.rst): for how long tasks waited for a resource. Only the running totals are used; the kernel's
 * own averages are of fixed windows, and come late.
 */

/** Stall time since boot (since a memcg was made) in which at least one task waited, in microseconds. */
export interface PressureTotals {
  readonly memoryUs: number;
  readonly ioUs: number;
  /** Whether those of the machine stand in, because the kernel keeps none for the memcg. */
  readonly ofMachine?: boolean;
}

const SOME_LINE = /^some (?:avg\d+=\d+\.\d+ )*total=(\d{1,16})$/m;

/** The total of the `some` line of a pressure file; undefined where there is none. Never throws. */
export function parseSomeTotal(text: string): number | undefined {
  const found = SOME_LINE.exec(text);
  return found === null ? undefined : Number(found[1]);
}
