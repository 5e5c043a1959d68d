/** Neighbouring frames that are looked at together: few, so that a sample of them spreads over all memory. */
export const framesPerBlock = 64;

/** What is known of a sampled frame: nothing as long as it is only `unseen`; `there` is page cache that only read(2) can reach, `mapped` such that page tables map; 0 is neither. */
export const known = { unseen: 1, there: 2, bitWasSet: 4, readAgain: 8, mapped: 16 } as const;

/** A block that joins a sample later counts in it after so many looks: till then a page that is used now and then looks like one that is not. */
export const settledLooks = 16;

/** Every n-th block of the machine's frames, with what is known of each frame from look to look. Ages are in looks, a byte each. */
export interface FrameSample {
  /** n, a power of two. */
  readonly stride: number;
  readonly firstPfns: Uint32Array;
  /** Looks at each block, up to {@link settledLooks}. */
  readonly looks: Uint8Array;
  readonly known: Uint8Array;
  /** Lower half of the inode of the memcg. */
  readonly owner: Uint32Array;
  readonly readAge: Uint8Array;
  readonly arrivalAge: Uint8Array;
}

/** A sample of memory with so many frames of which nothing is known yet. */
export function frameSample(frameCount: number, stride: number): FrameSample {
  const blocks = Math.ceil(frameCount / framesPerBlock / stride);
  const frames = blocks * framesPerBlock;
  return {
    stride,
    firstPfns: Uint32Array.from({ length: blocks }, (_, block) => block * stride * framesPerBlock),
    looks: new Uint8Array(blocks),
    known: new Uint8Array(frames).fill(known.unseen),
    owner: new Uint32Array(frames),
    readAge: new Uint8Array(frames),
    arrivalAge: new Uint8Array(frames),
  };
}

/** The same with another stride: what both have in common keeps what is known of it. */
export function resampled(sample: FrameSample, frameCount: number, stride: number): FrameSample {
  const other = frameSample(frameCount, stride);
  for (const [block, firstPfn] of other.firstPfns.entries()) {
    const before = firstPfn / framesPerBlock / sample.stride;
    if (!Number.isInteger(before) || before >= sample.firstPfns.length) continue;
    other.looks[block] = sample.looks[before]!;
    const [from, to, at] = [before * framesPerBlock, (before + 1) * framesPerBlock, block * framesPerBlock];
    for (const field of ['known', 'owner', 'readAge', 'arrivalAge'] as const)
      other[field].set(sample[field].subarray(from, to), at);
  }
  return other;
}

/** Notes that all blocks are looked at once more. */
export function countLook({ looks }: FrameSample): void {
  for (let block = 0; block < looks.length; block++) looks[block] = Math.min(looks[block]! + 1, settledLooks);
}

/** Whether enough is known of a block: as much as of the first one, which is in every sample from the start, or as much as counts. */
export function isSettled({ looks }: FrameSample, block: number): boolean {
  return looks[block]! >= Math.min(settledLooks, looks[0]!);
}

/** The stride by which a sample has at most so many frames. */
export function strideFor(frameCount: number, mostFrames: number): number {
  let stride = 1;
  while (frameCount / stride > mostFrames) stride *= 2;
  return stride;
}

/** The frame that a place in the sample stands for. */
export function pfnAt({ firstPfns }: FrameSample, index: number): number {
  return (firstPfns[Math.floor(index / framesPerBlock)] ?? 0) + (index % framesPerBlock);
}
