import assert from 'node:assert/strict';

export const mib = 1024 * 1024;

/** Asserts that a value lies within a share of what was expected, and says all three when it does not. */
export function assertNear(what: string, value: number, expected: number, share: number): void {
  const off = Math.abs(value - expected);
  assert.ok(off <= expected * share, `${what}: ${value}, expected ${expected} within ${share * 100} %`);
}

export function assertAtMost(what: string, value: number, limit: number): void {
  assert.ok(value <= limit, `${what}: ${value}, expected at most ${limit}`);
}

export function assertAtLeast(what: string, value: number, limit: number): void {
  assert.ok(value >= limit, `${what}: ${value}, expected at least ${limit}`);
}
