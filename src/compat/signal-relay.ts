import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Signals for the command that come to this process. */
const forwarded = ['SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT', 'SIGWINCH'] as const;

/** Those that a terminal's keys send to the command as well. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;

/** Passes signals for this process on to a command, from before there is one: what comes early it gets first. */
export class SignalRelay {
  #command: ChildProcess | undefined;
  readonly #early: NodeJS.Signals[] = [];

  constructor() {
    for (const signal of forwarded) process.on(signal, this.#pass);
    for (const signal of fromTerminal) process.on(signal, this.#passUnlessTyped);
  }

  to(command: ChildProcess): void {
    this.#command = command;
    for (const signal of this.#early) command.kill(signal);
  }

  /** Signals mean this process again. */
  end(): void {
    for (const signal of forwarded) process.off(signal, this.#pass);
    for (const signal of fromTerminal) process.off(signal, this.#passUnlessTyped);
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    if (this.#command === undefined) this.#early.push(signal);
    else this.#command.kill(signal);
  };

  readonly #passUnlessTyped = (signal: NodeJS.Signals): void => {
    if (!isInForeground()) this.#pass(signal);
  };
}

/** Whether this process group has the terminal: what its keys send reaches the command without us. */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 1).split(' ');
  return group === terminalGroup;
}
