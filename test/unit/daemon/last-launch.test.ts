import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chooseLaunch, launchNote } from '../../../src/daemon/last-launch.js';
import { gatherLaunch } from '../../../src/daemon/launch.js';

void t.test('a daemon whose files cannot be read goes on with what the last one served with', async (t) => {
  const config = join(t.testdir({ config: '' }), 'config');
  const gather = () => gatherLaunch({ config, owner: '1:2', 'allow-mlocked': true });
  writeFileSync(
    config,
    'mode-global: "0640"\nmem_agent: { memcg: { swap: true }, compact: { compact_force_times: 18446744073709551615 }, cgroups: ["path=/a\\\\054b"] }\n',
  );
  const good = gather();
  const note: unknown = JSON.parse(JSON.stringify(launchNote(good)));
  t.same(chooseLaunch(gather, note), { launch: good });
  writeFileSync(config, 'scan-period: 30\n');
  t.match(chooseLaunch(gather, note), { launch: { settings: { 'scan-period': 30 } }, refused: undefined });
  t.same(chooseLaunch(gather, note, true), { launch: good }, 'the last state is shown as it was');
  writeFileSync(config, 'scan-period: [\n');
  t.match(chooseLaunch(gather, note), { launch: good, refused: /config:2:1: / });
  t.throws(() => chooseLaunch(gather, undefined), { code: 'BAD_SETTING' }, 'the first daemon says what is wrong');
  t.throws(() => chooseLaunch(gather, { another: 'version' }), { code: 'BAD_SETTING' });
});
