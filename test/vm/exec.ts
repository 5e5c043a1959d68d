import type { Daemon } from './daemon.js';
import { type Ended, says, sh } from './shell.js';

/** Runs a bash script under `coldpgs exec` over a daemon's mount. */
export function execSh(daemon: Daemon, layout: 'v1' | 'v2', script: string): Promise<Ended> {
  return sh('exec coldpgs exec --layout "$LAYOUT" --mount "$MOUNT" -- bash -c "$SCRIPT"', {
    LAYOUT: layout,
    MOUNT: daemon.mountPoint,
    SCRIPT: script,
  });
}

/** What such a script wrote to standard output. Rejects when it fails or complains. */
export function execSays(daemon: Daemon, layout: 'v1' | 'v2', script: string): Promise<string> {
  return says('exec coldpgs exec --layout "$LAYOUT" --mount "$MOUNT" -- bash -c "$SCRIPT"', {
    LAYOUT: layout,
    MOUNT: daemon.mountPoint,
    SCRIPT: script,
  });
}
