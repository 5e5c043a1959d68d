import { setTimeout as sleep } from 'node:timers/promises';
import { ColdpgsError } from '../../src/errors.js';
import type { ControlFile, Directory } from '../../src/files/control-file.js';
import { directory, readOnly, writable } from '../unit/tree/nodes.js';

/** What writes to the file `total` add up to. */
export interface Total {
  sum: number;
}

/** A small tree with a file or directory for every behaviour that a transport must carry. */
export function demoTree(total: Total = { sum: 0 }): Directory {
  const changingNames: string[] = [];
  return directory({
    counter: counter(),
    echo: echo('echo'),
    large: readOnly('large', () => largeText()),
    empty: readOnly('empty', () => ''),
    'read-only': { ...readOnly('read-only', () => 'only\n'), mode: 0o400 },
    unreadable: readOnly('unreadable', () => {
      throw new ColdpgsError('MEMCG_GONE', 'ENODEV', 'What it tells of has gone.');
    }),
    refusing: writable('refusing', () => {
      throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'No value is good enough.');
    }),
    busy: writable('busy', () => {
      throw new ColdpgsError('MEMORY_LIMIT', 'EBUSY', 'The limit is reached.');
    }),
    defective: writable('defective', () => {
      throw new TypeError('a defect');
    }),
    stubborn: writable('stubborn', () => sleep(3_000)),
    'with some spaces': echo('with some spaces'),
    [latin1('größe 日本')]: echo('größe'),
    'not UTF-8 \xff': echo('not UTF-8'),
    ['n'.repeat(255)]: echo('long name'),
    many: directory(Object.fromEntries(manyNames().map((name) => [name, readOnly(`many/${name}`, () => name)]))),
    total: {
      ...writable('total', (text) => {
        total.sum += Number(text);
      }),
      render: () => `${total.sum}\n`,
    },
    'total-slowly': writable('total slowly', async (text) => {
      total.sum += Number(text);
      await sleep(300);
      total.sum += Number(text);
    }),
    'told-of': toldOf(),
    journals: madeOnDemand('journals', journal),
    slow: madeOnDemand('slow', slow),
    'changing-names': writable('changing-names', (text) => {
      changingNames.splice(0, Infinity, ...text.split(/\s+/).filter((name) => name !== ''));
    }),
    changing: {
      ...directory({}),
      identity: 'changing',
      changing: true,
      names: () => changingNames,
      child: (name) =>
        changingNames.includes(name)
          ? readOnly(`changing/${name}`, () => {
              if (changingNames.includes(name)) return `${name}\n`;
              throw new ColdpgsError('MEMCG_GONE', 'ENOENT', 'It was removed.');
            })
          : undefined,
    },
  });
}

/** 10,000 names of 200 bytes. */
export function manyNames(): string[] {
  return Array.from({ length: 10_000 }, (_, index) => String(index).padStart(200, '0'));
}

/** 64 KiB, every 16 bytes different. */
export function largeText(): string {
  return Array.from({ length: 4096 }, (_, line) => `line ${String(line).padStart(10, '0')}\n`.slice(-16)).join('');
}

/** Another number every time it is rendered. */
function counter(): ControlFile {
  let count = 0;
  return readOnly('counter', () => `${++count}\n`);
}

/** Says what was last written. */
function echo(identity: string): ControlFile {
  let last = 'nothing yet\n';
  return {
    ...writable(identity, (bytes) => {
      last = bytes;
    }),
    render: () => last,
  };
}

/** Says what was last written, and tells of each change. */
function toldOf(): ControlFile {
  let last = 'nothing yet\n';
  const listeners = new Set<() => void>();
  return {
    ...writable('told-of', (bytes) => {
      last = bytes;
      for (const tell of listeners) tell();
    }),
    render: () => last,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Says every write it was given, one JSON string a line, in ASCII. */
function journal(name: string): ControlFile {
  const writes: string[] = [];
  return {
    ...writable(`journal ${name}`, (bytes) => {
      writes.push(`${ascii(JSON.stringify(bytes))}\n`);
    }),
    render: () => writes.join(''),
  };
}

/** A write takes as many milliseconds as the file's name says, or less when aborted; the text tells begin and end of each. */
function slow(name: string): ControlFile {
  const events: string[] = [];
  return {
    ...writable(`slow ${name}`, async (bytes, { signal }) => {
      events.push(`begin ${bytes.trim()}\n`);
      await sleep(parseInt(name), undefined, { signal }).catch(() => {
        throw new ColdpgsError('CANCELLED', 'EINTR', 'The slow write was interrupted.');
      });
      events.push(`end ${bytes.trim()}\n`);
    }),
    render: () => events.join(''),
  };
}

/** A directory where any name is a file of its own, from the first time somebody asks for it. */
function madeOnDemand(identity: string, make: (name: string) => ControlFile): Directory {
  const children = new Map<string, ControlFile>();
  return {
    ...directory({}),
    identity,
    names: () => [...children.keys()],
    child(name) {
      const child = children.get(name) ?? make(name);
      children.set(name, child);
      return child;
    },
  };
}

function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
