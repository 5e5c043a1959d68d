/** One swap device. Slots in use are counted by the page sets that hold them. */
export interface SimulatedSwapDevice {
  readonly name: string;
  readonly sizePages: number;
  readonly priority: number;
}
