import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const output = join(checkout, 'build/mount');
const sources = ['src', 'test/mount', 'test/unit/tree'];

/**
 * The JavaScript of a TypeScript file of this checkout, with all of src/ beside it: a server that is killed twenty times must start fast. Compiled without type
 * checks, and only what is newer than what was compiled before.
 */
export function compiled(source: string): string {
  for (const folder of sources)
    for (const file of readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' }))
      if (/(?<!\.d)\.c?ts$/.test(file)) compile(join(folder, file));
  // packageVersion() looks for it two folders above.
  writeFileSync(join(output, 'package.json'), readFileSync(join(checkout, 'package.json')));
  return scriptOf(source);
}

function compile(source: string): void {
  const [from, to] = [join(checkout, source), scriptOf(source)];
  if ((statSync(to, { throwIfNoEntry: false })?.mtimeMs ?? 0) > statSync(from).mtimeMs) return;
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(readFileSync(from, 'utf8'), { fileName: from, compilerOptions: options });
  mkdirSync(dirname(to), { recursive: true });
  // Another test may be about to run it.
  writeFileSync(`${to}.${process.pid}`, outputText);
  renameSync(`${to}.${process.pid}`, to);
}

function scriptOf(source: string): string {
  return join(output, source.replace(/ts$/, 'js'));
}
