/** One line of /proc/swaps. */
export interface SwapDevice {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly priority: number;
}
