// build.mjs [FOLDER]: makes dist/, or that folder, of src/, from scratch. Each program is one file with all that it imports: every start of a daemon, and so every restart after a crash, loads
// a handful of files instead of 400.
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [folder = 'dist'] = process.argv.slice(2);
const top = fileURLToPath(new URL('..', import.meta.url));
/** What package.json names as commands: they start the programs. */
const commands = ['coldpgs', 'mem-agent-srv', 'mem-agent-ctl', 'kata-agent-ctl'];
/** Modules that they start. */
const started = commands.flatMap((name) => {
  const text = readFileSync(`${top}src/cli/${name}.cts`, 'utf8');
  return Array.from(text.matchAll(/import\('\.\/([\w-]+)\.js'\)/g), ([, module]) => module);
});
/** Modules of src/ that run as programs, by their place in dist/: all beside the first, so that paths from there mean the same. */
const programs = {
  ...Object.fromEntries(started.map((module) => [`cli/${module}`, `cli/${module}`])),
  'cli/mlock/lock-changer': 'kernel/linux/mlock/lock-changer',
};

/** yargs as CommonJS breaks the lines of its help between words; as a module it has nothing to tell words by. */
const yargsInWords = {
  name: 'yargs in words',
  setup: ({ onResolve }) => onResolve({ filter: /^yargs$/ }, () => ({ path: `${top}node_modules/yargs/index.cjs` })),
};

const common = { absWorkingDir: top, platform: 'node', target: 'node20', logLevel: 'warning', legalComments: 'none' };
rmSync(`${top}${folder}`, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: commands.map((name) => `src/cli/${name}.cts`),
  outdir: `${folder}/cli`,
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
});
await build({
  ...common,
  entryPoints: Object.entries(programs).map(([out, name]) => ({ in: `src/${name}.ts`, out })),
  outdir: folder,
  chunkNames: 'cli/[name]-[hash]',
  format: 'esm',
  bundle: true,
  splitting: true,
  sourcemap: true,
  plugins: [yargsInWords],
  // Of machine code, and not needed by everybody.
  external: ['fuse-native', 'koffi'],
  // Some packages are CommonJS inside.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url), __dirname = import.meta.dirname;",
  },
});
for (const name of commands) chmodSync(`${top}${folder}/cli/${name}.cjs`, 0o755);
