import { spawn } from 'node:child_process';
import { sentenceOf } from '../errors.js';
import type { Log } from '../log.js';

/**
 * Waits until its standard input ends, which it does when the daemon dies in whatever way, and gives back what the journal says is
 * still borrowed. A file that refuses is tried again, for two seconds in all: those of DAMON do while somebody else reads one. A plain
 * shell, so that it costs next to nothing and needs nothing of a daemon that was killed.
 */
const script = `
trap '' INT TERM HUP
cat > /dev/null
mv "$1" "$1.settled" 2> /dev/null || exit 0
left=20
while IFS='\t' read -r value file; do
  until [ ! -e "$file" ] || printf '%s\\n' "$value" > "$file"; do
    [ $((left -= 1)) -gt 0 ] || break
    sleep 0.1
  done
done < "$1.settled"
rm -f "$1.settled"
`;

/** Starts the guardian of a loan journal. It ends by itself after this process. */
export function startGuardian(journal: string, log: Log): void {
  const guardian = spawn('/bin/sh', ['-c', script, 'coldpgs-guardian', journal], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: '/',
  });
  guardian.on('error', (failure) =>
    log.warn(
      { failure: sentenceOf(failure) },
      'no guardian: settings borrowed at a crash are given back at the next start only',
    ),
  );
  guardian.stdin.on('error', () => undefined);
  guardian.unref();
  (guardian.stdin as unknown as { unref?(): void }).unref?.();
}
