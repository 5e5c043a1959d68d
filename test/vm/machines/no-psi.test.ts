/** A kernel without pressure stall information (kernel command line: psi=0). */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from '../daemon.js';
import { makeDataFile, removeDataFile } from '../data-file.js';
import { assertNear, mib } from '../limits.js';
import { Memcg } from '../memcg.js';
import { cat, sh } from '../shell.js';
import { Workload } from '../workload.js';

void describe('a kernel without pressure stall information', () => {
  let daemon: Daemon;

  before(async () => {
    assert.equal(existsSync('/proc/pressure'), false);
    daemon = await Daemon.start({ options: ['--memcg-disabled', 'false', '--compact-disabled', 'false'] });
  });
  after(() => daemon.remove());

  void it('has no autopilot, and is told what to boot with', async () => {
    assert.match(await daemon.errors(), /mem_agent: .*psi=1/);
    for (const half of ['memcg', 'compact']) {
      const folder = `${daemon.mountPoint}/sys/kernel/mm/mem_agent/${half}`;
      assert.match(await cat(`${folder}/status`), /^state: off \(no pressure/);
      const { status } = await sh('echo false > "$FILE"', { FILE: `${folder}/disabled` });
      assert.notEqual(status, 0, half);
      assert.equal(await cat(`${folder}/disabled`), 'true\n');
    }
  });

  void it('has all the rest: a threshold reclaims', async (t) => {
    const dataFile = await makeDataFile('no-psi', 32);
    t.after(() => removeDataFile(dataFile));
    const memcg = Memcg.make('no-psi');
    t.after(() => memcg.remove());
    const workload = await Workload.start(memcg, `read:32:0:${dataFile}`);
    t.after(() => workload.stop());
    await daemon.reclaimCold(memcg, 1);
    assertNear('pagecache dropped', ((await daemon.stats(memcg)).get('pagecache dropped') ?? 0) * 1024, 32 * mib, 0.05);
  });
});
