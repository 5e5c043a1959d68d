import { type DevFuseOptions, DevFuseTransport } from '../../src/fuse/dev-fuse/transport.js';
import { FuseNativeTransport } from '../../src/fuse/fuse-native.js';
import type { FuseTransport } from '../../src/fuse/transport.js';
import type { Tree } from '../../src/tree/tree.js';

/** What a transport may be unable to do. */
export type Gap = 'names that are not UTF-8' | 'poll' | 'interrupts' | 'callers';

interface Tested {
  readonly make: (tree: Tree, options: DevFuseOptions) => FuseTransport;
  readonly gaps: readonly Gap[];
}

/** Every transport that must pass the conformance tests, by name. */
export const transports: Record<string, Tested> = {
  'dev-fuse': { make: (tree, options) => new DevFuseTransport(tree, options), gaps: [] },
  'fuse-native': {
    make: (tree, options) => new FuseNativeTransport(tree, options),
    gaps: ['names that are not UTF-8', 'poll', 'interrupts', 'callers'],
  },
};

/** For the `skip` of a test: why this transport cannot pass it, or false. */
export function gap(transport: string, what: Gap): string | false {
  return transports[transport]?.gaps.includes(what) ? `${transport} cannot do it: ${what}` : false;
}
