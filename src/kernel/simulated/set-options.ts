import { PAGE_BYTES, mib } from './bytes.js';

/** Size of a set: one of the two. */
export type Size = { readonly mib: number } | { readonly pages: number };

/** How a set is used; see PageSetNature. Without `touchedEveryMs` never again. */
export interface Use {
  readonly touchedEveryMs?: number;
  readonly node?: number;
  readonly mlocked?: boolean;
  readonly missedByWalk?: number;
  /** Steps from the youngest generation down to the one the pages are in; where new pages start when absent. */
  readonly generationsDown?: number;
}

export type AnonOptions = Size & Use & { readonly pid?: number; readonly shmem?: boolean };
export type FileOptions = Size & Use & { readonly access?: 'mapped' | 'read'; readonly dirty?: boolean };

/** The whole pages of a size. */
export function pagesOf(size: Size): number {
  return 'pages' in size ? size.pages : Math.floor(mib(size.mib) / PAGE_BYTES);
}
