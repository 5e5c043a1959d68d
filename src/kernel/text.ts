/** Kernel names are bytes; inside coldpgs they are strings with one character a byte (latin1). These two convert for people and for Node's UTF-8 interfaces. */

/** The text a person reads for a kernel name: UTF-8 where the bytes are valid UTF-8. */
export function toText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The kernel name (a character a byte) of a text. */
export function fromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
