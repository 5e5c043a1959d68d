import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** How a shell script ended. */
export interface Ended {
  /** Exit status, or the signal that ended it. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longer than any command here takes on an emulated and busy machine. */
const patienceMs = 180_000;

/** Runs a bash script in a process of its own, with `variables` in its environment. One that does not end in time is killed. */
export function sh(script: string, variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return run('bash', ['-c', script], variables);
}

function run(program: string, args: readonly string[], variables: Readonly<Record<string, string>>): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: what the script has started holds the pipes open, and goes with it.
    detached: true,
  });
  const impatience = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), patienceMs);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(impatience);
      resolve({ status: code ?? signal ?? 'unknown', stdout, stderr });
    });
  });
}

/** What a script wrote to standard output. Rejects when it fails or complains. */
export async function says(script: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
  return outputOf(script, await sh(script, variables));
}

/** cat FILE */
export async function cat(file: string): Promise<string> {
  return outputOf(`cat ${file}`, await run('cat', [file], {}));
}

/** The same without a process of its own, for looks that are many: starting one costs an emulated machine more than what is looked at. */
export async function read(file: string): Promise<string> {
  return readFile(file, 'utf8');
}

function outputOf(command: string, { status, stdout, stderr }: Ended): string {
  if (status !== 0 || stderr !== '') throw new Error(`${command}\nended with ${status}: ${stderr}`);
  return stdout;
}

/** echo TEXT > FILE, and how that ended. */
export async function tryEcho(text: string, file: string): Promise<Ended> {
  return sh('echo "$TEXT" > "$FILE"', { TEXT: text, FILE: file });
}

/** echo TEXT > FILE. Rejects when it fails. */
export async function echo(text: string | number, file: string): Promise<void> {
  await says('echo "$TEXT" > "$FILE"', { TEXT: String(text), FILE: file });
}
