import { FuseNativeTransport } from '../../src/fuse/fuse-native.js';
import type { FuseTransport, TransportOptions } from '../../src/fuse/transport.js';
import type { Tree } from '../../src/tree/tree.js';

/** Every transport that must pass the conformance tests, by name. */
export const transports: Record<string, (tree: Tree, options: TransportOptions) => FuseTransport> = {
  'fuse-native': (tree, options) => new FuseNativeTransport(tree, options),
};
