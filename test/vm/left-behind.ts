const kills: (() => void)[] = [];
process.on('exit', () => kills.forEach((kill) => kill()));

/** Has a process killed at the end of this one: a test that failed half-way leaves what it started running. */
export function killAtExit(kill: () => void): void {
  kills.push(kill);
}
