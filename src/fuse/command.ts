import { execFile } from 'node:child_process';

export interface Ended {
  /** Exit status; undefined when the command could not be started, was killed, or was given up. */
  readonly status: number | undefined;
  readonly stderr: string;
}

/**
 * Runs a command for at most `patience` ms. Never throws. One that hangs in the kernel, on a mount that does not answer, cannot even be killed:
 * it is given up and left behind.
 */
export function run(file: string, args: readonly string[], patience: number): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', NODE_OPTIONS: '' };
    const child = execFile(file, args, { cwd: '/', env }, (error, _stdout, stderr) => {
      clearTimeout(deadline);
      if (error === null) resolve({ status: 0, stderr });
      else
        resolve({ status: typeof error.code === 'number' ? error.code : undefined, stderr: stderr || error.message });
    });
    const deadline = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      resolve({ status: undefined, stderr: `${file} did not end within ${patience} ms` });
    }, patience);
  });
}
