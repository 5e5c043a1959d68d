import { systemErrno } from '../../errors.js';
import { isAtLeast, type KernelRelease } from '../kernel-release.js';
import { type MemoryReclaimInterface, reclaimCommand, type ReclaimedTypes } from '../memory-reclaim.js';
import { toText } from '../text.js';
import { writeText } from './kernel-file.js';
import type { MemcgFiles } from './memcg-files.js';
import { cgroupFileV2 } from './paths.js';
import { isGone, kernelRefused, memcgGone } from './refusal.js';

export class LinuxMemoryReclaim implements MemoryReclaimInterface {
  readonly holdsTo: readonly ReclaimedTypes[];

  constructor(
    private readonly files: MemcgFiles,
    release: KernelRelease,
  ) {
    const types: ReclaimedTypes[] = files.find('/', cgroupFileV2.reclaim) === undefined ? [] : ['both'];
    if (types.length > 0 && isAtLeast(release, 6, 11)) types.push('file');
    if (types.length > 0 && isAtLeast(release, 6, 16)) types.push('anon');
    this.holdsTo = types;
  }

  async reclaim(path: string, bytes: number, types: ReclaimedTypes): Promise<void> {
    const file = this.files.find(path, cgroupFileV2.reclaim);
    if (file === undefined) throw memcgGone(path);
    try {
      await writeText(file, reclaimCommand(bytes, types));
    } catch (error) {
      if (isGone(error)) throw memcgGone(path, error);
      // The kernel found less than that.
      if (systemErrno(error) !== 'EAGAIN')
        throw kernelRefused(`The kernel refuses to reclaim below ${toText(path)}.`, error);
    }
  }
}
