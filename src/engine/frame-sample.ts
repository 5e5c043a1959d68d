/** Neighbouring frames that are looked at together: small, so that a sample of them spreads over all memory. */
export const framesPerBlock = 64;

/** The first frames of the blocks of a sample: all of memory's where that is no more than `mostFrames`, else every n-th, none twice. */
export function sampledBlocks(frameCount: number, mostFrames: number): Uint32Array {
  const blocks = Math.ceil(frameCount / framesPerBlock);
  const wanted = Math.max(1, Math.min(blocks, Math.floor(mostFrames / framesPerBlock)));
  return Uint32Array.from({ length: blocks === 0 ? 0 : wanted }, (_, index) => {
    // From a place inside each of the equal parts that is as good as random: rhythms of the machine's layout are not met.
    const [from, to] = [Math.floor((index * blocks) / wanted), Math.floor(((index + 1) * blocks) / wanted)];
    return (from + ((Math.imul(index + 1, 2_654_435_761) >>> 0) % (to - from))) * framesPerBlock;
  });
}
