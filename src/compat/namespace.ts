import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { ColdpgsError } from '../errors.js';
import { findMemoryHierarchy } from '../kernel/linux/memory-hierarchy.js';
import type { LayoutName } from './layouts.js';
import { documentFolder, mmFolder, namespacePlan, planScript, quoted } from './namespace-plan.js';

/** What several runs share: the lock under which /cgroup is made and removed, and the note that it was made. */
const runFolder = '/run/coldpgs-exec';
const lock = `${runFolder}/lock`;
const madeNote = `${runFolder}/made-cgroup`;

/** Variables that shells set for what they start: the command is to find them as they were. */
const shellVariables = ['PWD', 'OLDPWD', 'SHLVL', '_'] as const;

export interface NamespaceOptions {
  readonly layout: LayoutName | undefined;
  /** Where coldpgs is mounted. */
  readonly mountPoint: string;
  /** The beginning of a command line that runs where that mount is seen, if it is not seen here. */
  readonly entering: readonly string[];
  readonly command: readonly string[];
  /** Told of the process that becomes the command, before anything else can happen to it or to us. */
  readonly onProcess: (process: ChildProcess) => void;
}

/**
 * Starts a command in a mount namespace of its own, where the files are where the kernel would have them. It is a child of this process, in its process group and on
 * its terminal. Resolves when the command has been started; throws BAD_SETTING for a layout that the machine cannot have, MOUNT_FAILED.
 */
export async function startInNamespace({ layout, ...options }: NamespaceOptions): Promise<ChildProcess> {
  const hierarchy = findMemoryHierarchy('/proc/self/mountinfo');
  const chosen = layout ?? (hierarchy.version === 2 ? 'v2' : 'v1');
  if (chosen === 'v2' && hierarchy.version === 1)
    throw new ColdpgsError(
      'BAD_SETTING',
      'EINVAL',
      'The memory controller of this machine is in cgroup v1: use --layout v1.',
    );
  mkdirSync(runFolder, { recursive: true });
  const stage = mkdtempSync(`${runFolder}/stage-`);
  const plan = namespacePlan(chosen, {
    mountPoint: options.mountPoint,
    mm: entriesOf(mmFolder),
    ours: oursOf(options),
    hierarchy,
    hasCgroupMemory: existsSync(`${documentFolder}/memory`),
    stage,
  });
  const script = setupScript(planScript(plan), chosen === 'v1', stage);
  const child = spawnInNamespace(script, options);
  options.onProcess(child);
  if (await isReady(child)) return child;
  if (existsSync(stage)) rmdirSync(stage);
  throw new ColdpgsError(
    'MOUNT_FAILED',
    'EIO',
    'The mounts for the command could not be made (the reason is above). In a container: is CAP_SYS_ADMIN given?',
  );
}

/** Removes the /cgroup that an earlier run made, when no other namespace has something mounted on it. */
export function removeDocumentFolder(): void {
  if (!existsSync(madeNote)) return;
  const script = `
    [ -e ${madeNote} ] || exit 0
    grep -qs ' ${documentFolder} ' /proc/[0-9]*/mountinfo && exit 0
    rmdir ${documentFolder} 2> /dev/null && rm -f ${madeNote}
    exit 0`;
  spawnSync('flock', [lock, 'sh', '-c', script], { cwd: '/', stdio: 'ignore' });
}

function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    isDirectory: entry.isDirectory(),
  }));
}

/** The folders of coldpgs for /sys/kernel/mm. Throws BAD_MOUNT_POINT where it offers no hierarchies. */
function oursOf({ mountPoint, entering }: Pick<NamespaceOptions, 'mountPoint' | 'entering'>): string[] {
  const script = `[ -d "$1/cgroup/v1" ] && ls "$1${mmFolder}"`;
  const [file = '', ...args] = [...entering, 'sh', '-c', script, 'sh', mountPoint];
  const { status, stdout } = spawnSync(file, args, { cwd: '/', encoding: 'utf8' });
  if (status === 0) return stdout.split('\n').filter(Boolean);
  throw new ColdpgsError(
    'BAD_MOUNT_POINT',
    'ENOENT',
    `The coldpgs at ${mountPoint} serves no cgroup hierarchies (an older one, a simulation, or --transport fuse-native): restart it.`,
  );
}

/** Under the lock from before /cgroup is made until it is mounted on. */
function setupScript(plan: string, needsDocumentFolder: boolean, stage: string): string {
  const document = `
    exec 4> ${lock}
    flock 4
    [ -d ${documentFolder} ] || { mkdir ${documentFolder} && : > ${madeNote}; } || exit 1
  `;
  return `
    ${needsDocumentFolder ? document : ''}
    ${plan}
    umount -l ${quoted(stage)}
    rmdir ${quoted(stage)}
    exec 4>&-
    cd "$1" || cd /
    shift
    echo ready >&3
    exec 3>&-
    exec env "$@"
  `;
}

function spawnInNamespace(
  script: string,
  { entering, command }: Pick<NamespaceOptions, 'entering' | 'command'>,
): ChildProcess {
  const unsharing = ['unshare', '--mount', '--propagation', 'slave', '--', 'sh', '-c', script, 'coldpgs-exec'];
  const [file = '', ...args] = [...entering, ...unsharing, process.cwd(), ...asTheyWere(), ...command];
  return spawn(file, args, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'] });
}

/** For env(1): options first, then assignments. */
function asTheyWere(): string[] {
  const unset = shellVariables.filter((name) => process.env[name] === undefined);
  const set = shellVariables.filter((name) => process.env[name] !== undefined);
  return [...unset.flatMap((name) => ['-u', name]), ...set.map((name) => `${name}=${process.env[name]}`)];
}

/** Whether the script came to the command. */
function isReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.on('error', reject);
    child.stdio[3]?.on('data', (bytes: Buffer) => (said += bytes.toString())).on('close', () => resolve(said !== ''));
  });
}
