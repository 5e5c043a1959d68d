import { ColdpgsError, type ErrorCode } from '../errors.js';

/** Exit codes by what went wrong; docs/errors.md lists them. 1 is everything unexpected. */
const exitCodes: Partial<Record<ErrorCode, number>> = {
  BAD_SETTING: 2,
  BAD_VALUE: 2,
  NOT_ROOT: 3,
  NO_FUSE_DEVICE: 4,
  NO_LIBFUSE: 4,
  BAD_MOUNT_POINT: 5,
  MOUNT_POINT_IN_USE: 5,
  MOUNT_FAILED: 5,
  NO_LRU_GEN: 6,
  LRU_GEN_LOCKED: 6,
  TRACKER_UNAVAILABLE: 6,
  NO_MEMORY_CONTROLLER: 6,
  STATE_IN_USE: 7,
  NO_SUPERVISOR: 8,
  RELOAD_FAILED: 8,
};

export function exitCodeOf(failure: unknown): number {
  return (failure instanceof ColdpgsError ? exitCodes[failure.code] : undefined) ?? 1;
}
