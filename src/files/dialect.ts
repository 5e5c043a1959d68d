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
  stats: (own, total) =>
    ledgerRows.map((row) => kilobyteRow(row.padEnd(32), own[row])).join('') +
    ledgerRows.map((row) => kilobyteRow(`Total ${row.padEnd(26)}`, total[row])).join(''),
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

function kilobyteRow(label: string, bytes = 0): string {
  return `${label}: ${String(Math.floor(bytes / 1024)).padStart(20)} kB\n`;
}
