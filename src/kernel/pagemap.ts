/** A page-aligned range of a process's addresses, end exclusive. Addresses stay below 2^53 on the architectures Linux runs MgLRU on. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}
