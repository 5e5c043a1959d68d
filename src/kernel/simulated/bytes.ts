/** Base page of the simulated machine. */
export const PAGE_BYTES = 4096;

export const mib = (count: number): number => count * 2 ** 20;
export const gib = (count: number): number => count * 2 ** 30;
