#!/usr/bin/env -S node --max-semi-space-size=2 --no-parallel-scavenge
// mem-agent-srv is coldpgs mount with the autopilot on.
const given = process.argv.slice(2);
const options: string[] = [];
for (let at = 0; at < given.length; at++) {
  const word = given[at] ?? '';
  // mem-agent's socket: clients use the mounted files here.
  if (word === '--addr') at++;
  else if (!word.startsWith('--addr=')) options.push(word);
}
if (options.some((word) => /^--log-file(=|$)/.test(word))) {
  process.stderr.write('mem-agent-srv: the log goes to standard error: redirect that instead of --log-file.\n');
  process.exitCode = 2;
} else {
  const coldpgs = require.resolve('./coldpgs.cjs');
  process.argv = [process.execPath, coldpgs, 'mount', '--as-mem-agent', ...options];
  void import(coldpgs);
}
