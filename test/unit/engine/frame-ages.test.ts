import t from 'tap';
import { FrameAges, type PagesByAge } from '../../../src/engine/frame-ages.js';
import { isIdleAt, setIdleAt } from '../../../src/kernel/idle-bitmap.js';
import { frameFlag, PageFrames } from '../../../src/kernel/page-frames.js';

const lruFile = frameFlag.lru;
const lruAnon = frameFlag.lru | frameFlag.swapBacked;
const memcgInode = 42;

interface Frame {
  readonly flags: number;
  readonly idle?: boolean;
}

/** One look at the frames; what it counted for the memcg, and the frames it marked. */
function look(ages: FrameAges, ...all: Frame[]): { pages: PagesByAge | undefined; marked: number[] } {
  const frames = new PageFrames(64);
  const idle = new Uint8Array(8);
  const marks = new Uint8Array(8);
  for (const [index, frame] of all.entries()) {
    frames.set(index, frame.flags, memcgInode);
    if (frame.idle) setIdleAt(idle, index);
  }
  const counts = new Map<number, PagesByAge>();
  ages.look(0, all.length, frames, idle, marks, counts);
  return {
    pages: counts.get(memcgInode),
    marked: all.map((_, index) => index).filter((index) => isIdleAt(marks, index)),
  };
}

const used: Frame = { flags: lruAnon };
const idle: Frame = { flags: lruAnon, idle: true };

void t.test('a page that stays idle gets a look older with each, and young again when used', async (t) => {
  const ages = new FrameAges(64);
  t.equal(look(ages, used).pages?.anon[0], 1);
  t.equal(look(ages, idle).pages?.anon[1], 1);
  t.equal(look(ages, idle).pages?.anon[2], 1);
  t.equal(look(ages, used).pages?.anon[0], 1);
  t.equal(look(ages, idle).pages?.anon[1], 1);
});

void t.test('ages end at 255', async (t) => {
  const ages = new FrameAges(64);
  for (let count = 0; count < 300; count++) look(ages, idle);
  t.equal(look(ages, idle).pages?.anon[255], 1);
});

void t.test('a read keeps the mark under MgLRU, but shows', async (t) => {
  const ages = new FrameAges(64);
  look(ages, { flags: lruFile, idle: true });
  t.equal(look(ages, { flags: lruFile | frameFlag.referenced, idle: true }).pages?.file[0], 1);
});

void t.test('marks pages of users, by the first page of a folio', async (t) => {
  const tail = lruFile | frameFlag.compoundTail;
  const { marked, pages } = look(
    new FrameAges(64),
    { flags: lruFile },
    { flags: tail },
    { flags: tail },
    { flags: 0 },
    used,
  );
  t.strictSame(marked, [0, 4]);
  t.equal(pages?.file[0], 3);
});

void t.test('the pages of a folio are as old as its first', async (t) => {
  const ages = new FrameAges(64);
  const tail: Frame = { flags: lruFile | frameFlag.compoundTail };
  look(ages, { flags: lruFile }, tail);
  t.equal(look(ages, { flags: lruFile, idle: true }, tail).pages?.file[1], 2);
});

void t.test('a frame that was free in between starts anew', async (t) => {
  const ages = new FrameAges(64);
  look(ages, idle);
  look(ages, idle);
  t.equal(look(ages, { flags: 0 }).pages, undefined);
  t.equal(look(ages, idle).pages?.anon[1], 1);
});
