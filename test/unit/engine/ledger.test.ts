import t from 'tap';
import { Ledger, ledgerRows } from '../../../src/engine/ledger.js';
import type { Memcg } from '../../../src/kernel/kernel.js';

const memcgs = {
  root: { path: '/', inode: 1n },
  pod: { path: '/pod', inode: 2n },
  app: { path: '/pod/app', inode: 3n },
  log: { path: '/pod/app/log', inode: 4n },
  podium: { path: '/podium', inode: 5n },
} satisfies Record<string, Memcg>;

const { root, pod, app, log, podium } = memcgs;
const allLive = (): boolean => true;

/** A ledger in which every memcg has dropped its inode number in kB. */
function filled(): Ledger {
  const ledger = new Ledger();
  for (const memcg of Object.values(memcgs)) ledger.add(memcg, { 'pagecache dropped': Number(memcg.inode) * 1024 });
  return ledger;
}

function droppedKb(bytes: Readonly<{ 'pagecache dropped'?: number }>): number {
  return (bytes['pagecache dropped'] ?? 0) / 1024;
}

void t.test('the twelve rows of the module, in its order', async (t) => {
  t.same(ledgerRows.slice(0, 3), ['pagecache migrate in', 'pagecache migrate out', 'pagecache dropped']);
  t.same(ledgerRows.slice(-3), ['slab drop', 'mlock dropped', 'mlock refault']);
  t.equal(ledgerRows.length, 12);
});

void t.test('what is added sums up by row; a memcg without entries has none', async (t) => {
  const ledger = new Ledger();
  ledger.add(pod, { 'anon swap out': 4096, 'anon zswap out': 0 });
  ledger.add(pod, { 'anon swap out': 8192, 'pagecache dropped': 1 });
  t.same(ledger.own(pod), { 'anon swap out': 12_288, 'pagecache dropped': 1 });
  t.same(ledger.own(app), {});
  t.same(ledger.accounts(), [{ memcg: pod, bytes: ledger.own(pod) }]);
});

void t.test('own never includes descendants, total always does', async (t) => {
  const ledger = filled();
  t.equal(droppedKb(ledger.own(pod)), 2);
  t.equal(droppedKb(ledger.total(log, allLive)), 4);
  t.equal(droppedKb(ledger.total(pod, allLive)), 2 + 3 + 4, '/podium is no descendant of /pod');
  t.equal(droppedKb(ledger.total(root, allLive)), 15);
});

void t.test('a descendant that is gone counts no more', async (t) => {
  t.equal(droppedKb(filled().total(pod, (memcg) => memcg.inode !== log.inode)), 2 + 3);
});

void t.test('reset takes the memcg alone, resetTree its descendants too', async (t) => {
  const one = filled();
  one.reset(pod);
  t.equal(droppedKb(one.total(root, allLive)), 13);
  const tree = filled();
  tree.resetTree(pod);
  t.equal(droppedKb(tree.total(root, allLive)), 1 + 5);
  t.equal(droppedKb(tree.own(podium)), 5);
});

void t.test('a new memcg at an old path starts at zero', async (t) => {
  const reborn: Memcg = { path: pod.path, inode: 99n };
  const ledger = filled();
  t.same(ledger.own(reborn), {});
  ledger.add(reborn, { 'pagecache dropped': 1024 });
  t.equal(droppedKb(ledger.own(reborn)), 1);
  t.equal(droppedKb(ledger.own(pod)), 2);
});

void t.test('memcgs that are gone are forgotten', async (t) => {
  const ledger = filled();
  ledger.keepOnly((memcg) => memcg.inode === app.inode);
  t.same(
    ledger.accounts().map(({ memcg }) => memcg),
    [app],
  );
});

void t.test('who listens to a memcg is told of every change of it and of what is below it', async (t) => {
  const ledger = new Ledger();
  const told: string[] = [];
  const stop = ledger.onChange(pod, () => told.push('pod'));
  ledger.onChange(root, () => told.push('root'));
  ledger.add(app, { 'anon swap out': 4096 });
  t.same(told.splice(0), ['pod', 'root']);
  ledger.add(podium, { 'anon swap out': 4096 });
  t.same(told.splice(0), ['root'], 'a name that only begins the same is another one');
  ledger.reset(app);
  ledger.reset(app);
  t.same(told.splice(0), ['pod', 'root'], 'what is zero already does not change');
  stop();
  ledger.add(pod, { 'anon swap out': 4096 });
  t.same(told, ['root']);
});
