import { ColdpgsError } from '../errors.js';
import type { Tree } from '../tree/tree.js';
import { type DevFuseOptions, DevFuseTransport } from './dev-fuse/transport.js';
import { FuseNativeTransport } from './fuse-native.js';
import type { FuseTransport } from './transport.js';

export const transportChoices = ['auto', 'dev-fuse', 'fuse-native'] as const;
export type TransportChoice = (typeof transportChoices)[number];

/**
 * Mounts the tree with the transport of that name; `auto` is dev-fuse, or fuse-native where the kernel or the mount command cannot do that, which is logged.
 * Throws as `FuseTransport.mount` does.
 */
export async function mountTree(choice: TransportChoice, tree: Tree, options: DevFuseOptions): Promise<FuseTransport> {
  if (choice === 'fuse-native') return await mounted(new FuseNativeTransport(tree, options));
  try {
    return await mounted(new DevFuseTransport(tree, options));
  } catch (failure) {
    if (choice === 'dev-fuse' || !(failure instanceof ColdpgsError) || failure.code !== 'MOUNT_FAILED') throw failure;
    options.log.warn({ reason: failure.message }, 'dev-fuse does not work here: falling back to fuse-native');
    return await mounted(new FuseNativeTransport(tree, options));
  }
}

async function mounted<Transport extends FuseTransport>(transport: Transport): Promise<Transport> {
  await transport.mount();
  return transport;
}
