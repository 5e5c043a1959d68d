/** The 11 examples of coldpgs's document (examples/), with its own commands and paths, under `coldpgs exec --layout v1`. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Daemon, type DaemonOptions } from './daemon.js';
import { echo, says } from './shell.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtMost, assertNear, mib } from './limits.js';
import { pageBytes } from './memcg.js';

const amount = 128 * mib;

/** The nine rows of the document. */
const rows = [
  ...['pagecache migrate in', 'pagecache migrate out', 'pagecache dropped', 'anon migrate in', 'anon zswap in'],
  ...['anon swap in', 'anon migrate out', 'anon zswap out', 'anon swap out'],
] as const;

type Row = (typeof rows)[number];

/** What an example printed. */
class Transcript {
  constructor(readonly text: string) {}

  /** Bytes in all columns of a row of memory.idle_page_stats, each time that it was printed. */
  idle(row: string): number[] {
    return Array.from(this.text.matchAll(new RegExp(`^ +${row} +(.*)$`, 'gm')), ([, cells = '']) =>
      cells
        .trim()
        .split(/ +/)
        .map(Number)
        .reduce((sum, bytes) => sum + bytes, 0),
    );
  }

  /** Bytes of a row of memory.coldpgs.stats in the form of the document, which counts pages. */
  stat(row: string): number {
    return Number(new RegExp(`^${row} +: (\\d+)$`, 'm').exec(this.text)?.[1]) * pageBytes;
  }

  /** Bytes used of the first swap device, each time that /proc/swaps was printed. */
  swapUsed(): number[] {
    return Array.from(this.text.matchAll(/^\/dev\S+\s+partition\s+\d+\s+(\d+)/gm), ([, kb]) => Number(kb) * 1024);
  }

  /** Asserts that a row of the histogram had all of it, and has nothing of it now. */
  emptied(row: string): void {
    const idle = this.idle(row);
    assertNear(`${row} before`, idle.at(0) ?? NaN, amount, 0.05);
    assertAtMost(`${row} after`, idle.at(-1) ?? NaN, 0.01 * amount);
  }

  /** Asserts that all went the way of one row, and nothing any other. */
  went(row: Row): void {
    assertNear(row, this.stat(row), amount, 0.05);
    for (const other of rows.filter((one) => one !== row)) assertAtMost(other, this.stat(other), along(row, other));
  }
}

/** Before 6.16 no command evicts anonymous memory alone: docs/kernels.md, note 1. */
function along(row: Row, other: Row): number {
  return row === 'anon swap out' && other === 'pagecache dropped' && !kernelIsAtLeast(6, 16) ? 0.01 * amount : 0;
}

void describe('an example of the document, run as it is', () => {
  let daemon: Daemon;
  /** One daemon for the examples of a group: what outlives an example of what it sets is set back. */
  function withDaemon(options: DaemonOptions): void {
    before(async () => void (daemon = await Daemon.start(options)));
    after(() => daemon.remove());
    afterEach(async () => {
      for (const name of ['flags', 'threshold_nonrot']) await echo(0, daemon.globalFile(name));
    });
  }

  async function run(example: string, judge: (transcript: Transcript) => void): Promise<void> {
    const script = 'coldpgs exec --layout v1 --mount "$MOUNT" -- sh /root/examples/$EXAMPLE.sh 2>&1';
    const transcript = new Transcript(await says(script, { MOUNT: daemon.mountPoint, EXAMPLE: example }));
    try {
      judge(transcript);
    } catch (failure) {
      const [{ message }, errors] = [failure as Error, await daemon.errors()];
      throw new Error(`${message}\n${transcript.text}\ncoldpgs/errors:\n${errors}`, { cause: failure });
    }
  }

  void describe('of page cache and anonymous memory', () => {
    withDaemon({ options: ['--dialect', 'doc'] });

    for (const example of ['01-global-page-cache', '03-memcg-page-cache'])
      void it(example, () =>
        run(example, (transcript) => {
          transcript.emptied('cfei');
          transcript.went('pagecache dropped');
        }),
      );

    for (const example of ['05-global-anon', '07-memcg-anon'])
      void it(example, () =>
        run(example, (transcript) => {
          transcript.emptied('csei');
          assert.equal(transcript.idle('csea').at(-1), 0);
          transcript.went('anon swap out');
          assertNear('used of /proc/swaps', transcript.swapUsed().at(0) ?? NaN, amount, 0.05);
        }),
      );

    void it('09-memcg-balanced-anon', () =>
      run('09-memcg-balanced-anon', (transcript) => {
        transcript.emptied('csei');
        const [zswap, device] = [transcript.stat('anon zswap out'), transcript.stat('anon swap out')];
        assertNear('anon zswap out and anon swap out', zswap + device, amount, 0.05);
        const stored = Number(/^(\d+)$/m.exec(transcript.text)?.[1]) * pageBytes;
        assertNear('stored_pages', stored, zswap, 0.05);
      }));

    void it('10-swapin', () =>
      run('10-swapin', (transcript) => {
        assertNear('active_anon and inactive_anon', anonIn(transcript.text), amount, 0.05);
        const [before = NaN, out = NaN, after = NaN] = transcript.idle('csei');
        assertNear('csei before', before, amount, 0.05);
        assertAtMost('csei while swapped out', out, 0.01 * amount);
        assertNear('csei after', after, amount, 0.05);
        const [usedBefore = NaN, usedOut = NaN, usedAfter = NaN] = transcript.swapUsed();
        assertNear('growth of /proc/swaps', usedOut - usedBefore, amount, 0.05);
        assertAtMost('growth of /proc/swaps at the end', usedAfter - usedBefore, mib);
      }));
  });

  void describe('of mlocked memory', () => {
    withDaemon({ options: ['--dialect', 'doc', '--allow-mlocked'] });

    for (const example of ['02-global-locked-page-cache', '04-memcg-locked-page-cache'])
      void it(example, () =>
        run(example, (transcript) => {
          transcript.emptied('cfui');
          transcript.went('pagecache dropped');
        }),
      );

    for (const example of ['06-global-locked-anon', '08-memcg-locked-anon'])
      void it(example, () =>
        run(example, (transcript) => {
          transcript.emptied('csui');
          transcript.went('anon swap out');
          assertNear('used of /proc/swaps', transcript.swapUsed().at(0) ?? NaN, amount, 0.05);
        }),
      );
  });

  void describe('of slab', () => {
    withDaemon({});

    void it('11-global-slab', () =>
      run('11-global-slab', ({ text }) => {
        const dropped = Array.from(text.matchAll(/^slab drop +: +(\d+) kB$/gm), ([, kb]) => Number(kb));
        // The root's own and that of the group, which is charged for what its processes look up.
        assert.equal(dropped.length, 2);
        assert.ok((dropped[1] ?? 0) > 1024, `slab drop: ${dropped.join(' kB, ')} kB`);
        for (const [, name, value] of text.matchAll(/^((?:pagecache|anon) .*\S) *: +(\d+) kB$/gm))
          assert.equal(Number(value), 0, name);
      }));
  });
});

function anonIn(text: string): number {
  return ['active_anon', 'inactive_anon'].reduce(
    (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]),
    0,
  );
}
