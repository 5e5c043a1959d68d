/** CPU time used, in microseconds, from cpu.stat of cgroup v2 (`usage_usec`, there without the cpu controller too); undefined where it does not say. */
export function parseCpuUsage(text: string): number | undefined {
  const match = /^usage_usec (\d{1,20})\n/m.exec(text);
  return match ? Number(match[1]) : undefined;
}
