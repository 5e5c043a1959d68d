/** One swap device. The page sets count the slots they hold. */
export interface SimulatedSwapDevice {
  readonly name: string;
  readonly sizePages: number;
  readonly priority: number;
  usedPages: number;
}
