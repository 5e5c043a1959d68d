import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

/** Log lines to stderr: for people on a terminal, as JSON lines otherwise. Written at once, so that a crash loses none. */
export function createLog(level: string): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
