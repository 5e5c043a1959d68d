/** The tracker damon on a machine just started: DAMON tells regions apart, not pages, and what runs before leaves free memory in single pages all over it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from '../daemon.js';
import { eventually } from '../eventually.js';
import { isRefused, periodMs, setMib, showsAges } from '../shown-ages.js';

const damonStat = '/sys/module/damon_stat/parameters/enabled';
const admin = '/sys/kernel/mm/damon/admin/kdamonds';
const kdamonds = `${admin}/nr_kdamonds`;

if (existsSync(damonStat)) writeFileSync(damonStat, 'N');

showsAges('damon', { steps: [1, 2], least: setMib * 0.5, hotMost: setMib * 0.25 });

void describe('while DAMON_STAT is on', () => {
  before(() => writeFileSync(damonStat, 'Y'));
  after(() => writeFileSync(damonStat, 'N'));
  isRefused('damon', /DAMON_STAT is on .*write N to/);
});

void describe('while somebody else has a kdamond', () => {
  before(() => writeFileSync(kdamonds, '1'));
  after(() => writeFileSync(kdamonds, '0'));
  isRefused('damon', /somebody else has a kdamond/);
  void it('which is still there', () => assert.equal(readFileSync(kdamonds, 'utf8').trim(), '1'));
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  void it(`after ${signal} the kdamond is off and gone`, async () => {
    writeFileSync(damonStat, 'N');
    const daemon = await Daemon.start({ periodMs, options: ['--tracker', 'damon'] });
    await eventually('the kdamond to be on', () => damonSays(`${admin}/0/state`) === 'on', 20_000);
    await daemon.stop(signal);
    await eventually('the kdamond to be gone', () => damonSays(kdamonds) === '0', 20_000);
    await daemon.remove();
  });

/** What a file of DAMON says; undefined while somebody else reads or writes one: then it is EBUSY. */
function damonSays(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return undefined;
    throw error;
  }
}
