// npm test [-- [--jobs N] FILE.test.ts...]: compiles the checkout to build/tests, builds the programs beside it as users have them, and runs test
// files there, N processes at a time; all that need no VM if none is named. Prints TAP. Compiled once: a loader that compiles in every process takes longer
// than most tests do. So does starting one: those unit tests of a room that take no time run in one process.
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
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
/** Those that take longest, of each kind: started first, so that none of them runs alone in the end, each in a process of its own. */
const longest = [
  'test/unit/kernel/linux/mlock/tracing.test.ts',
  'test/unit/daemon/killed-with-locks.test.ts',
  'test/unit/engine/autopilot-day.test.ts',
  'test/unit/engine/promise.test.ts',
  'test/mount/mem-agent.test.ts',
  'test/mount/supervisor.test.ts',
  'test/mount/workflows.test.ts',
  'test/mount/kill.test.ts',
  'test/mount/open-files.test.ts',
  'test/mount/files.test.ts',
  'test/mount/exec.test.ts',
  'test/mount/parallel.test.ts',
];
/** Files set no other for all that is in them. */
const env = { ...process.env, TAP_TIMEOUT: `${timeoutMs / 1000}` };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: `${availableParallelism()}` } },
});
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
run(compiler, '-p', join(checkout, 'tsconfig.tests.json'));
run(join(checkout, 'scripts/build.mjs'), relative(checkout, join(compiled, 'dist')));
for (const place of besides)
  if (!lstatSync(join(compiled, place), { throwIfNoEntry: false }))
    symlinkSync(join(checkout, place), join(compiled, place));

t.setTimeout(0);
t.jobs = Number(values.jobs);
const named = positionals.map((file) => relative(checkout, resolve(file)));
for (const [name, files] of programs(longestFirst(named.length > 0 ? named : allTests()))) {
  const script = files.length === 1 ? inCompiled(files[0]) : together(name, files);
  void t.spawn(process.execPath, ['--enable-source-maps', script], { cwd: checkout, env, timeout: timeoutMs }, name);
}

/** Which test files run in one process, by what that is called. */
function programs(names) {
  const files = new Map();
  for (const name of names) {
    const [room] = longest.includes(name) ? [] : (/^test\/unit\/[^/]+/.exec(name) ?? []);
    const key = room ?? name;
    files.set(key, [...(files.get(key) ?? []), name]);
  }
  return files;
}

/** A program that runs test files one after the other. Their failures name them. */
function together(name, files) {
  const script = join(compiled, `${name.replaceAll('/', '-')}.js`);
  writeFileSync(script, files.map((file) => `import '${inCompiled(file)}';\n`).join(''));
  return script;
}

function inCompiled(name) {
  return join(compiled, name.replace(/ts$/, 'js'));
}

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

function allTests() {
  return ['test/unit', 'test/mount'].flatMap((folder) =>
    readdirSync(join(checkout, folder), { recursive: true })
      .filter((file) => file.endsWith('.test.ts'))
      .sort()
      .map((file) => join(folder, file)),
  );
}

function longestFirst(names) {
  return [...longest.filter((name) => names.includes(name)), ...names.filter((name) => !longest.includes(name))];
}
