/** Text and bytes captured from real kernels (test/fixtures/capture.sh). */
import { readFileSync } from 'node:fs';

export const CAPTURED_KERNELS = ['kernel-6.1', 'kernel-6.12', 'kernel-7.2'] as const;

export type CapturedKernel = (typeof CAPTURED_KERNELS)[number] | 'cgroup-v1' | 'kernel-tracking';

/** A captured file as latin1 text. */
export function captured(kernel: CapturedKernel, name: string): string {
  return capturedBytes(kernel, name).toString('latin1');
}

export function capturedBytes(kernel: CapturedKernel, name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${kernel}/${name}`, import.meta.url));
}
