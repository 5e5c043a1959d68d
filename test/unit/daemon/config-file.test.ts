import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseConfig } from '../../../src/daemon/config-file.js';
import { configSchemaText } from '../../../src/daemon/config-schema.js';

void t.test('options by name, and the autopilot', async (t) => {
  const { options, autopilot } = parseConfig(
    `# a comment
scan-period: 30
dialect: doc
simulate: true
mode-global: "0640"
mem_agent:
  memcg:
    disabled: false
    period_psi_percent_limit: 0.5
  compact:
    compact_force_times: 18446744073709551615
  cgroups:
    - path=/pod,numa-id=0:1,period-secs=60
    - path: /with, comma
      numa-id: [1, 2]
      no-subdir: true
      swap: true
`,
    'coldpgs.yaml',
  );
  t.same(options, { 'scan-period': '30', dialect: 'doc', simulate: true, 'mode-global': '0640' });
  t.same(autopilot.memcg, { disabled: false, period_psi_percent_limit: 0.5 });
  t.same(autopilot.compact, { compact_force_times: Infinity });
  t.same(autopilot.overrides, [
    { path: '/pod', nodes: [0, 1], noSubdir: false, settings: { period_secs: 60 } },
    { path: '/with, comma', nodes: [1, 2], noSubdir: true, settings: { swap: true } },
  ]);
});

void t.test('numbers are taken as they are written', async (t) => {
  t.same(
    parseConfig('scan-period: 30\ndialect: 2.5\nmode-global: 0640\nmode-memcg: 640\nstate-dir: 2026\n', 'f').options,
    {
      'scan-period': '30',
      dialect: '2.5',
      'mode-global': '0640',
      'mode-memcg': '640',
      'state-dir': '2026',
    },
  );
  const { autopilot } = parseConfig(
    'mem_agent:\n  memcg: { disabled: 0 }\n  cgroups: [{ path: 5, swap: 1, no-subdir: 1, numa-id: 1 }]\n',
    'f',
  );
  t.same(autopilot.memcg, { disabled: false });
  t.same(autopilot.overrides, [{ path: '/5', nodes: [1], noSubdir: true, settings: { swap: true } }]);
});

void t.test('an empty file says nothing', async (t) => {
  for (const text of ['', '\n# nothing\n', '{}'])
    t.same(parseConfig(text, 'f'), { options: {}, autopilot: { memcg: {}, compact: {} } });
});

/** Texts, and what is said of each: all mistakes, each at its place. */
const mistakes: readonly (readonly [text: string, said: readonly RegExp[]])[] = [
  ['scan_period: 30\n', [/^f:1:1: there is no setting scan_period; there are scan-period, /]],
  [
    '\nscan-period: 70000\ndialect: new\n',
    [/^f:2:14: scan-period: .*0 to 65535, not 70000$/, /^f:3:10: dialect: .*not "new"$/],
  ],
  ['mem_agent:\n  memgc: {}\n', [/^f:2:3: mem_agent has no memgc; it has memcg, compact and cgroups$/]],
  [
    'mem_agent:\n  memcg:\n    period_secs: 0\n    unknown: 1\n  compact: { compact_order: x }\n',
    [
      /^f:3:18: memcg period_secs takes a whole number from 1 to 31536000, not 0$/,
      /^f:4:5: memcg has no setting unknown/,
      /^f:5:29: compact compact_order takes .*, not "x"$/,
    ],
  ],
  [
    'mem_agent:\n  cgroups:\n    - path=/a,swap=2\n    - swap: true\n',
    [/^f:3:7: memcg \/a swap takes/, /^f:4:7: .*there is no path=/],
  ],
  [
    'mem_agent:\n  cgroups:\n    - path=/a\n    - { path: /b, numa-id: 1 }\n    - path: /a/\n      swap: true\n    - path=/b,numa-id=0:1\n',
    [
      /^f:5:7: there are two settings for memcg \/a on all other nodes$/,
      /^f:7:7: there are two settings for memcg \/b on node 1$/,
    ],
  ],
  [
    'state-dir:\nowner: [a]\ntransport: { a: 1 }\nmode-global: 0o640\nmode-memcg: 0b1\nmem_agent:\n',
    [
      /^f:1:\d+: state-dir: takes one value, not nothing$/,
      /^f:2:8: owner: takes one value, not a list$/,
      /^f:3:12: transport: takes one value, not keys and values$/,
      /^f:4:14: mode-global: must be three octal digits, for example 0640, not 0o640$/,
      /^f:5:13: mode-memcg: .*, not "0b1"$/,
      /^f:6:\d+: mem_agent takes keys and values$/,
    ],
  ],
  [
    'mem_agent:\n  memcg:\n    period_secs:\n    swap: [true]\n    disabled: 2\n',
    [
      /^f:3:\d+: memcg period_secs takes one value, not nothing$/,
      /^f:4:11: memcg swap takes one value, not a list$/,
      /^f:5:15: memcg disabled takes true or false \(or 1 or 0\), not 2$/,
    ],
  ],
  [
    'mem_agent:\n  cgroups:\n    - path: /a\n      period-secs: 0\n      numa-id: [1, [2]]\n      nothing: 1\n    - path: ../b\n      numa-id: 1:1\n      no-subdir: "true"\n    -\n    - 5\n    - { path: /c, period-secs: 1, period_secs: 1 }\n',
    [
      /^f:4:20: memcg \/a period_secs takes a whole number/,
      /^f:5:16: .*numa-id cannot be a list$/,
      /^f:6:7: memcg \/a has no setting nothing/,
      /^f:7:13: .*"\/\.\.\/b" is no path of a memcg/,
      /^f:8:16: .*numa-id takes different nodes/,
      /^f:9:18: .*no-subdir cannot be "true"$/,
      /^f:10:6: a memcg of cgroups is a text or keys and values, not nothing$/,
      /^f:11:7: .*"5" is no key=value/,
      /^f:12:35: period_secs is there twice$/,
    ],
  ],
  ['mem_agent:\n  cgroups: /a\n', [/^f:2:12: cgroups takes a list/]],
  ['mem_agent: 1\n', [/^f:1:12: mem_agent takes keys and values$/]],
  ['scan-period: 1\nscan-period: 2\n', [/^f:2:1: Map keys must be unique/]],
  ['scan-period: [1\n', [/^f:\d+:\d+: /]],
  ['- a\n', [/^f:1:1: the file takes keys and values$/]],
];

void t.test('mistakes are told all at once, each with line and column', async (t) => {
  for (const [text, said] of mistakes)
    try {
      parseConfig(text, 'f');
      t.fail(text);
    } catch (failure) {
      t.match(failure, { code: 'BAD_SETTING' });
      const lines = (failure as Error).message.split('\n');
      t.equal(lines.length, said.length, `${JSON.stringify(text)}: ${lines.join(' | ')}`);
      for (const [index, expected] of said.entries()) t.match(lines[index], expected);
    }
});

void t.test(
  'the published JSON Schema is that of this version: coldpgs check-config --schema > docs/coldpgs.schema.json',
  async (t) => {
    const published = readFileSync(new URL('../../../docs/coldpgs.schema.json', import.meta.url), 'utf8');
    t.same(JSON.parse(published), JSON.parse(configSchemaText()));
  },
);
