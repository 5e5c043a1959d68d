import type { LedgerBytes, LedgerRow } from '../engine/ledger.js';
import { ledgerRows } from '../engine/ledger.js';

/** A form of the coldpgs files. `2.5` is the module's 2.5.0; `doc` is what examples 1 to 10 of its document show. */
export interface Dialect {
  readonly name: '2.5' | 'doc';
  /** What `version` says, as (major << 16) | (minor << 8) | revision. */
  readonly version: number;
  /** Bytes of one unit of memory.coldpgs.size. */
  sizeUnitBytes(pageBytes: number): number;
  stats(own: Readonly<LedgerBytes>, total: Readonly<LedgerBytes>, pageBytes: number): string;
}

const dialect25: Dialect = {
  name: '2.5',
  version: 0x20500,
  sizeUnitBytes: () => 1,
  stats: (own, total) => kilobyteRows(ownZeroes, own) + kilobyteRows(totalZeroes, total),
};

/** The document's rows end before `slab drop`; they count pages, and so does size there (its example 3). */
const dialectDoc: Dialect = {
  name: 'doc',
  version: 0x20500,
  sizeUnitBytes: (pageBytes) => pageBytes,
  stats: (own, _total, pageBytes) =>
    ledgerRows
      .slice(0, ledgerRows.indexOf('slab drop'))
      .map((row: LedgerRow) => `${row.padEnd(24)}: ${Math.floor((own[row] ?? 0) / pageBytes)}\n`)
      .join(''),
};

export const dialects = { '2.5': dialect25, doc: dialectDoc } as const;

const labelChars = 32;
const numberChars = 20;
const numberAt = labelChars + ': '.length;
const rowChars = numberAt + numberChars + ' kB\n'.length;
const ownZeroes = zeroes(ledgerRows);
const totalZeroes = zeroes(ledgerRows.map((row) => `Total ${row}`));

function zeroes(labels: readonly string[]): string {
  return labels.map((label) => `${label.padEnd(labelChars)}: ${'0'.padStart(numberChars)} kB\n`).join('');
}

/** Most rows are zero and all are of the same length, so the numbers are put into a text of zeroes: agents read these files often, of many memcgs. */
function kilobyteRows(text: string, bytes: Readonly<LedgerBytes>): string {
  let rows = '';
  let from = 0;
  for (const [index, row] of ledgerRows.entries()) {
    const kilobytes = Math.floor((bytes[row] ?? 0) / 1024);
    if (kilobytes === 0) continue;
    const at = index * rowChars + numberAt;
    rows += text.slice(from, at) + String(kilobytes).padStart(numberChars);
    from = at + numberChars;
  }
  return rows + text.slice(from);
}
