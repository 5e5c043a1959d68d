import { constants } from 'node:os';
import { ColdpgsError, systemErrno } from '../errors.js';

/** The answer to a failed request: the name for people and counters, the positive Linux number for the client. */
export interface Errno {
  readonly name: string;
  readonly number: number;
}

const numbers: ReadonlyMap<string, number> = new Map(Object.entries(constants.errno));

/** Whether the thrown value says itself which errno it is; everything else is a defect of ours and answered with EIO. */
export function isExpected(thrown: unknown): boolean {
  return nameOf(thrown) !== undefined;
}

/** The errno of any thrown value: that of a ColdpgsError, the code of a failed system call, else EIO. */
export function errnoOf(thrown: unknown): Errno {
  const name = nameOf(thrown) ?? 'EIO';
  return { name, number: numbers.get(name) ?? constants.errno.EIO };
}

function nameOf(thrown: unknown): string | undefined {
  const name = thrown instanceof ColdpgsError ? thrown.errno : systemErrno(thrown);
  return name !== undefined && numbers.has(name) ? name : undefined;
}
