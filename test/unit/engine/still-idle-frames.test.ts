import t from 'tap';
import { StillIdleFrames } from '../../../src/engine/still-idle-frames.js';
import { frameFlag } from '../../../src/kernel/page-frames.js';
import { memcgOf, ModelFrames, type ModelPage } from './frames-kernel.js';

const memcg = memcgOf('/a', 7n);
const other = memcgOf('/b', 8n);

/** Frames whose pages are all marked idle, and all of an age that will do unless more is said. */
function idleFrames(frames: ModelFrames, wasIdle: (pfn: number) => boolean = () => true): StillIdleFrames {
  for (const page of frames.pages) if (page) page.idle = true;
  return new StillIdleFrames(frames.interfaces, 7, () => wasIdle);
}

function pfns(...numbers: number[]): Float64Array {
  return Float64Array.from(numbers);
}

void t.test('idle is what was idle at the last looks and has not been used since', async (t) => {
  const frames = new ModelFrames();
  const pages = frames.add(memcg, 'anon', 600);
  const idle = idleFrames(frames, (pfn) => pfn !== 3);
  pages[1]?.touch();
  pages[2]?.read();
  t.same(await idle.among(pfns(0, 1, 2, 3, 4, -1, 599), 'anon'), Uint8Array.of(1, 0, 0, 0, 1, 0, 1));
});

void t.test('what is of the other type, of another memcg, mlocked, or new in its frame is not', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 1);
  frames.add(memcg, 'file', 1);
  frames.add(other, 'anon', 1);
  const [mlocked, arrived] = frames.add(memcg, 'anon', 2);
  const idle = idleFrames(frames);
  if (mlocked) frames.pages[3] = withFlags(mlocked, frameFlag.unevictable);
  if (arrived) arrived.idle = false;
  t.same(await idle.among(pfns(0, 1, 2, 3, 4, 900), 'anon'), Uint8Array.of(1, 0, 0, 0, 0, 0));
  t.same(await idle.among(pfns(0, 1, 2, 3, 4, 900), 'file'), Uint8Array.of(0, 1, 0, 0, 0, 0));
});

void t.test('the mark of a large folio is that of its first page', async (t) => {
  const frames = new ModelFrames();
  const pages = frames.add(memcg, 'anon', 8);
  const idle = idleFrames(frames);
  for (const pfn of [1, 2, 3, 5, 6, 7]) {
    const tail = pages[pfn];
    if (tail) Object.assign(frames.pages, { [pfn]: withFlags(tail, frameFlag.compoundTail) });
  }
  for (const pfn of [1, 2, 3, 5, 6, 7]) Object.assign(frames.pages[pfn] ?? {}, { idle: false });
  pages[4]?.touch();
  t.same(await idle.among(pfns(0, 1, 2, 3, 4, 5, 6, 7), 'anon'), Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0));
});

void t.test('of a large folio whose other pages have no flags of their own nothing is idle', async (t) => {
  const frames = new ModelFrames();
  const pages = frames.add(memcg, 'anon', 3);
  const idle = idleFrames(frames);
  const tail = pages[1];
  if (tail) frames.pages[1] = withFlags(tail, frameFlag.compoundTail, frameFlag.lru);
  t.same(await idle.among(pfns(0, 1, 2), 'anon'), Uint8Array.of(0, 0, 1));
});

function withFlags(page: ModelPage, flags: number, without = 0): ModelPage {
  return Object.create(page, { flags: { value: (page.flags | flags) & ~without } }) as ModelPage;
}
