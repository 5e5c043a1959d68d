/** The version of a running kernel, as far as behaviour depends on it. */
export interface KernelRelease {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

/** Parses `uname -r` (for example `6.12.107+deb13-amd64`). Text without a version counts as 0.0: a kernel that can do nothing new. */
export function parseKernelRelease(text: string): KernelRelease {
  const [, major = '0', minor = '0'] = /^(\d{1,9})\.(\d{1,9})/.exec(text) ?? [];
  return { text: text.trim(), major: Number(major), minor: Number(minor) };
}

/** Whether the release is that version or a later one. */
export function isAtLeast(release: KernelRelease, major: number, minor: number): boolean {
  return release.major > major || (release.major === major && release.minor >= minor);
}
