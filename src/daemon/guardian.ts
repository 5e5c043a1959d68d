import { spawn } from 'node:child_process';
import { sentenceOf } from '../errors.js';
import type { Log } from '../log.js';

/**
 * Waits until its standard input ends, which it does when the daemon dies in whatever way, and gives back what the journal says is
 * still borrowed, but for what is somebody else's by now: a proof is read once, as giving back the first of the loans that share one may end what it goes by.
 * A file that refuses is tried again, for two seconds in all: those of DAMON do while somebody else reads one. A plain
 * shell, so that it costs next to nothing and needs nothing of a daemon that was killed.
 */
const script = `
trap '' INT TERM HUP
cat > /dev/null
mv "$1" "$1.settled" 2> /dev/null || exit 0
left=20
again() {
  [ $((left -= 1)) -gt 0 ] && sleep 0.1
}
holds() {
  [ "$1" = "$asked" ] && return "$answer"
  asked=$1 answer=1
  until said=$(cat "\${1#* }"); do
    [ -e "\${1#* }" ] && again || break
  done
  [ "$said" = "\${1%% *}" ] && answer=0
  return "$answer"
}
proof=
while IFS='\t' read -r value file; do
  case $file in
    /*) ;;
    *)
      [ "$value" = while ] && proof=$file
      continue ;;
  esac
  if [ -z "$proof" ] || holds "$proof"; then
    until [ ! -e "$file" ] || printf '%s\\n' "$value" > "$file"; do
      again || break
    done
  fi
  proof=
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
