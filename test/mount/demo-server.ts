/**
 * Serves the demo tree: `node demo-server.ts <transport> <mount point> [create]`. Says what happens on stdout, one JSON object a line: ready, log,
 * refused (exit 1), gone (exit 3), gauges (after SIGUSR2). SIGTERM or the end of stdin: unmounts and exits 0.
 */
import type { Log } from '../../src/log.js';
import { ColdpgsError } from '../../src/errors.js';
import { Tree } from '../../src/tree/tree.js';
import { Checkpoint } from '../../src/daemon/checkpoint.js';
import { hearSupervisor, supervision, tellSupervisor } from '../../src/daemon/supervised.js';
import { demoTree, type Total } from './demo-tree.js';
import { transports } from './transports.js';

const [transportName = '', mountPoint = '', create] = process.argv.slice(2);

function say(event: string, details: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...details })}\n`);
}

function sayAt(level: string) {
  return (details: object, sentence: string): void => say('log', { level, sentence, details });
}

const log: Log = { debug: () => undefined, info: sayAt('info'), warn: sayAt('warn'), error: sayAt('error') };
const supervised = supervision();
const checkpoint = supervised && new Checkpoint(supervised.checkpoint, supervised.incarnation);
const total: Total = checkpoint?.inheritedState ? (JSON.parse(checkpoint.inheritedState) as Total) : { sum: 0 };
checkpoint?.keep(() => JSON.stringify(total));
const tree = new Tree(demoTree(total), { uid: 0, gid: 0 }, { log, incarnation: supervised?.incarnation ?? 0 });
const tested = transports[transportName];
if (tested === undefined) throw new Error(`there is no transport ${transportName}`);
const transport = tested.make(tree, {
  mountPoint,
  log,
  create: create === 'create',
  onGone: () => {
    say('gone');
    process.exit(3);
  },
  ...(supervised?.device !== undefined && {
    device: { descriptor: supervised.device, mountedAt: supervised.mountedAt },
  }),
  ...(checkpoint && { continuity: checkpoint }),
});

function stop(): void {
  tellSupervisor({ kind: 'stopping' });
  void transport.unmount().then(() => process.exit(0));
}

process.on('SIGTERM', stop);
// The test has gone, however it ended.
process.stdin.on('end', stop).resume();
process.on('SIGUSR2', () => say('gauges', { ...transport.gauges(), ...tree.outcomes.counts() }));
if (supervised)
  hearSupervisor(
    () => void transport.handOver(1_000).then(() => process.exit(0)),
    () => say('orphaned'),
  );

try {
  await transport.mount();
  tellSupervisor({ kind: 'mounted', mountPoint: transport.mountPoint, survives: transport.canHandOver });
  say('ready', { mountPoint: transport.mountPoint, pid: process.pid });
} catch (error) {
  if (!(error instanceof ColdpgsError)) throw error;
  say('refused', { code: error.code, sentence: error.message });
  process.exit(1);
}
