import t from 'tap';
import { run } from '../../../src/fuse/command.js';

void t.test('the exit status and what was written to stderr', async (t) => {
  t.same(await run('true', [], 10_000), { status: 0, stderr: '' });
  t.same(await run('sh', ['-c', 'echo no >&2; exit 7'], 10_000), { status: 7, stderr: 'no\n' });
});

void t.test('a command that is not there, is killed, or does not end has no status', async (t) => {
  t.match(await run('/there/is/no/such/command', [], 10_000), { status: undefined, stderr: 'ENOENT' });
  t.match(await run('sh', ['-c', 'kill -9 $$'], 10_000), { status: undefined });
  t.match(await run('sleep', ['60'], 50), { status: undefined, stderr: 'did not end within 50 ms' });
});
