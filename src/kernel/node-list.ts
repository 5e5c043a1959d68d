/** Parses a list of numbers as the kernel writes it (`0-2,5`, "%*pbl"): ascending as written; parts in another form are passed over. */
export function parseNodeList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .flatMap((part) => {
      const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
      if (first === undefined) return [];
      return Array.from({ length: Math.max(0, Number(last) - Number(first) + 1) }, (_, index) => Number(first) + index);
    });
}
