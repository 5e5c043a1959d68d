/** The name of the environment variable with which a supervisor tells a daemon what it is to go on with. */
export const supervisionVariable = 'COLDPGS_SUPERVISION';

/** What a supervisor tells a daemon, as JSON in the environment. Descriptors are those of the daemon. */
export interface Supervision {
  /** /dev/fuse, held by the supervisor as well; missing where it could not be opened. */
  readonly device?: number;
  /** The checkpoint (checkpoint.ts). */
  readonly checkpoint: number;
  /** Canonical path of the mount that an earlier daemon served through the device. */
  readonly mountedAt?: string;
  /** Daemons before this one. */
  readonly incarnation: number;
  /** Why the one before ended, for the log. */
  readonly endOfLast?: string;
  /** Answer reads from the last state, and refuse writes. */
  readonly lastStateOnly: boolean;
}

/** What a daemon tells its supervisor. `survives`: the mount is one that another process can go on with. `stopping`: the end that follows is meant. */
export type DaemonMessage =
  { readonly kind: 'mounted'; readonly mountPoint: string; readonly survives: boolean } | { readonly kind: 'stopping' };

/** What a supervisor tells its daemon: leave the mount to the next one, and end. */
export interface SupervisorMessage {
  readonly kind: 'hand over';
}

/** What the supervisor of this process told it; undefined when it has none. */
export function supervision(environment = process.env): Supervision | undefined {
  const text = environment[supervisionVariable];
  return text === undefined || process.send === undefined ? undefined : (JSON.parse(text) as Supervision);
}

/** Tells the supervisor, if there is one. */
export function tellSupervisor(message: DaemonMessage): void {
  if (process.connected) process.send?.(message);
}

/** Calls back when the supervisor wants the mount handed over, and when it has gone. Its channel does not keep the process alive. */
export function hearSupervisor(onHandOver: () => void, onGone: () => void): void {
  process.on('message', (message: SupervisorMessage) => {
    if (message.kind === 'hand over') onHandOver();
  });
  process.on('disconnect', onGone);
  process.channel?.unref();
}
