/** As much of JSON Schema as ours needs. Throws at a keyword that it does not know. */
export function isValid(value: unknown, schema: Schema, root = schema): boolean {
  return Object.entries(schema).every(([keyword, says]) => {
    const check = keywords[keyword];
    if (!check) throw new Error(`no keyword of JSON Schema: ${keyword}`);
    return check(value, says as never, root, schema);
  });
}

export type Schema = Readonly<Record<string, unknown>>;
type Check = (value: unknown, says: never, root: Schema, schema: Schema) => boolean;

const about = () => true;

const keywords: Readonly<Record<string, Check>> = {
  $schema: about,
  $defs: about,
  title: about,
  description: about,
  default: about,
  type: (value, types: string | string[]) => [types].flat().some((type) => isOfType(value, type)),
  enum: (value, words: unknown[]) => words.includes(value),
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  pattern: (value, pattern: string) => typeof value !== 'string' || new RegExp(pattern).test(value),
  minLength: (value, least: number) => typeof value !== 'string' || value.length >= least,
  anyOf: (value, schemas: Schema[], root) => schemas.some((schema) => isValid(value, schema, root)),
  not: (value, schema: Schema, root) => typeof value !== 'string' || !isValid(value, schema, root),
  $ref: (value, path: string, root) =>
    isValid(
      value,
      path
        .slice(2)
        .split('/')
        .reduce((schema, name) => schema[name] as Schema, root),
      root,
    ),
  required: (value, names: string[]) => !isMap(value) || names.every((name) => name in value),
  properties: (value, schemas: Record<string, Schema>, root) =>
    !isMap(value) ||
    Object.entries(schemas).every(([name, schema]) => !(name in value) || isValid(value[name], schema, root)),
  additionalProperties: (value, _none, _root, { properties }) =>
    !isMap(value) || Object.keys(value).every((name) => name in (properties as object)),
  items: (value, schema: Schema, root) => !Array.isArray(value) || value.every((item) => isValid(item, schema, root)),
  uniqueItems: (value) => !Array.isArray(value) || new Set(value).size === value.length,
};

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  return type === 'object' ? isMap(value) : typeof value === type;
}
