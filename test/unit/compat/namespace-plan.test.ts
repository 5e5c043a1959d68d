import t from 'tap';
import { namespacePlan, planScript, type PlannedFor } from '../../../src/compat/namespace-plan.js';

const planned: PlannedFor = {
  mountPoint: '/run/coldpgs',
  mm: [
    { name: 'lru_gen', isDirectory: true },
    { name: 'pages', isDirectory: false },
    { name: 'kidled', isDirectory: true },
  ],
  ours: ['coldpgs', 'kidled'],
  hierarchy: { version: 2, mountPoint: '/sys/fs/cgroup' },
  hasCgroupMemory: false,
  stage: '/stage',
};

const script = (layout: 'v1' | 'v2', changes: Partial<PlannedFor> = {}): string[] =>
  planScript(namespacePlan(layout, { ...planned, ...changes })).split('\n');

const mm = [
  "mount -t tmpfs -o mode=755 coldpgs '/stage' || exit 1",
  "mkdir '/stage/mm' || exit 1",
  "mkdir '/stage/mm/lru_gen' || exit 1",
  "mount --rbind '/sys/kernel/mm/lru_gen' '/stage/mm/lru_gen' || exit 1",
  ": > '/stage/mm/pages' || exit 1",
  "mount --rbind '/sys/kernel/mm/pages' '/stage/mm/pages' || exit 1",
  "mkdir '/stage/mm/coldpgs' || exit 1",
  "mount --rbind '/run/coldpgs/sys/kernel/mm/coldpgs' '/stage/mm/coldpgs' || exit 1",
  // What the kernel has of that name, as one of Alibaba's would, is behind ours.
  "mkdir '/stage/mm/kidled' || exit 1",
  "mount --rbind '/run/coldpgs/sys/kernel/mm/kidled' '/stage/mm/kidled' || exit 1",
  "mount --rbind '/stage/mm' '/sys/kernel/mm' || exit 1",
  "mount -o remount,bind,ro '/sys/kernel/mm' || exit 1",
];

void t.test('v2: our folders beside the real ones, and one tree over the hierarchy', async (t) => {
  t.same(script('v2'), [...mm, "mount --rbind '/run/coldpgs/cgroup/v2' '/sys/fs/cgroup' || exit 1", '']);
});

void t.test('v1 on a v2 machine: the paths of the document, and the real hierarchy beside them', async (t) => {
  t.same(script('v1').slice(mm.length), [
    "mkdir '/stage/cgroup' || exit 1",
    "mkdir '/stage/cgroup/memory' || exit 1",
    "mount --rbind '/run/coldpgs/cgroup/v1' '/stage/cgroup/memory' || exit 1",
    "mkdir '/stage/cgroup/unified' || exit 1",
    "mount --rbind '/sys/fs/cgroup' '/stage/cgroup/unified' || exit 1",
    "mount --rbind '/stage/cgroup' '/sys/fs/cgroup' || exit 1",
    "mount -o remount,bind,ro '/sys/fs/cgroup' || exit 1",
    "mount -t tmpfs -o mode=755 coldpgs '/cgroup' || exit 1",
    "mkdir '/cgroup/memory' || exit 1",
    "mount --rbind '/run/coldpgs/cgroup/v1' '/cgroup/memory' || exit 1",
    "mount -o remount,bind,ro '/cgroup' || exit 1",
    '',
  ]);
});

void t.test(
  'v1 on a v1 machine: over its own memory hierarchy, and over /cgroup/memory where there is one',
  async (t) => {
    const hierarchy = { version: 1, mountPoint: '/sys/fs/cgroup/memory' } as const;
    t.same(script('v1', { hierarchy, hasCgroupMemory: true }).slice(mm.length), [
      "mount --rbind '/run/coldpgs/cgroup/v1' '/sys/fs/cgroup/memory' || exit 1",
      "mount --rbind '/run/coldpgs/cgroup/v1' '/cgroup/memory' || exit 1",
      '',
    ]);
  },
);

void t.test('a path with a quote in it stays one word', async (t) => {
  t.match(script('v2', { mountPoint: "/run/it's" }).at(-2), "mount --rbind '/run/it'\\''s/cgroup/v2' ");
});
