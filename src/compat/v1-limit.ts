import { ColdpgsError } from '../errors.js';

const shiftOf: Readonly<Record<string, bigint>> = { '': 0n, k: 10n, m: 20n, g: 30n, t: 40n, p: 50n, e: 60n };

/** What v1 shows where there is no limit: the most pages that fit into a long, in bytes. */
export function unlimitedBytes(pageBytes: number): bigint {
  return ((2n ** 63n - 1n) / BigInt(pageBytes)) * BigInt(pageBytes);
}

/** A limit as v1 shows it, from the text of a v2 file ("max" or bytes). */
export function limitBytes(v2Text: string, pageBytes: number): bigint {
  const text = v2Text.trim();
  return text === 'max' ? unlimitedBytes(pageBytes) : BigInt(text);
}

/** A limit as a v2 file takes it. */
export function v2LimitText(bytes: bigint, pageBytes: number): string {
  return bytes >= unlimitedBytes(pageBytes) ? 'max' : String(bytes);
}

/**
 * Parses what is written to a limit of v1 as the kernel does (page_counter_memparse): -1 is none, a number in any base with K, M, G, T, P or E behind it, whole
 * pages. Throws BAD_VALUE (EINVAL).
 */
export function parseLimit(written: string, pageBytes: number): bigint {
  const text = written.trim();
  if (text === '-1') return unlimitedBytes(pageBytes);
  const [, digits = '', suffix = ''] = /^(0x[0-9a-f]+|\d+)([kmgtpe]?)$/i.exec(text) ?? [];
  if (digits === '')
    throw new ColdpgsError(
      'BAD_VALUE',
      'EINVAL',
      `${JSON.stringify(text)} is no limit: write bytes, a number with K, M or G, or -1 for none.`,
    );
  const number = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : BigInt(digits);
  const bytes = number << (shiftOf[suffix.toLowerCase()] ?? 0n);
  const most = unlimitedBytes(pageBytes);
  return bytes > most ? most : (bytes / BigInt(pageBytes)) * BigInt(pageBytes);
}
