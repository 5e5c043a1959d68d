import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { ColdpgsError } from '../../errors.js';
import type { Caller } from '../../passed.js';

/** Milliseconds for a list of processes to be read in another pid namespace, while nothing else is answered. */
const READ_PATIENCE_MS = 5_000;

const home = { pid: namespaceOf('self', 'pid'), cgroup: namespaceOf('self', 'cgroup') };

/** Who opened a file, with what the kernel goes by when it is written: the rights of that moment. */
export interface Opener {
  readonly uid: number;
  readonly gid: number;
  readonly isOfOurCgroupNamespace: boolean;
  /** The supplementary ones. */
  readonly groups: readonly number[];
  /** A file that stands for the cgroup namespace. */
  readonly cgroupNamespace: string | undefined;
  close(): void;
}

/** What is done in the place of a caller. A move writes the id of a process, or where that is undefined the caller's own. */
export type Act =
  | { readonly act: 'write'; readonly file: string; readonly bytes: string }
  | { readonly act: 'move'; readonly file: string; readonly bytes: string | undefined }
  | { readonly act: 'mkdir'; readonly file: string; readonly mode: number }
  | { readonly act: 'rmdir'; readonly file: string };

/** Whether ids mean the same to the caller and to us. */
export function isAtHome({ threadId }: Caller): boolean {
  return namespaceOf(threadId, 'pid') === home.pid;
}

/** Remembers what of the caller may be gone when it is needed. Root of our own namespaces, which is nearly everybody, costs one look. */
export function openerOf(caller: Caller): Opener {
  const { uid, gid, threadId } = caller;
  const isOfOurCgroupNamespace = namespaceOf(threadId, 'cgroup') === home.cgroup;
  const groups = uid === 0 ? [] : groupsOf(threadId);
  const namespace = isOfOurCgroupNamespace ? undefined : openSync(`/proc/${reachable(caller)}/ns/cgroup`, 'r');
  return {
    uid,
    gid,
    isOfOurCgroupNamespace,
    groups,
    cgroupNamespace: namespace === undefined ? undefined : `/proc/${process.pid}/fd/${namespace}`,
    close: () => {
      if (namespace !== undefined) closeSync(namespace);
    },
  };
}

/** Says what the kernel refused by the name of its errno, and takes on the ids before it does anything. */
const acting = `
const fs = require('node:fs');
const { act, file, bytes, mode, uid, gid, groups } = JSON.parse(process.argv[1]);
const path = Buffer.from(file, 'latin1');
try {
  if (uid !== 0) {
    process.setgroups(groups);
    process.setgid(gid);
    process.setuid(uid);
  }
  process.umask(0);
  if (act === 'mkdir') fs.mkdirSync(path, mode);
  else if (act === 'rmdir') fs.rmdirSync(path);
  else fs.writeSync(fs.openSync(path, 'w'), Buffer.from(bytes, 'latin1'));
} catch (error) {
  process.stdout.write(String(error.code));
}
`;

/**
 * Does something with the rights of the opener, in the pid namespace of the caller and the cgroup namespace of the opener. Rejects with the kernel's refusal, and with
 * CANCELLED (EINTR) when `signal` fires.
 */
export async function actAs(opener: Opener, caller: Caller, act: Act, signal?: AbortSignal): Promise<void> {
  const { uid, gid } = opener;
  const moves = act.act === 'move';
  const bytes = moves && act.bytes === undefined ? idInItsNamespace(caller) : undefined;
  const order = JSON.stringify({ ...act, ...(bytes && { bytes }), uid, gid, groups: opener.groups });
  const [file = '', ...args] = [...entering(moves ? caller : undefined, opener), process.execPath, '-e', acting, order];
  const child = spawn(file, args, {
    cwd: '/',
    env: plainEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  });
  let refusal = '';
  let complaint = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => (refusal += text));
  child.stderr.setEncoding('latin1').on('data', (text: string) => (complaint += text));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (failure) => (signal?.aborted ? resolve(null) : reject(failure)));
    child.on('close', resolve);
  });
  if (signal?.aborted) throw new ColdpgsError('CANCELLED', 'EINTR', 'The write was interrupted.');
  if (refusal !== '') throw refused(refusal, act.file);
  if (status !== 0)
    throw new ColdpgsError('KERNEL_REFUSED', 'EIO', `${act.file}: ${complaint.trim() || `status ${status}`}`);
}

/** The text of a file as the caller's pid namespace sees it. Throws ESRCH-like refusals as KERNEL_REFUSED (EIO). */
export function readAs(caller: Caller, file: string): Buffer {
  const [program = '', ...args] = [...entering(caller, undefined), 'cat', file];
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: '/',
    env: plainEnvironment,
    timeout: READ_PATIENCE_MS,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new ColdpgsError('KERNEL_REFUSED', 'EIO', `${file}: ${stderr.toString().trim()}`);
  return stdout;
}

const plainEnvironment = { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** The beginning of a command line that runs in the pid namespace of the one and the cgroup namespace of the other, where these are not ours. */
function entering(caller: Caller | undefined, opener: Opener | undefined): string[] {
  const pid = caller === undefined || isAtHome(caller) ? [] : [`--pid=/proc/${reachable(caller)}/ns/pid`];
  const cgroup = opener?.cgroupNamespace === undefined ? [] : [`--cgroup=${opener.cgroupNamespace}`];
  const namespaces = [...pid, ...cgroup];
  return namespaces.length === 0 ? [] : ['nsenter', ...namespaces, '--'];
}

/** The caller's thread id as its own pid namespace has it: the last of NSpid. */
function idInItsNamespace(caller: Caller): string {
  if (isAtHome(caller)) return String(caller.threadId);
  const status = readFileSync(`/proc/${reachable(caller)}/status`, 'latin1');
  return /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? String(caller.threadId);
}

function groupsOf(threadId: number): number[] {
  const status = readFileSync(`/proc/${threadId}/status`, 'latin1');
  return (/^Groups:[ \t]*(.*)$/m.exec(status)?.[1] ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
}

function reachable({ threadId }: Caller): number {
  if (threadId > 0) return threadId;
  const sentence =
    'The process is in a pid namespace that coldpgs cannot see: run coldpgs where its pid namespace is below.';
  throw new ColdpgsError('KERNEL_REFUSED', 'EPERM', sentence);
}

/** What a process's link to a namespace says; undefined where it cannot be seen. */
function namespaceOf(threadId: number | 'self', kind: 'pid' | 'cgroup'): string | undefined {
  try {
    return readlinkSync(`/proc/${threadId}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

function refused(code: string, file: string): Error {
  const number = constants.errno[code as keyof typeof constants.errno];
  return Object.assign(new Error(`${code}: ${file}`), { code, errno: -number });
}
