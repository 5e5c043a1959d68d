/** Each of the 15 keys against its rule, through every way by which a value comes in. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseAutopilotOptions } from '../../../src/daemon/autopilot-options.js';
import type { AutopilotStart } from '../../../src/daemon/autopilot-start.js';
import { parseConfig } from '../../../src/daemon/config-file.js';
import { cmdlineEntries, kataEntries } from '../../../src/daemon/kata-import.js';
import { autopilotOfKata } from '../../../src/daemon/kata-keys.js';
import { ColdpgsError } from '../../../src/errors.js';
import { type Rule, rules } from './mem-agent-rules.js';
import { served, type Served } from './served.js';

/** A way by which values come in. */
interface Way {
  /** What a refusal calls the key. */
  readonly nameOf: (rule: Rule) => string;
  /** Gives the key a value as a person writes it there, and answers what it is then. */
  readonly take: (rule: Rule, text: string) => Promise<string> | string;
}

const folder = '/sys/kernel/mm/mem_agent';

/** The ways that change a running one. */
function files(it: Served): Readonly<Record<string, Way>> {
  return {
    'the control file': {
      nameOf: ({ half, key }) => `${half} ${key}`,
      take: async ({ half, key }, text) => {
        await it.write(`${folder}/${half}/${key}`, `${text}\n`);
        return it.read(`${folder}/${half}/${key}`).trimEnd();
      },
    },
    settings: {
      nameOf: ({ half, key }) => `${half} ${key}`,
      take: async ({ half, key }, text) => {
        await it.write(`${folder}/${half}/settings`, `{"${key}":${json(text)}}`);
        return new RegExp(`"${key}":([^,}]*)`).exec(it.read(`${folder}/${half}/settings`))?.[1] ?? '';
      },
    },
  };
}

/** The ways that a daemon is started with. */
const starts: Readonly<Record<string, Way>> = {
  'command line options': parsed(
    ({ half, key }) => `${half} ${key}`,
    (rule, text) => parseAutopilotOptions({ [withHalf(rule).replaceAll('_', '-')]: text }),
  ),
  'configuration file': parsed(
    ({ half, key }) => `${half} ${key}`,
    ({ half, key }, text) => parseConfig(`mem_agent:\n  ${half}:\n    ${key}: ${json(text)}\n`, 'f').autopilot,
  ),
  'kata configuration.toml': parsed(kataKey, (rule, text) =>
    autopilotOfKata(kataEntries(`mem_agent_enable = true\n${kataKey(rule)} = ${text}\n`, 'f')),
  ),
  'kernel command line': parsed(kataKey, (rule, text) =>
    autopilotOfKata(cmdlineEntries(`agent.mem_agent_enable=1 agent.mem_agent_${kataKey(rule)}=${text}`, 'f')),
  ),
};

void t.test('the rules are for the keys that there are', async (t) => {
  const it = await served();
  for (const half of ['memcg', 'compact'] as const)
    t.same(
      Object.keys(JSON.parse(it.read(`${folder}/${half}/settings`)) as object),
      rules.filter((rule) => rule.half === half).map(({ key }) => key),
    );
});

void t.test('a value in range is taken and read back, by every way', async (t) => {
  const ways = { ...files(await served()), ...starts };
  for (const [name, way] of Object.entries(ways))
    for (const rule of rules) {
      const property = fc.asyncProperty(rule.inside, async ({ text, says }) =>
        assert.equal(await way.take(rule, text), says, text),
      );
      await t.resolves(fc.assert(property, { numRuns: 20 }), `${name}: ${rule.half} ${rule.key}`);
    }
});

void t.test('any other is refused with a sentence that names it, and changes nothing', async (t) => {
  const it = await served();
  const inForce = (): string => ['memcg', 'compact'].map((half) => it.read(`${folder}/${half}/settings`)).join('');
  for (const [name, way] of Object.entries({ ...files(it), ...starts }))
    for (const rule of rules) {
      const property = fc.asyncProperty(rule.outside, async (text) => {
        const before = inForce();
        await assert.rejects(
          async () => way.take(rule, text),
          (failure: unknown) => {
            assert.ok(failure instanceof ColdpgsError);
            assert.equal(failure.errno, 'EINVAL');
            assert.match(failure.code, /^BAD_(VALUE|SETTING)$/);
            assert.match(failure.message, sentenceOf(way.nameOf(rule), rule.allowed, text));
            return true;
          },
        );
        assert.equal(inForce(), before);
      });
      await t.resolves(fc.assert(property, { numRuns: 40 }), `${name}: ${rule.half} ${rule.key}`);
    }
});

function parsed(nameOf: Way['nameOf'], parse: (rule: Rule, text: string) => AutopilotStart): Way {
  return {
    nameOf,
    take: (rule, text) => {
      const start = parse(rule, text);
      const value = (start[rule.half] as Readonly<Record<string, unknown>>)[rule.key];
      return value === Infinity ? '18446744073709551615' : String(value);
    },
  };
}

/** Which key, what is allowed, what was given. Of large numbers the first 14 digits are told as they were given. */
function sentenceOf(name: string, allowed: string, given: string): RegExp {
  const shown = /^\d{16,}$/.test(given) ? `${given.slice(0, 14)}\\d+` : literally(given);
  return new RegExp(`${name}\\b.* takes ${literally(allowed)}.*, not "?${shown}"?(\\.|$)`);
}

/** A number or a boolean as it is, anything else as a text. */
function json(text: string): string {
  return /^-?\d+(\.\d+)?$|^true$|^false$/.test(text) ? text : JSON.stringify(text);
}

/** memcg_period_secs: keys that begin with the name of their half are not given it twice. */
function withHalf({ half, key }: Rule): string {
  return key.startsWith(`${half}_`) ? key : `${half}_${key}`;
}

/** Kata says memcg_disable. */
function kataKey(rule: Rule): string {
  return withHalf(rule).replace(/_disabled$/, '_disable');
}

function literally(text: string): string {
  return text.replace(/[.+()]/g, '\\$&');
}
