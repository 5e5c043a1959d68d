import fc from 'fast-check';

/** Any bytes at all, as latin1 text. */
export const anyBytes: fc.Arbitrary<string> = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));

/** Real text with pieces cut out, doubled and overwritten: close enough to the format to get far into a parser. */
export function damaged(text: string): fc.Arbitrary<string> {
  const place = fc.nat({ max: text.length });
  return fc
    .array(
      fc.tuple(
        place,
        place,
        fc.oneof(anyBytes, fc.constant(''), fc.constantFrom('\n', '-', ' ', '99999999999999999999')),
      ),
      {
        maxLength: 4,
      },
    )
    .map((cuts) => cuts.reduce((rest, [from, to, filling]) => rest.slice(0, from) + filling + rest.slice(to), text));
}

/** A text cut in pieces at any places. */
export function pieces(text: string): fc.Arbitrary<string[]> {
  return fc.array(fc.nat({ max: text.length }), { maxLength: 8 }).map((cuts) => {
    const places = [0, ...cuts.sort((a, b) => a - b), text.length];
    return places.slice(1).map((end, index) => text.slice(places[index], end));
  });
}

/** Whether every number anywhere in a parsed value is a count: finite, and not negative. */
export function hasOnlyCounts(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0;
  if (typeof value === 'bigint') return value >= 0n;
  if (typeof value === 'object' && value !== null) return Object.values(value).every(hasOnlyCounts);
  return true;
}
