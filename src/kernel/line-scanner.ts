const newline = '\n';
const blank = 0x20;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;
const a = 0x61;
const z = 0x7a;

/** The kernel writes no number that is longer. */
const mostDigits = 20;
/** Numbers of so many digits are added up exactly. */
const exactDigits = 15;

/**
 * Reads the lines of a text, and the fields of each from left to right, without a string for a line or for a number in it: in a listing of thousands of
 * memcgs those would cost more than anything else. No field goes past the newline of its line.
 */
export class LineScanner {
  /** Where the next character of the line is, and where its newline. */
  #at = 0;
  #end = -1;

  constructor(private readonly text: string) {}

  /** Goes on to the next line; answers whether there is one that ends with a newline. */
  nextLine(): boolean {
    this.#at = this.#end + 1;
    const end = this.text.indexOf(newline, this.#at);
    if (end !== -1) this.#end = end;
    return end !== -1;
  }

  /** What is behind the last newline. */
  unfinished(): string {
    return this.text.slice(this.#end + 1);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Skips blanks; answers how many. */
  skipBlanks(): number {
    const { text } = this;
    const start = this.#at;
    let at = start;
    while (text.charCodeAt(at) === blank) at++;
    this.#at = at;
    return at - start;
  }

  /** Skips a word if it is the next; answers whether it was. */
  skipWord(word: string): boolean {
    const isNext = this.text.startsWith(word, this.#at);
    if (isNext) this.#at += word.length;
    return isNext;
  }

  /** Reads a number of 1 to 20 digits; -1 where there is none. */
  count(): number {
    const { text } = this;
    const start = this.#at;
    let at = start;
    let value = 0;
    for (let digit = text.charCodeAt(at); digit >= zero && digit <= nine; digit = text.charCodeAt(++at))
      value = value * 10 + digit - zero;
    this.#at = at;
    const digits = at - start;
    if (digits === 0 || digits > mostDigits) return -1;
    return digits <= exactDigits ? value : Number(text.slice(start, at));
  }

  /** Reads a number that may be marked by a letter behind it, and counts as 0 where it is negative; -1 where there is none. */
  size(): number {
    const isNegative = this.text.charCodeAt(this.#at) === minus;
    if (isNegative) this.#at++;
    const count = this.count();
    const next = this.text.charCodeAt(this.#at);
    if (next >= a && next <= z) this.#at++;
    return isNegative ? Math.min(count, 0) : count;
  }

  /** Reads 1 to 20 digits as text; '' where there are none. */
  digits(): string {
    const start = this.#at;
    return this.count() < 0 ? '' : this.text.slice(start, this.#at);
  }

  /** The text up to the end of the line: `expected` itself where that is what it says. */
  rest(expected: string | undefined): string {
    const isExpected = expected?.length === this.#end - this.#at && this.text.startsWith(expected, this.#at);
    return isExpected ? expected : this.text.slice(this.#at, this.#end);
  }
}
