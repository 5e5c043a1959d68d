/** mode bit 2 (example 11 of coldpgs's document) on kernels that cannot shrink the caches of one memcg. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo } from './shell.js';
import { lookUpNothing, slabBytes } from './slab.js';

const names = 40_000;

void describe('a memcg with dentries that nobody uses', { skip: hasShrinkerDebug() }, () => {
  let daemon: Daemon;
  let memcg: Memcg;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('slab');
    await lookUpNothing(memcg, names);
    await echo(4, daemon.globalFile('mode'));
  });
  after(async () => {
    await memcg.remove();
    await daemon.remove();
  });

  void it('keeps them at a run of its own: the write is good, and coldpgs/errors says EOPNOTSUPP', async () => {
    const before = slabBytes(memcg);
    assertAtLeast('reclaimable slab', before, 5 * mib);
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    assertNear('reclaimable slab', slabBytes(memcg), before, 0.1);
    assert.equal((await daemon.stats(memcg)).get('slab drop'), 0);
    assert.match(await daemon.errors(), new RegExp(`${memcg.path}: slab was left alone \\(EOPNOTSUPP\\): `));
  });

  void it('loses them to the global threshold, which counts what fell', async () => {
    const before = slabBytes(memcg);
    await echo(120, daemon.globalFile('threshold'));
    assertAtMost('reclaimable slab', slabBytes(memcg), 0.2 * before);
    const dropped = ((await daemon.stats(memcg)).get('slab drop') ?? 0) * 1024;
    assertNear('slab drop', dropped, before - slabBytes(memcg), 0.05);
  });
});

function hasShrinkerDebug(): string | false {
  return existsSync('/sys/kernel/debug/shrinker') && 'this kernel has shrinker debugging';
}
