import * as z from 'zod';
import { compactRows, memcgRows, type SettingRow } from '../engine/autopilot-settings.js';
import { settingsSchema } from './settings.js';

/** The JSON Schema of configuration files, for editors and for checks without coldpgs. Published as docs/coldpgs.schema.json. */
export function configSchemaText(): string {
  const { properties = {} } = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' });
  const options = Object.entries(properties).map(([name, schema]) => [
    name,
    asWritten(name, schema as Record<string, unknown>),
  ]);
  const memcg = Object.fromEntries(memcgRows.map((row) => [row.key, ofRow(row)]));
  const compact = Object.fromEntries(compactRows.map((row) => [row.key, ofRow(row)]));
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of coldpgs (coldpgs mount --config)',
    type: 'object',
    additionalProperties: false,
    $defs: { mode: { description: 'permissions', enum: modesAsNumbers() } },
    properties: {
      ...(Object.fromEntries(options) as object),
      mem_agent: {
        description: 'the autopilot',
        type: 'object',
        additionalProperties: false,
        properties: {
          memcg: { type: 'object', additionalProperties: false, properties: memcg },
          compact: { type: 'object', additionalProperties: false, properties: compact },
          cgroups: {
            description: 'memcgs with settings of their own',
            type: 'array',
            items: {
              anyOf: [
                { type: 'string', pattern: '(^|,)\\s*path\\s*=' },
                {
                  type: 'object',
                  required: ['path'],
                  additionalProperties: false,
                  properties: cgroupProperties(memcg),
                },
              ],
            },
          },
        },
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** The same as texts: the options of a command line have no numbers. */
const numbers: Readonly<Record<string, Record<string, unknown>>> = {
  'scan-period': {
    type: ['integer', 'string'],
    minimum: 0,
    maximum: 65535,
    pattern: '^0*(\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])$',
  },
  'scan-cpu-percent': {
    type: ['number', 'string'],
    minimum: 0.1,
    maximum: 100,
    pattern: '^0*(0\\.[1-9]\\d*|[1-9]\\d?(\\.\\d+)?|100(\\.0+)?)$',
  },
};

/** What may stand behind an option in YAML, where digits are a number. */
function asWritten(name: string, schema: Record<string, unknown>): Record<string, unknown> {
  const { enum: words, type, pattern, ...about } = schema;
  if (name in numbers) return { ...about, ...numbers[name] };
  if (name.startsWith('mode-')) return { ...about, anyOf: [{ type, pattern }, { $ref: '#/$defs/mode' }] };
  if (Array.isArray(words)) {
    const quantities = words.map(Number).filter((number) => !Number.isNaN(number));
    return quantities.length === 0 ? schema : { ...about, enum: [...(words as string[]), ...quantities] };
  }
  return type === 'string' && pattern === undefined ? { ...schema, type: ['string', 'number'] } : schema;
}

/** Permissions that are not in quotes: three octal digits are a decimal number to YAML. */
function modesAsNumbers(): number[] {
  const modes = Array.from({ length: 0o1000 }, (_none, mode) => Number(mode.toString(8)));
  return modes.filter((digits) => digits >= 100);
}

function ofRow<Settings>({ schema, allowed, says }: SettingRow<Settings>): Record<string, unknown> {
  const type: Record<string, unknown> = z.toJSONSchema(schema, { unrepresentable: 'any' });
  delete type['$schema'];
  return { description: `${says}: ${allowed}`, ...(type['type'] === 'boolean' ? flag : type) };
}

const flag = { type: ['boolean', 'integer'], minimum: 0, maximum: 1 };
const node = { type: 'integer', minimum: 0, maximum: 1023 };

function cgroupProperties(memcg: Record<string, unknown>): Record<string, unknown> {
  const numaId = {
    description: 'nodes; none: all that are left',
    anyOf: [
      { type: 'array', uniqueItems: true, items: node },
      node,
      { type: 'string', pattern: '^(\\d{1,4}(:\\d{1,4})*)?$' },
    ],
  };
  return {
    path: { type: ['string', 'number'], not: { pattern: '(^|/)\\.\\.?(/|$)' } },
    'numa-id': numaId,
    numa_id: numaId,
    'no-subdir': flag,
    no_subdir: flag,
    ...Object.fromEntries(Object.entries(memcg).map(([key, schema]) => [key.replaceAll('_', '-'), schema])),
    ...memcg,
  };
}
