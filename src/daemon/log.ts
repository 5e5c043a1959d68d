import { pino, type Logger } from 'pino';

/** Log lines to stderr: for people on a terminal, as JSON lines otherwise. Written at once, so that a crash loses none. */
export async function createLog(level: string): Promise<Logger> {
  // Loaded only where it is used: a daemon that goes on with a mount is waited for.
  const destination = process.stderr.isTTY
    ? (await import('pino-pretty')).default({
        destination: 2,
        sync: true,
        ignore: 'pid,hostname',
        translateTime: 'HH:MM:ss.l',
      })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
