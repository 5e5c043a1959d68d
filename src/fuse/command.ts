import { spawn } from 'node:child_process';

export interface Ended {
  /** Exit status; undefined when the command could not be started, was killed, or was given up. */
  readonly status: number | undefined;
  readonly stderr: string;
}

/**
 * Runs a command for at most `patience` ms. Never throws. One that hangs in the kernel, on a mount that does not answer, cannot even be killed:
 * it is given up and left behind. `descriptor` is one more that the command inherits, as number 3.
 */
export function run(file: string, args: readonly string[], patience: number, descriptor?: number): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', NODE_OPTIONS: '' };
    const stdio = ['ignore', 'ignore', 'pipe', ...(descriptor === undefined ? [] : [descriptor])] as const;
    const child = spawn(file, args, { cwd: '/', env, stdio: [...stdio] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    child.on('error', (error) => {
      clearTimeout(deadline);
      resolve({ status: undefined, stderr: error.message });
    });
    child.on('close', (status, signal) => {
      clearTimeout(deadline);
      resolve({ status: status ?? undefined, stderr: stderr || (signal === null ? '' : `${file} ended by ${signal}`) });
    });
    const deadline = setTimeout(() => {
      child.kill('SIGKILL');
      child.stderr?.destroy();
      child.unref();
      resolve({ status: undefined, stderr: `${file} did not end within ${patience} ms` });
    }, patience);
  });
}
