import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

interface Ended {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** The top of the checkout, or the folder that is compiled like it. */
const top = fileURLToPath(new URL('../../..', import.meta.url));
const { bin } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { bin: Record<string, string> };

/** Runs a program by its own first line, as a shell does. */
function run(file: string, ...args: readonly string[]): Promise<Ended> {
  const env = { ...process.env, NODE_OPTIONS: '', PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

void t.test('each program of the package is built, starts through a link and says what it does', async (t) => {
  const links = t.testdir();
  const says: Readonly<Record<string, RegExp>> = {
    coldpgs: /^ *coldpgs mount \[mountpoint\]/m,
    'mem-agent-srv': /--memcg-disabled .*[^]*default: "\/run\/coldpgs"/,
    'mem-agent-ctl': /^ *mem-agent-ctl memcgset/m,
  };
  t.same(Object.keys(bin), Object.keys(says));
  for (const [name, file] of Object.entries(bin)) {
    symlinkSync(join(top, file), join(links, name));
    t.match(await run(join(links, name), '--help'), { status: 0, stdout: says[name], stderr: '' }, name);
  }
});

void t.test('check-config: exit code 0 for a file in order', async (t) => {
  const file = join(
    t.testdir({ 'good.yaml': 'scan-period: 20\nmem_agent:\n  memcg: { disabled: false, swap: true }\n' }),
    'good.yaml',
  );
  t.same(await run(join(top, bin['coldpgs'] ?? ''), 'check-config', file), {
    status: 0,
    stdout: `${file}: in order\n`,
    stderr: '',
  });
});

void t.test('check-config: exit code 2, and line and column of each mistake', async (t) => {
  const coldpgs = join(top, bin['coldpgs'] ?? '');
  const text = [
    'scan-period: 70000',
    'scan_cpu: 1',
    'mem_agent:',
    '  memcg:',
    '    period_secs: 0',
    '    swappiness_max: 50',
    '  compact: { compact_order: 14 }',
    '  cgroups:',
    '    - path=/pod,swap=maybe',
  ];
  const file = join(t.testdir({ 'bad.yaml': `${text.join('\n')}\n` }), 'bad.yaml');
  const { status, stdout, stderr } = await run(coldpgs, 'check-config', file);
  t.equal(status, 2);
  t.equal(stdout, '');
  const said = stderr
    .trimEnd()
    .replace(/^coldpgs: /, '')
    .split('\n');
  t.same(
    said.map(
      (line) =>
        /^(.*:\d+:\d+): (scan-period|there is no setting scan_cpu|.*(?:period_secs|compact_order|swap) takes)/.exec(
          line,
        )?.[1],
    ),
    ['1:14', '2:1', '5:18', '7:29', '9:7'].map((place) => `${file}:${place}`),
    stderr,
  );
  t.match(await run(coldpgs, 'check-config', '/nowhere.yaml'), { status: 2, stderr: /\/nowhere\.yaml cannot be read/ });
  t.match(await run(coldpgs, 'check-config'), { status: 2, stderr: /Name a file/ });
});
