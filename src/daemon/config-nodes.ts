import { isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';

/** One key of a map of YAML, and what stands behind it. */
export interface Entry {
  readonly key: string;
  readonly value: Node | null;
  /** Where they stand in the text. */
  readonly keyAt: number;
  readonly valueAt: number;
}

/** A single value. */
export interface Given {
  readonly value: string | number | boolean;
  /** As it is written: 0640 is the number 640 to YAML, and 0o640 the number 416. */
  readonly text: string;
}

export function entryOf({ key, value }: Pair<Node, Node | null>): Entry {
  const keyAt = offsetOf(key) ?? 0;
  return {
    key: String(isScalar(key) ? key.value : key),
    value,
    keyAt,
    valueAt: offsetOf(value) ?? keyAt,
  };
}

/** Undefined for nothing, and for what is more than one value. */
export function givenOf(node: Node | null): Given | undefined {
  if (!isScalar(node)) return undefined;
  const { value, source } = node;
  if (typeof value === 'string') return { value, text: value };
  if (typeof value === 'number' || typeof value === 'boolean') return { value, text: source ?? String(value) };
  return undefined;
}

/** What is there, for people. */
export function shownNode(node: Node | null): string {
  const given = givenOf(node);
  if (given) return typeof given.value === 'string' ? JSON.stringify(given.value) : given.text;
  if (isSeq(node)) return 'a list';
  return isMap(node) ? 'keys and values' : 'nothing';
}

/** Undefined for what is not in the text. */
export function offsetOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}
