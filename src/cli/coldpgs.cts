#!/usr/bin/env -S node --max-semi-space-size=2 --no-parallel-scavenge
// A small young generation keeps an idle daemon with 1,000 memcgs at 76 MiB instead of 97; one so small is collected by one thread with a fifth less of processor time
// than by several.
// CommonJS, because it must run before anything uses libuv's thread pool: each eviction command and each read of a process's
// memory holds a thread for as long as it takes, and the pool's four would leave none for everything else.
// The environment of exec and shell is that of their command.
const executes = process.argv[2] === 'exec' || process.argv[2] === 'shell';
if (!executes) process.env['UV_THREADPOOL_SIZE'] ??= '24';
// What runs once a scan period is not worth an optimizing compiler before it has run for long: with Node 20's own budget, 15 times smaller, compiling was half of what the first
// minutes took with 1,000 memcgs. Later engines have no such option, and refuse to start with it on their command line.
if (process.versions.v8.startsWith('11.'))
  process.getBuiltinModule('node:v8').setFlagsFromString('--interrupt-budget=1000000');
// The supervisor of a mount is this same command, with next to nothing loaded.
const supervises = process.argv[2] === 'mount' && process.env['COLDPGS_SUPERVISION'] === undefined;
if (supervises) void import('./supervise.js').then(({ supervise }) => supervise());
else if (executes) void import('./exec-main.js').then(({ main }) => main());
else void import('./main.js').then(({ main }) => main());
