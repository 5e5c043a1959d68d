import { ColdpgsError } from '../errors.js';

/** The largest `unsigned long` of the 64-bit kernel. */
export const unsignedLongMax = 0xffff_ffff_ffff_ffffn;
export const unsignedIntMax = 0xffff_ffffn;

/**
 * A number as the kernel's kstrtoul family reads it: an optional `+`, digits of the base, one newline at most; no blanks.
 * Base 16 takes an optional `0x`; base 0 finds the base by the prefix. A NUL byte ends the text, as it does for a C string.
 * Undefined where the kernel refuses (its ERANGE for more than `max` included: the files answer EINVAL for both).
 */
export function parseUnsigned(text: string, base: 0 | 10 | 16, max: bigint): bigint | undefined {
  const match = /^\+?(0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)\n?$/.exec(untilNul(text));
  if (!match) return undefined;
  const [, prefix = '', digits = ''] = match;
  const found = base !== 0 ? base : prefix ? 16 : digits.length > 1 && digits.startsWith('0') ? 8 : 10;
  if (prefix && found !== 16) return undefined;
  const value = parseDigits(digits, found);
  return value !== undefined && value <= max ? value : undefined;
}

/** The text without leading and trailing white space, as strstrip leaves it (the kernel counts 0xa0 as a blank). */
export function strip(text: string): string {
  return untilNul(text).replace(/^[ \t\n\v\f\r\xa0]+|[ \t\n\v\f\r\xa0]+$/g, '');
}

/** EINVAL with a sentence that says what was given and what is allowed. */
export function refuse(file: string, given: string, allowed: string): ColdpgsError {
  const shown = JSON.stringify(given.length > 40 ? `${given.slice(0, 40)}...` : given);
  return new ColdpgsError(
    'BAD_VALUE',
    'EINVAL',
    `${file} takes ${allowed}; ${shown} was written. Nothing was changed.`,
  );
}

function untilNul(text: string): string {
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

function parseDigits(digits: string, base: 8 | 10 | 16): bigint | undefined {
  if (base === 16) return BigInt(`0x${digits}`);
  if (base === 10) return /^[0-9]+$/.test(digits) ? BigInt(digits) : undefined;
  return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : undefined;
}
