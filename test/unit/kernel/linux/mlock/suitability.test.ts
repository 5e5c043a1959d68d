import t from 'tap';
import { identityIn, obstacleIn, parseMappings } from '../../../../../src/kernel/linux/mlock/suitability.js';

const limits = (locked: string): string => `Limit  Soft Limit  Hard Limit  Units
Max processes             31435                31435                processes
Max locked memory         ${locked}            unlimited            bytes
`;

function status(changes: Record<string, string> = {}): string {
  const fields = {
    State: 'S (sleeping)',
    TracerPid: '0',
    VmLck: '   65536 kB',
    CapEff: '0000000000004000',
    Seccomp: '0',
  };
  return Object.entries({ ...fields, ...changes })
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');
}

void t.test('processes that are left alone, and why', async (t) => {
  t.equal(obstacleIn(status(), limits('65536')), undefined);
  t.equal(obstacleIn(status({ Seccomp: '2' }), limits('0')), 'it has a seccomp filter');
  t.equal(obstacleIn(status({ Seccomp: '1' }), limits('0')), 'it has a seccomp filter');
  t.equal(obstacleIn(status({ TracerPid: '7' }), limits('0')), 'another program traces it');
  t.equal(obstacleIn(status({ State: 'T (stopped)' }), limits('0')), 'it is stopped');
  t.equal(obstacleIn(status({ State: 'Z (zombie)' }), limits('0')), 'its main thread has ended');
  t.equal(obstacleIn(status({ x86_Thread_features: 'shstk wrss' }), limits('0')), 'it has a shadow stack');
});

void t.test('only a process that may lock so much again is unlocked', async (t) => {
  const poor = status({ CapEff: '0' });
  t.match(obstacleIn(poor, limits('65536')), /RLIMIT_MEMLOCK/);
  t.equal(obstacleIn(poor, limits('67108864')), undefined);
  t.equal(obstacleIn(poor, limits('unlimited')), undefined);
});

void t.test('a process is known by when it started and where its stack begins', async (t) => {
  const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
  t.same(identityIn(5, `5 (a) name) ${fields.join(' ')}`), { pid: 5, startTicks: '22', stackStart: '28' });
  t.equal(identityIn(5, ''), undefined);
});

void t.test('code that stays: of the program, the C library and the kernel, and nobody may write to it', async (t) => {
  const mappings = parseMappings(`55d0c1a00000-55d0c1a02000 r--p 00000000 fe:00 12 /opt/a program
55d0c1a02000-55d0c1a04000 r-xp 00002000 fe:00 12                         /opt/a program
7f00c0000000-7f00c0001000 r-xp 00000000 fe:00 13                         /lib/plugin.so
7f00c1000000-7f00c1001000 r-xp 00000000 fe:00 14                         /lib/libc.so.6
7f00c2000000-7f00c2001000 rwxp 00000000 00:00 0
7ffd3ab00000-7ffd3ab21000 rw-p 00000000 00:00 0                          [stack]
7ffd3abd0000-7ffd3abd2000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`);
  const starts = (wanted: (one: (typeof mappings)[number]) => boolean): string[] =>
    mappings.filter(wanted).map(({ start }) => start.toString(16));
  t.same(
    starts(({ isLastingCode }) => isLastingCode),
    ['55d0c1a02000', '7f00c1000000', '7ffd3abd0000'],
  );
  t.same(
    starts(({ isMainStack }) => isMainStack),
    ['7ffd3ab00000'],
  );
});
