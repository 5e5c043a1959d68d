import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { gatherLaunch, launchChange } from '../../../src/daemon/launch.js';
import { memAgentLaunch } from '../../../src/daemon/mem-agent-launch.js';

void t.test(
  'options count more than the configuration file, that more than Kata’s, that more than the command line of the kernel',
  async (t) => {
    const folder = t.testdir({
      cmdline:
        'agent.mem_agent_enable=1 agent.mem_agent_memcg_period_secs=1 agent.mem_agent_memcg_swappiness_max=1 agent.mem_agent_compact_order=1',
      'kata.toml':
        'mem_agent_enable = true\nmemcg_period_secs = 2\nmemcg_swappiness_max = 2\nmemcg_period_psi_percent_limit = 2\n',
      'coldpgs.yaml': 'scan-period: 33\nlog-level: warn\nmem_agent: { memcg: { period_secs: 3, swappiness_max: 3 } }\n',
    });
    const { settings, autopilot } = gatherLaunch({
      'import-cmdline': join(folder, 'cmdline'),
      'import-kata': join(folder, 'kata.toml'),
      config: join(folder, 'coldpgs.yaml'),
      'log-level': 'error',
      'memcg-period-secs': '4',
    });
    t.match(settings, { 'scan-period': 33, 'log-level': 'error' });
    t.match(autopilot.memcg, { disabled: false, period_secs: 4, swappiness_max: 3, period_psi_percent_limit: 2 });
    t.match(autopilot.compact, { compact_order: 1, disabled: false });
  },
);

void t.test('Kata’s file turns nothing off that it does not name', async (t) => {
  const folder = t.testdir({
    cmdline: 'agent.mem_agent_enable=1',
    'kata.toml': '[agent.kata]\nmemcg_period_secs = 2\n',
  });
  const files = { 'import-cmdline': join(folder, 'cmdline'), 'import-kata': join(folder, 'kata.toml') };
  t.match(gatherLaunch(files).autopilot, { memcg: { disabled: false, period_secs: 2 }, compact: { disabled: false } });
  t.match(gatherLaunch({ 'import-kata': files['import-kata'] }).autopilot.memcg, { disabled: true, period_secs: 2 });
});

void t.test('a plain mount has the autopilot off, mem-agent-srv on', async (t) => {
  t.match(gatherLaunch({}).autopilot, { memcg: { disabled: true }, compact: { disabled: true } });
  t.match(gatherLaunch({}, memAgentLaunch).autopilot, { memcg: { disabled: false }, compact: { disabled: false } });
  t.match(gatherLaunch({ 'memcg-disabled': 'true' }, memAgentLaunch).autopilot, {
    memcg: { disabled: true },
    compact: { disabled: false },
  });
});

void t.test('wrong options and files that are not there are refused with a sentence', async (t) => {
  for (const [given, sentence] of [
    [{ 'memcg-period-secs': '0' }, /memcg period_secs takes/],
    [{ 'compact-compact-order': '3' }, undefined],
    [{ 'compact-order': '0' }, /compact compact_order takes/],
    [{ 'memcg-cgroups': ['path=/a,swap=x'] }, /memcg \/a swap takes/],
    [
      { 'memcg-cgroups': ['path=/a', 'path=/b', 'path=/a,swap=1'] },
      /--memcg-cgroups: there are two settings for memcg \/a/,
    ],
    [{ config: '/nowhere.yaml' }, /configuration file \/nowhere\.yaml cannot be read/],
    [{ 'import-kata': '/nowhere' }, /--import-kata \/nowhere/],
  ] as const)
    if (sentence) t.throws(() => gatherLaunch(given), { code: 'BAD_SETTING', message: sentence });
    else t.doesNotThrow(() => gatherLaunch(given), 'not one of ours: yargs has refused it');
});

void t.test('what may change while the daemon runs, and what takes a restart', async (t) => {
  const folder = t.testdir({ config: '' });
  const config = join(folder, 'config');
  const launch = (text: string) => {
    writeFileSync(config, text);
    return gatherLaunch({ config, 'memcg-swap': 'true' });
  };
  const before = launch('scan-period: 10\nmem_agent: { memcg: { period_secs: 60 } }\n');
  t.same(launchChange(before, before), { scanPeriod: undefined, autopilot: { memcg: {}, compact: {} } });
  const after = launch('scan-period: 20\nmem_agent: { memcg: { swap: false }, cgroups: ["path=/a"] }\n');
  t.match(launchChange(before, after), {
    scanPeriod: 20,
    autopilot: { memcg: { period_secs: 600 }, overrides: [{ path: '/a' }] },
  });
  t.notOk('swap' in launchChange(before, after).autopilot.memcg, 'an option counts more');
  t.throws(() => launchChange(before, launch('dialect: doc\nchildren: include\n')), {
    code: 'BAD_SETTING',
    message: /children, dialect cannot change|dialect, children cannot change/,
  });
});
