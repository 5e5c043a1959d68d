/** Where log lines go: details first, then the sentence, as pino takes them. */
export interface Log {
  /** The least level that is logged, where it can be set. */
  level?: string;
  debug(details: object, sentence: string): void;
  info(details: object, sentence: string): void;
  warn(details: object, sentence: string): void;
  error(details: object, sentence: string): void;
}

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
