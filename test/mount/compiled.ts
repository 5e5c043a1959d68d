import { fileURLToPath } from 'node:url';

/** The JavaScript of a TypeScript file of this checkout, to be run as a program: compiled beside the running test. */
export function compiled(source: string): string {
  return fileURLToPath(new URL(`../../${source.replace(/ts$/, 'js')}`, import.meta.url));
}

/** A program as it is built for users, by its name: it starts in half the time of its compiled modules. */
export function program(name: 'coldpgs' | 'mem-agent-srv' | 'mem-agent-ctl' | 'kata-agent-ctl'): string {
  return fileURLToPath(new URL(`../../dist/cli/${name}.cjs`, import.meta.url));
}
