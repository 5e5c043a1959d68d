import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { SimulatingDaemon } from './files-daemon.js';
import { reasonToSkip, temporaryFolder } from './fixture.js';

/** A daemon that finds another `mount` first, which cannot do it. */
async function withoutMountCommand(t: Test, ...options: readonly string[]): Promise<SimulatingDaemon> {
  const commands = await temporaryFolder(t);
  await writeFile(join(commands, 'mount'), '#!/bin/sh\necho "mount: unknown option -i" >&2; exit 1\n');
  await chmod(join(commands, 'mount'), 0o755);
  const path = `${commands}:${process.env['PATH'] ?? ''}`;
  return new SimulatingDaemon(t, await temporaryFolder(t), options, { PATH: path });
}

const skip = reasonToSkip();

void t.test('without a choice it is dev-fuse', { skip }, async (t) => {
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t));
  await daemon.logged('"transport":"dev-fuse"');
  t.match(await daemon.says('cat coldpgs/settings'), /^transport: auto$/m);
});

void t.test('where dev-fuse does not work it is fuse-native, and the log says why', { skip }, async (t) => {
  const daemon = await withoutMountCommand(t);
  await daemon.logged('"transport":"fuse-native"');
  t.match(daemon.log.join('\n'), 'unknown option -i');
  t.match(daemon.log.join('\n'), 'falling back to fuse-native');
  t.equal(await daemon.says('cat sys/kernel/mm/coldpgs/version'), '0x20500\n');
});

void t.test('who asks for dev-fuse gets no other', { skip }, async (t) => {
  const daemon = await withoutMountCommand(t, '--transport', 'dev-fuse');
  t.equal(await daemon.ended, 5);
  t.match(daemon.log.at(-1), /could not be mounted: mount: unknown option -i/);
});

void t.test('fuse-native can be asked for', { skip }, async (t) => {
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--transport', 'fuse-native']);
  await daemon.logged('"transport":"fuse-native"');
  t.match(await daemon.says('cat coldpgs/gauges'), /^threadsEverStarted: /m);
});
