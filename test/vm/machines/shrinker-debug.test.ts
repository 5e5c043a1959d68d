/** A kernel that can shrink the caches of one memcg (CONFIG_SHRINKER_DEBUG): mode bit 2, example 11 of coldpgs's document. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from '../daemon.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from '../limits.js';
import { Memcg } from '../memcg.js';
import { echo } from '../shell.js';
import { lookUpNothing, machineSlabBytes, slabBytes } from '../slab.js';

const names = 40_000;

void describe('two memcgs with dentries that nobody uses', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let other: Memcg;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('slab');
    other = Memcg.make('other');
    for (const one of [memcg, other]) await lookUpNothing(one, names);
    await echo(4, daemon.globalFile('mode'));
  });
  after(async () => {
    await memcg.remove();
    await other.remove();
    await daemon.remove();
  });

  const dropped = async (of: Memcg): Promise<number> => ((await daemon.stats(of)).get('slab drop') ?? 0) * 1024;

  void it('one loses about the size asked for', async () => {
    const before = slabBytes(memcg);
    assertAtLeast('reclaimable slab', before, 5 * mib);
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(2 * mib, daemon.memcgFile(memcg, 'size'));
    assertNear('fell', before - slabBytes(memcg), 2 * mib, 0.5);
    assertNear('slab drop', await dropped(memcg), before - slabBytes(memcg), 0.1);
  });

  void it('and all of it without a limit, the other none', async () => {
    const before = slabBytes(other);
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    assertAtMost('reclaimable slab', slabBytes(memcg), mib);
    assertNear("the other's", slabBytes(other), before, 0.02);
    assert.equal(await dropped(other), 0);
    assert.doesNotMatch(await daemon.errors(), /slab/);
  });

  void it('the global threshold takes it from every memcg', async () => {
    const before = { other: slabBytes(other), machine: machineSlabBytes() };
    await echo(120, daemon.globalFile('threshold'));
    assertAtMost('reclaimable slab', slabBytes(other), mib);
    assertNear('slab drop', await dropped(other), before.other - slabBytes(other), 0.1);
    assertAtMost('of the machine', machineSlabBytes(), before.machine - 4 * mib);
  });
});
