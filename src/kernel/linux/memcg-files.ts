import { existsSync } from 'node:fs';
import { systemErrno } from '../../errors.js';
import { pathBytes, readText, readTextSync } from './kernel-file.js';
import { directoryOf } from './memcg-path.js';
import type { MemoryHierarchy } from './memory-hierarchy.js';
import { isGone, kernelRefused, memcgGone } from './refusal.js';

/** The interface files of memcgs. */
export class MemcgFiles {
  constructor(private readonly hierarchy: MemoryHierarchy) {}

  /** The path of a memcg's file, or undefined when the memcg has none of that name. */
  find(path: string, name: string): string | undefined {
    const file = `${directoryOf(this.hierarchy, path)}/${name}`;
    return existsSync(pathBytes(file)) ? file : undefined;
  }

  /** The text of a file that every memcg has, at once. Throws MEMCG_GONE and KERNEL_REFUSED. */
  textNow(path: string, name: string): string {
    const file = `${directoryOf(this.hierarchy, path)}/${name}`;
    try {
      return readTextSync(file);
    } catch (error) {
      throw isGone(error) ? memcgGone(path, error) : kernelRefused(`Cannot read ${file}.`, error);
    }
  }

  /** The text of a memcg's file; undefined when the memcg is there without such a file. Throws MEMCG_GONE and KERNEL_REFUSED. */
  async text(path: string, name: string): Promise<string | undefined> {
    const directory = directoryOf(this.hierarchy, path);
    try {
      return await readText(`${directory}/${name}`);
    } catch (error) {
      if (systemErrno(error) === 'ENOENT' && existsSync(pathBytes(directory))) return undefined;
      throw isGone(error) ? memcgGone(path, error) : kernelRefused(`Cannot read ${directory}/${name}.`, error);
    }
  }
}
