import t from 'tap';
import { parse } from 'yaml';
import { parseConfig } from '../../../src/daemon/config-file.js';
import { configSchemaText } from '../../../src/daemon/config-schema.js';
import { isValid, type Schema } from './json-schema.js';

/** What may stand behind a key, and what may not: a word of YAML each. A schema sees numbers, not how they are written: 0o640 is 416 to it. */
const values: Readonly<Record<string, { readonly right: string; readonly wrong: string }>> = {
  'scan-period': { right: '0 15 65535 "30" "65535"', wrong: '-1 1.5 65536 "65536" "70000" x true [1] ~ {}' },
  'scan-cpu-percent': { right: '0.1 2 100 "0.5" "100" "99.9"', wrong: '0 0.05 100.1 "0" "0.01" "101" "x" true ~' },
  dialect: { right: '2.5 "2.5" doc', wrong: '2.6 "2" new true ~' },
  tracker: { right: 'mglru "damon"', wrong: 'none 1 ~ [mglru]' },
  'kidled-dialect': { right: "K-A K-D'", wrong: 'K 1' },
  'mode-global': { right: '640 0640 "640" "0640" 777', wrong: '689 648 1000 "0o640" "64" x true ~ [640]' },
  'mode-memcg': { right: '600', wrong: '800 "888"' },
  owner: { right: '0:0 "1000:1000"', wrong: '0 root ~ [0,0] true' },
  'state-dir': { right: '/a "a b" 2026', wrong: '"" ~ [a] {a:1} true' },
  simulate: { right: 'true false', wrong: '"true" 1 yes ~' },
  'flags-gate': { right: 'off strict', wrong: 'on false' },
  'memcg.disabled': { right: 'true false 0 1', wrong: '2 "true" ~ 0.5' },
  'memcg.period_secs': { right: '1 31536000', wrong: '0 1.5 31536001 "60" ~ true' },
  'memcg.swappiness_max': { right: '0 200', wrong: '201 -1' },
  'memcg.period_psi_percent_limit': {
    right: '0 0.07 0.29 0.57 1.1 33.33 99.99 100',
    wrong: '100.01 -0.5 "1" ~',
  },
  'compact.compact_force_times': {
    right: '0 1 9007199254740991 9223372036854775807 18446744073709551615',
    wrong: '1.5 -1 9007199254740993 true "1" ~',
  },
  'compact.compact_order': { right: '1 13', wrong: '0 14 9.5' },
  'compact.nothing': { right: '', wrong: '1' },
  nothing: { right: '', wrong: '1' },
  cgroups: {
    right: '[] [path=/a] ["period-secs=1,path=/a"] [{path:/a}]',
    wrong: '~ /a [5] [~] [swap=1] [[path=/a]] [{}] [{swap:true}] [{path:/a,other:1}]',
  },
  'cgroup.path': { right: '/a a "" 5', wrong: '~ [/a] true .. /a/../b ./a' },
  'cgroup.numa-id': { right: '0 1023 [] [0,1] "0:1" ""', wrong: '-1 1024 1.5 [1,1] [1024] ~ true "0," {a:1}' },
  'cgroup.numa_id': { right: '1', wrong: 'x' },
  'cgroup.no-subdir': { right: 'true 0 1', wrong: '2 "true" ~' },
  'cgroup.no_subdir': { right: 'false', wrong: 'x' },
  'cgroup.period-secs': { right: '60', wrong: '0 "60" ~ [1]' },
  'cgroup.swap': { right: 'true 1', wrong: '2 x' },
  'cgroup.eviction_psi_percent_limit': { right: '0.5', wrong: '100.5' },
};

/** A configuration file with a value at a key of this table. */
function fileWith(key: string, value: string): string {
  // In flow style a colon must be told from one in a word.
  const text = value.replace(/([{,]\w+):/g, '$1: ');
  const [section, name = ''] = key.split('.');
  if (key === 'cgroups') return `mem_agent: { cgroups: ${text} }\n`;
  if (section === 'cgroup')
    return `mem_agent: { cgroups: [{ ${name === 'path' ? '' : 'path: /x, '}${name}: ${text} }] }\n`;
  return name === '' ? `${key}: ${text}\n` : `mem_agent: { ${section}: { ${name}: ${text} } }\n`;
}

void t.test('the JSON Schema and the daemon take the same values', async (t) => {
  const schema = JSON.parse(configSchemaText()) as Schema;
  for (const [key, { right, wrong }] of Object.entries(values))
    for (const [words, isRight] of [
      [right, true],
      [wrong, false],
    ] as const)
      for (const value of words.match(/"[^"]*"\S*|[^\s"]\S*/g) ?? []) {
        const text = fileWith(key, value);
        t.equal(isValid(parse(text), schema), isRight, `the schema: ${text}`);
        t.equal(isTaken(text), isRight, `coldpgs: ${text}`);
      }
});

void t.test('more than two decimals of a percentage are refused by coldpgs alone', async (t) => {
  // Validators divide in binary: told of hundredths, they refuse 0.29.
  for (const value of ['0.123', '0.001', '1e-7'])
    t.equal(isTaken(fileWith('memcg.period_psi_percent_limit', value)), false, value);
});

function isTaken(text: string): boolean {
  try {
    parseConfig(text, 'f');
    return true;
  } catch {
    return false;
  }
}
