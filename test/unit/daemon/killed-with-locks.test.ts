/** A daemon that is killed while memory of a process is unlocked: the process goes on, and has its locks again. Traces programs of its own on this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cannotTrace, Checker } from '../kernel/linux/mlock/checker.js';

const kills = 50;
const kibibytes = 20 * 1024;

t.setTimeout(300_000);

void t.test(`SIGKILL at ${kills} random moments`, { skip: cannotTrace }, async (t) => {
  const folder = t.testdir({ state: {} });
  const state = `${folder}/state`;
  const script = fileURLToPath(new URL('./lock-borrower.js', import.meta.url));
  const checker = await Checker.startYielding(Checker.compile(folder), 'registers', String(kibibytes / 1024));
  const journals = (): string[] => readdirSync(state).filter((name) => /^locks\.\d+$/.test(name));
  let leftUnlocked = 0;
  for (let kill = 0; kill < kills; kill++) {
    const args = [script, state, String(checker.identity.pid)];
    const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(daemon, 'exit');
    await once(daemon.stdout, 'data');
    await sleep(Math.random() * 300);
    daemon.kill('SIGKILL');
    t.same(await ended, [null, 'SIGKILL']);
    leftUnlocked += journals().length;
    for (let look = 0; look < 1000 && journals().length > 0; look++) await sleep(20);
    t.same(journals(), [], 'all is settled');
    t.equal(checker.field('VmLck'), `${kibibytes} kB`);
  }
  t.comment(`${leftUnlocked} of ${kills} left memory unlocked`);
  t.ok(leftUnlocked > 0);
  t.equal(await checker.verdict(), 'ok');
});
