import { spawn } from 'node:child_process';
import { sentenceOf } from '../errors.js';
import type { Log } from '../log.js';

/**
 * Waits until its standard input ends, which it does when the daemon dies in whatever way, and gives back what the journal says is
 * still borrowed. A plain shell, so that it costs next to nothing and needs nothing of a daemon that was killed.
 */
const script = `
trap '' INT TERM HUP
cat > /dev/null
mv "$1" "$1.settled" 2> /dev/null || exit 0
while IFS='\t' read -r value file; do
  # Some files of the kernel refuse whoever meets another reader.
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    [ -e "$file" ] || break
    printf '%s\\n' "$value" > "$file" && break
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
