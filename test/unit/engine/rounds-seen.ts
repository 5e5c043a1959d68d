import type { World } from './world.js';

/** When /test was aged and when memcgs were listed, in whole seconds of the kernel's clock. */
export interface RoundsSeen {
  readonly looks: number[];
  readonly agings: number[];
}

/** Notes both from now on. */
export function roundsSeen({ clock, machine }: World): RoundsSeen {
  const looks: number[] = [];
  const agings: number[] = [];
  const seconds = (): number => Math.round(clock.nowMs() / 1000);
  const { lruGen } = machine.kernel;
  const read = lruGen.read.bind(lruGen);
  lruGen.read = () => {
    looks.push(seconds());
    return read();
  };
  machine.hooks.beforeAging = ({ path }) => {
    if (path === '/test') agings.push(seconds());
  };
  return { looks, agings };
}
