import type { SettingInterface } from '../kernel.js';
import { onceNotBusySync } from './busy.js';
import { readTextSync, writeTextSync } from './kernel-file.js';
import type { MemcgFiles } from './memcg-files.js';
import { isGone, kernelRefused } from './refusal.js';

/** Settings of the machine as the files they are. */
export class LinuxSettings implements SettingInterface {
  constructor(private readonly files: MemcgFiles) {}

  memcgFile(path: string, name: string): string | undefined {
    return this.files.find(path, name);
  }

  read(file: string): string | undefined {
    try {
      return onceNotBusySync(() => readTextSync(file)).replace(/\n$/, '');
    } catch (error) {
      if (isGone(error)) return undefined;
      throw kernelRefused(`Cannot read ${file}.`, error);
    }
  }

  write(file: string, value: string): void {
    try {
      onceNotBusySync(() => writeTextSync(file, value));
    } catch (error) {
      throw kernelRefused(`Cannot write ${value} to ${file}.`, error);
    }
  }
}
