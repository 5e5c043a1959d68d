// Compiles src/ to dist/, from scratch: a file that is gone from src/ must not live on in dist/.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('..', import.meta.url));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
rmSync(`${top}dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [compiler, '-p', `${top}src/tsconfig.json`], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const name of ['coldpgs', 'mem-agent-srv', 'mem-agent-ctl', 'kata-agent-ctl'])
  chmodSync(`${top}dist/cli/${name}.cjs`, 0o755);
