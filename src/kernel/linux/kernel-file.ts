/** Files of the kernel as text of one character a byte. Errors are Node's own, with their errno in `code`. */
import { closeSync, constants, openSync, read, readFileSync, readSync, write, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemErrno } from '../../errors.js';
import { Slice } from './slice.js';

/** seq_file hands out about a page at a time whatever is asked; this leaves room for those that give more. */
const PIECE_BYTES = 64 * 1024;

const readPiece = promisify(read);
const writePiece = promisify(write) as (
  descriptor: number,
  bytes: Uint8Array,
  offset?: number,
  length?: number,
  position?: number,
) => Promise<{ bytesWritten: number }>;

/** A path of one character a byte as the bytes that system calls take. */
export function pathBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Most files of a memcg fit, and a buffer of this size costs next to nothing. */
const SHORT_BYTES = 8 * 1024;

/**
 * The text of a short file. Opening and closing kernel files takes microseconds and is done here and now; what the kernel may take
 * long for is done in a thread of its own: making the text, not finding that there is no more of it.
 */
export async function readText(file: string): Promise<string> {
  const descriptor = openSync(pathBytes(file), constants.O_RDONLY);
  try {
    let buffer = Buffer.allocUnsafe(SHORT_BYTES);
    let { bytesRead } = await readPiece(descriptor, buffer, 0, buffer.length, null);
    let text = buffer.toString('latin1', 0, bytesRead);
    if (bytesRead < buffer.length) {
      bytesRead = readSync(descriptor, buffer);
      text += buffer.toString('latin1', 0, bytesRead);
    }
    while (bytesRead > 0) {
      if (buffer.length < PIECE_BYTES) buffer = Buffer.allocUnsafe(PIECE_BYTES);
      ({ bytesRead } = await readPiece(descriptor, buffer, 0, buffer.length, null));
      text += buffer.toString('latin1', 0, bytesRead);
    }
    return text;
  } finally {
    closeSync(descriptor);
  }
}

export function readTextSync(file: string): string {
  return readFileSync(pathBytes(file), 'latin1');
}

/** The text of a file that some machines do not have; undefined there. */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await readText(file);
  } catch (error) {
    if (systemErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads a long file in pieces, as the kernel hands them out. Other work goes on between them. */
export async function* readPieces(file: string): AsyncGenerator<string, void> {
  const handle = await openFile(file, constants.O_RDONLY);
  try {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.toString('latin1', 0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** The longest that reading pieces here and now keeps other work waiting. */
const SLICE_MS = 2;

/**
 * As {@link readPieces}, for a file whose pieces the kernel makes without waiting for anything: each takes it less time than a thread takes to be
 * woken, and there may be hundreds.
 */
export async function* readQuickPieces(file: string): AsyncGenerator<string, void> {
  const descriptor = openSync(pathBytes(file), constants.O_RDONLY);
  try {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    const slice = new Slice(SLICE_MS);
    for (;;) {
      const bytesRead = readSync(descriptor, buffer);
      if (bytesRead === 0) return;
      yield buffer.toString('latin1', 0, bytesRead);
      if (slice.isOver) await slice.next();
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Hands `text` to the kernel in one write(2), in a thread of its own: however long the kernel takes, other work goes on. */
export async function writeText(file: string, text: string): Promise<void> {
  await writeBytesAt(file, Buffer.from(text, 'latin1'));
}

/**
 * Fills `into` from a place in a file, in a thread of its own: the kernel may hand out a piece at a time. Answers the bytes read, fewer at
 * the end of the file.
 */
export async function readBytesAt(file: string, into: Uint8Array, position: number): Promise<number> {
  const descriptor = openSync(pathBytes(file), constants.O_RDONLY);
  try {
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await readPiece(descriptor, into, filled, into.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  } finally {
    closeSync(descriptor);
  }
}

/** A file that stays open, for reads that are many and short: what takes the kernel less time than opening the file, or handing it to a thread. */
export class OpenKernelFile {
  #descriptor: number | undefined;

  constructor(private readonly file: string) {}

  /** As {@link readBytesAt}, before anything else goes on, and as much as the kernel hands out at once. */
  readAt(into: Uint8Array, position: number): number {
    this.#descriptor ??= openSync(pathBytes(this.file), constants.O_RDONLY);
    return readSync(this.#descriptor, into, 0, into.length, position);
  }
}

/**
 * Writes `bytes` at a place in a file, or where it begins, in a thread of its own and by one system call: what the kernel does not take of a page or
 * less it would not take when asked again.
 */
export async function writeBytesAt(file: string, bytes: Uint8Array, position?: number): Promise<void> {
  const descriptor = openSync(pathBytes(file), constants.O_WRONLY);
  try {
    await writePiece(descriptor, bytes, 0, bytes.length, position);
  } finally {
    closeSync(descriptor);
  }
}

/** As {@link writeText}, before anything else goes on. */
export function writeTextSync(file: string, text: string): void {
  const descriptor = openSync(pathBytes(file), constants.O_WRONLY);
  try {
    writeSync(descriptor, Buffer.from(text, 'latin1'));
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file that is already there; nothing is made or cut off. */
export async function openFile(file: string, flags: number): Promise<FileHandle> {
  return open(pathBytes(file), flags);
}
