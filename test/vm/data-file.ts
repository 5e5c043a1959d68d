import { rmSync } from 'node:fs';
import { says } from './shell.js';

/** On the root disk; /tmp is memory itself. */
const folder = '/var/tmp';

/** Makes a file of so many MiB that is on disk and not in the page cache: whoever reads it first is charged for it. */
export async function makeDataFile(name: string, mib: number): Promise<string> {
  const file = `${folder}/${name}-${process.pid}`;
  await says(`dd if=/dev/zero of="$FILE" bs=1M count=${mib} conv=fsync status=none`, { FILE: file });
  await dropFromPageCache([file]);
  return file;
}

/** Whoever reads the files next reads them from disk. */
export async function dropFromPageCache(files: readonly string[]): Promise<void> {
  for (const file of files) await says('dd if="$FILE" iflag=nocache count=0 status=none', { FILE: file });
}

export function removeDataFile(file: string): void {
  rmSync(file, { force: true });
}
