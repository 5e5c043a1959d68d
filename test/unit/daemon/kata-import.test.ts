import t from 'tap';
import { autopilotOfKata } from '../../../src/daemon/kata-keys.js';
import { cmdlineEntries, kataEntries } from '../../../src/daemon/kata-import.js';

const ofFile = (text: string) => autopilotOfKata(kataEntries(text, 'kata.toml'));
const ofCmdline = (text: string) => autopilotOfKata(cmdlineEntries(text, '/proc/cmdline'));

void t.test('mem_agent_enable turns on both halves, but for one that is disabled', async (t) => {
  t.match(ofFile('mem_agent_enable = false\nmemcg_disable = false\n'), {
    memcg: { disabled: true },
    compact: { disabled: true },
  });
  t.match(ofFile('mem_agent_enable = true\n'), { memcg: { disabled: false }, compact: { disabled: false } });
  t.match(ofFile('mem_agent_enable = true\ncompact_disable = true\n'), {
    memcg: { disabled: false },
    compact: { disabled: true },
  });
});

void t.test('what does not name mem_agent_enable leaves it to others, but for a half that is disabled', async (t) => {
  t.same(ofFile(''), { memcg: {}, compact: {} });
  t.same(ofCmdline('quiet\n'), { memcg: {}, compact: {} });
  t.same(ofFile('memcg_disable = false\nmemcg_swap = true\ncompact_disable = true\n'), {
    memcg: { swap: true },
    compact: { disabled: true },
  });
});

void t.test('all keys, and nothing else of the file', async (t) => {
  const text = `
[hypervisor.qemu]
path = "/usr/bin/qemu"   # compact_order = 3
[agent.kata.mem_agent]
mem_agent_enable = true
#memcg_swap = false
memcg_swap = true # both
memcg_swap = true
  memcg_swappiness_max=100
memcg_period_secs = 60
memcg_period_psi_percent_limit = 2
memcg_eviction_psi_percent_limit = 3
memcg_eviction_run_aging_count_min = 4
compact_period_secs = 61
compact_period_psi_percent_limit = 5
compact_psi_percent_limit = 6
compact_sec_max = 180
compact_order = 10
compact_threshold = 2048
compact_force_times = 9223372036854775807
`;
  t.same(ofFile(text), {
    memcg: {
      disabled: false,
      swap: true,
      swappiness_max: 100,
      period_secs: 60,
      period_psi_percent_limit: 2,
      eviction_psi_percent_limit: 3,
      eviction_run_aging_count_min: 4,
    },
    compact: {
      disabled: false,
      period_secs: 61,
      period_psi_percent_limit: 5,
      compact_psi_percent_limit: 6,
      compact_sec_max: 180,
      compact_order: 10,
      compact_threshold: 2048,
      compact_force_times: Infinity,
    },
  });
});

void t.test('the kernel command line of a guest', async (t) => {
  const line =
    'quiet psi=1 agent.mem_agent_enable=1 agent.mem_agent_memcg_swap=1 agent.mem_agent_compact_sec_max=100 agent.log=debug\n';
  t.match(ofCmdline(line), {
    memcg: { disabled: false, swap: true },
    compact: { disabled: false, compact_sec_max: 100 },
  });
});

void t.test('mistakes name file and line', async (t) => {
  for (const [text, sentence] of [
    ['\nmemcg_period_secs = 0\n', /^kata\.toml:2: memcg_period_secs period_secs takes a whole number/],
    ['memcg_periods = 1\n', /^kata\.toml:1: there is no memcg_periods; there are mem_agent_enable, memcg_disable/],
    ['mem_agent_enabled = true\n', /^kata\.toml:1: there is no mem_agent_enabled; there are mem_agent_enable, /],
    ['memcg_swap = true\n\nmemcg_swap = false\n', /^kata\.toml:3: memcg_swap is false here and true at kata\.toml:1/],
    ['mem_agent_enable = yes\n', /^kata\.toml:1: mem_agent_enable takes true or false/],
  ] as const)
    t.throws(() => ofFile(text), { code: 'BAD_SETTING', message: sentence });
});
