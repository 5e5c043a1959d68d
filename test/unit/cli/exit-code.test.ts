import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import t from 'tap';
import { exitCodeOf } from '../../../src/cli/exit-code.js';
import { main } from '../../../src/cli/main.js';
import { packageVersion } from '../../../src/daemon/package-version.js';
import { ColdpgsError, type ErrorCode } from '../../../src/errors.js';

/** Runs the command line in this process. Answers its exit code and what it said. */
async function coldpgs(
  t: Test,
  ...args: readonly string[]
): Promise<{ status: number; stdout: string; stderr: string }> {
  const stdout = t.capture(console, 'log');
  const stderr = t.capture(process.stderr, 'write', () => true);
  try {
    await main(args);
    const said = (results: readonly { readonly args: readonly unknown[] }[]): string =>
      results.map((one) => String(one.args[0])).join('');
    return { status: Number(process.exitCode ?? 0), stdout: said(stdout()), stderr: said(stderr()) };
  } finally {
    process.exitCode = undefined;
    stdout.restore();
    stderr.restore();
  }
}

void t.test('the exit code tells what went wrong', async (t) => {
  const codes: [ErrorCode, number][] = [
    ['BAD_SETTING', 2],
    ['NOT_ROOT', 3],
    ['NO_FUSE_DEVICE', 4],
    ['NO_LIBFUSE', 4],
    ['BAD_MOUNT_POINT', 5],
    ['MOUNT_POINT_IN_USE', 5],
    ['MOUNT_FAILED', 5],
    ['NO_LRU_GEN', 6],
    ['LRU_GEN_LOCKED', 6],
    ['NO_MEMORY_CONTROLLER', 6],
    ['STATE_IN_USE', 7],
    ['KERNEL_REFUSED', 1],
  ];
  for (const [code, expected] of codes) t.equal(exitCodeOf(new ColdpgsError(code, 'EIO', '')), expected, code);
  for (const other of [new Error('BAD_SETTING'), 'BAD_SETTING', undefined]) t.equal(exitCodeOf(other), 1);
});

void t.test('--version and --help end with 0', async (t) => {
  t.same(await coldpgs(t, '--version'), { status: 0, stdout: packageVersion(), stderr: '' });
  const { status, stdout } = await coldpgs(t, 'mount', '--help');
  t.equal(status, 0);
  for (const option of ['--scan-period', '--state-dir', '--simulate', '--owner', '--mode-memcg'])
    t.match(stdout, option);
});

void t.test('what is no command or option ends with 2 and one sentence', async (t) => {
  for (const [args, sentence] of [
    [[], 'Name a command'],
    [['mout'], 'mount'],
    [['mount', '--scan-perod', '5'], 'scan-perod'],
    [['mount', '--scan-period'], 'scan-period'],
    [['mount', '/one', '/two'], 'two'],
  ] as const)
    await t.test(`coldpgs ${args.join(' ')}`, async (t) => {
      const { status, stdout, stderr } = await coldpgs(t, ...args);
      t.equal(status, 2);
      t.equal(stdout, '');
      t.match(stderr, /^coldpgs: .*\n$/);
      t.match(stderr, sentence);
      t.notMatch(stderr, /^ +at /m, 'no stack');
    });
});

void t.test('a wrong value ends with 2, naming option, value and what is allowed', async (t) => {
  const { status, stderr } = await coldpgs(t, 'mount', '/nowhere', '--simulate', '--dialect', '3');
  t.equal(status, 2);
  t.match(stderr, /^coldpgs: --dialect "3": .*"2\.5"\|"doc"/);
});

void t.test('mount without root ends with 3 and says what to do', { skip: reasonNotToBeNobody() }, async (t) => {
  // Who may read everything finds the program also where the checkout is only root's to enter.
  const reader = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', ...reader, process.execPath];
  const program = fileURLToPath(new URL('../../../src/cli/coldpgs.cjs', import.meta.url));
  const command = [program, 'mount', '/nowhere', '--simulate'];
  const options = { timeout: 60_000 };
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile('setpriv', [...nobody, ...command], options, (error, _stdout, stderr) =>
      resolve({ code: error?.code, stderr }),
    );
  });
  t.equal(code, 3, stderr);
  t.match(stderr, /^coldpgs: coldpgs needs root.*sudo/);
});

function reasonNotToBeNobody(): string | false {
  if (process.geteuid?.() !== 0) return 'only root can become somebody else';
  try {
    accessSync('/usr/bin/setpriv', constants.X_OK);
    return false;
  } catch {
    return 'there is no setpriv';
  }
}
