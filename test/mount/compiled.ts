import { fileURLToPath } from 'node:url';

/** The JavaScript of a TypeScript file of this checkout, to be run as a program: compiled beside the running test. */
export function compiled(source: string): string {
  return fileURLToPath(new URL(`../../${source.replace(/ts$/, 'js')}`, import.meta.url));
}
