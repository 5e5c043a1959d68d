// npm test [-- [--jobs N] FILE.test.ts...]: compiles the checkout to build/tests, and runs test files there, N at a time, each in a process of its
// own; all that need no VM if none is named. Prints TAP. Compiled once: a loader that compiles in every process takes longer than most tests do.
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { availableParallelism } from 'node:os';
import t from 'tap';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const compiled = join(checkout, 'build/tests');
/** What files find by a path from their own place. */
const besides = ['package.json', 'docs', 'scripts', 'test/fixtures'];
const timeoutMs = 300_000;
/** Files set no other for all that is in them. */
const env = { ...process.env, TAP_TIMEOUT: `${timeoutMs / 1000}` };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: `${availableParallelism()}` } },
});
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', join(checkout, 'tsconfig.tests.json')], {
  stdio: ['ignore', 2, 2],
});
if (status !== 0) process.exit(status ?? 1);
for (const place of besides)
  if (!lstatSync(join(compiled, place), { throwIfNoEntry: false }))
    symlinkSync(join(checkout, place), join(compiled, place));

t.setTimeout(0);
t.jobs = Number(values.jobs);
for (const name of positionals.length > 0 ? positionals.map((file) => relative(checkout, resolve(file))) : allTests()) {
  const script = join(compiled, name.replace(/ts$/, 'js'));
  void t.spawn(process.execPath, ['--enable-source-maps', script], { cwd: checkout, env, timeout: timeoutMs }, name);
}

function allTests() {
  return ['test/unit', 'test/mount'].flatMap((folder) =>
    readdirSync(join(checkout, folder), { recursive: true })
      .filter((file) => file.endsWith('.test.ts'))
      .sort()
      .map((file) => join(folder, file)),
  );
}
