/** Memcgs handled before other work has its turn: a few milliseconds, so that files are answered while thousands are looked at. */
const itemsAtOnce = 200;

/** Does something with each item, in order, and lets other work have its turn in between. */
export async function inSlices<Item>(items: Iterable<Item>, work: (item: Item) => void): Promise<void> {
  let done = 0;
  for (const item of items) {
    work(item);
    if (++done % itemsAtOnce === 0) await new Promise((resume) => setImmediate(resume));
  }
}
