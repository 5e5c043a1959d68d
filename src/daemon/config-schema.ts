import * as z from 'zod';
import { compactRows, memcgRows, type SettingRow } from '../engine/autopilot-settings.js';
import { settingsSchema } from './settings.js';

/** The JSON Schema of configuration files, for editors and for checks without coldpgs. Published as docs/coldpgs.schema.json. */
export function configSchemaText(): string {
  const { properties = {} } = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' });
  const options = Object.entries(properties).map(([name, schema]) => [
    name,
    asWritten(schema as Record<string, unknown>),
  ]);
  const memcg = Object.fromEntries(memcgRows.map((row) => [row.key, ofRow(row)]));
  const compact = Object.fromEntries(compactRows.map((row) => [row.key, ofRow(row)]));
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of coldpgs (coldpgs mount --config)',
    type: 'object',
    additionalProperties: false,
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
                { type: 'string' },
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

/** Numbers may be written as such: the options of a command line are texts. */
function asWritten(schema: Record<string, unknown>): Record<string, unknown> {
  const isNumber =
    typeof schema['pattern'] === 'string' && schema['pattern'].startsWith('^\\d+') && !schema['pattern'].includes(':');
  return isNumber ? { ...schema, type: ['number', 'string'] } : schema;
}

function ofRow<Settings>({ schema, allowed, says }: SettingRow<Settings>): Record<string, unknown> {
  const type: Record<string, unknown> = z.toJSONSchema(schema, { unrepresentable: 'any' });
  delete type['$schema'];
  return {
    description: `${says}: ${allowed}`,
    ...(Object.keys(type).length > 0 ? type : { type: 'number', minimum: 0 }),
  };
}

function cgroupProperties(memcg: Record<string, unknown>): Record<string, unknown> {
  return {
    path: { type: 'string' },
    'numa-id': { description: 'nodes; none: all that are left', type: ['array', 'string', 'number'] },
    'no-subdir': { type: 'boolean' },
    ...Object.fromEntries(Object.entries(memcg).map(([key, schema]) => [key.replaceAll('_', '-'), schema])),
    ...memcg,
  };
}
