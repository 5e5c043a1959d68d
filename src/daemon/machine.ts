import { ColdpgsError } from '../errors.js';
import { capabilitiesText } from '../files/self.js';
import type { Capabilities } from '../kernel/capabilities.js';
import { createLinuxKernel } from '../kernel/linux/index.js';

/** What this machine can do, as text, and why coldpgs cannot work on it if so. Changes nothing. Throws NO_MEMORY_CONTROLLER. */
export async function inspectMachine(): Promise<{ text: string; obstacle: ColdpgsError | undefined }> {
  const capabilities = await createLinuxKernel().capabilities();
  return { text: capabilitiesText(capabilities), obstacle: obstacleOf(capabilities) };
}

/** Why the kernel's generations are out of reach, with what to do; undefined when they are not (MgLRU that is off can be turned on). */
export function obstacleOf({ lruGen, kernelRelease }: Capabilities): ColdpgsError | undefined {
  switch (lruGen) {
    case 'absent':
      return new ColdpgsError(
        'NO_LRU_GEN',
        'EOPNOTSUPP',
        `Kernel ${kernelRelease} has no MgLRU (CONFIG_LRU_GEN, Linux 6.1 or later), which coldpgs works with: boot one that has it, or try ./scripts/run, which uses a VM.`,
      );
    case 'no-debugfs':
      return new ColdpgsError(
        'NO_LRU_GEN',
        'EOPNOTSUPP',
        'The commands of MgLRU are in debugfs, which is not mounted: run mount -t debugfs debugfs /sys/kernel/debug and start again.',
      );
    case 'locked':
      return new ColdpgsError(
        'LRU_GEN_LOCKED',
        'EPERM',
        'The kernel does not let /sys/kernel/debug/lru_gen be written (lockdown, usual with Secure Boot): boot with lockdown=none, or without Secure Boot.',
      );
    case 'on':
    case 'off':
      return undefined;
  }
}
