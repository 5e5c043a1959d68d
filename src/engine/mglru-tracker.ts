import type { Memcg } from '../kernel/kernel.js';
import { type Generation, hasPages, type LruGenMemcg } from '../kernel/lru-gen.js';
import { beginHistory, type CohortHistory, continueHistory, continues, pagesOf, withUsed } from './cohort-history.js';
import { type Log, silentLog } from '../log.js';
import type { PageType } from './eviction.js';
import type { MappedWitness } from './mapped-witness.js';
import type { ReadLosses } from './read-losses.js';
import { withReads } from './read-page-cache.js';
import { SeenByInode } from './seen-by-inode.js';
import { inSlices } from './slices.js';
import { type IdleCohort, type ReadWitness, type SeenMemcg, startedWhereItCan, type Tracker } from './tracker.js';

/** One node of a memcg as the tracker knows it. */
export interface NodeHistory {
  readonly node: number;
  readonly anon: CohortHistory;
  readonly file: CohortHistory;
}

interface MemcgHistory {
  readonly memcg: Memcg;
  nodes: readonly NodeHistory[];
  /** What an eviction taught of page cache in use, and until when it is believed. */
  lesson: { readonly usedShare: number; readonly untilMs: number } | undefined;
}

/** For how many scan periods a probe's lesson holds without another. */
const lessonPeriods = 8;

/** For how many scan periods a memcg that a listing lacks, wholly or its end, is shown as it was. */
const cutOffPeriods = 3;

/** The generations of now that are young: what is in them was in use when the latest aging looked, or has come since. */
const youngGenerations = 2;

/**
 * Page ages from the births of generations, and from the history of what was folded into the oldest. The totals are those of the kernel's
 * listing, page for page; how they are split by age is known as well as {@link continueHistory} says.
 */
export class MglruTracker implements Tracker {
  readonly name = 'mglru';
  #histories = new Map<bigint, MemcgHistory>();
  #lastLookMs = -Infinity;
  #seen: readonly SeenMemcg[] = [];
  #seenByInode = new SeenByInode();
  #witness: ReadWitness | undefined;

  constructor(
    private readonly periodMs: () => number,
    private readonly witness?: ReadWitness,
    private readonly log: Log = silentLog,
    /** For kernels whose agings do not promote all that is in use. */
    private readonly mapped?: MappedWitness,
  ) {}

  /** Without its witness where the kernel cannot run that: use through read(2) then shows in what probes teach. */
  async start(): Promise<void> {
    this.#witness = await startedWhereItCan(this.witness, this.log);
  }

  async stop(): Promise<void> {
    await this.#witness?.stop();
  }

  /** What sees use that agings do not, by name. */
  get readWitness(): string | undefined {
    const names = [this.#witness?.name, this.#witness && this.mapped?.name].filter((name) => name !== undefined);
    return names.length === 0 ? undefined : names.join(', ');
  }

  async beforeAgings(atMs: number, signal: AbortSignal): Promise<void> {
    const witness = this.#witness;
    if (!witness) return;
    await witness.observe(this.#seen, atMs, signal);
    await this.mapped?.observe(
      this.#seen,
      ({ memcg, listed }) => witness.mappedPages(memcg, filePagesOf(listed)),
      signal,
    );
  }

  async observe(
    seen: readonly SeenMemcg[],
    atMs: number,
    _signal?: AbortSignal,
    missing: readonly Memcg[] = [],
  ): Promise<void> {
    const lookMs = Math.max(atMs, this.#lastLookMs);
    const histories = new Map<bigint, MemcgHistory>();
    await inSlices(seen, (one) => {
      if (hasPages(one.listed) || this.#isCutShort(one, lookMs))
        histories.set(one.memcg.inode, this.#look(one, lookMs));
    });
    for (const { inode } of missing) {
      const history = this.#histories.get(inode);
      if (history?.nodes.some((known) => this.#isRecent(known, lookMs))) histories.set(inode, history);
    }
    this.#histories = histories;
    this.#seen = seen;
    this.#seenByInode = new SeenByInode(seen, this.#seenByInode);
    this.#lastLookMs = lookMs;
  }

  cohorts(memcg: Memcg): readonly IdleCohort[] {
    const history = this.#histories.get(memcg.inode);
    if (!history) return [];
    const cohorts: IdleCohort[] = [];
    const file: IdleCohort[] = [];
    for (const one of history.nodes) {
      addIdleCohorts(cohorts, one.anon, 'anon', one.node);
      addIdleCohorts(file, one.file, 'file', one.node);
    }
    if (file.length === 0) return cohorts;
    const filePages = file.reduce((sum, { pages }) => sum + pages, 0);
    const reads = this.#witness?.readPageCache(memcg, filePages);
    return cohorts.concat(reads ? withReads(file, reads) : file);
  }

  async watchReads(memcg: Memcg, idleMs: number): Promise<ReadLosses | undefined> {
    return this.#witness?.watchReads(memcg, idleMs);
  }

  idleFilePages(memcg: Memcg, idleMs: number, atMs: number): number | undefined {
    if (!this.mapped || !this.#witness || !this.#histories.has(memcg.inode)) return undefined;
    const sinceLookMs = atMs - this.#lastLookMs;
    return this.cohorts(memcg).reduce(
      (sum, { type, pages, idleAtMostMs }) =>
        type === 'file' && idleAtMostMs + sinceLookMs >= idleMs ? sum + pages : sum,
      0,
    );
  }

  learn(memcg: Memcg, type: PageType, usedShare: number): void {
    const history = this.#histories.get(memcg.inode);
    if (type !== 'file' || !history) return;
    const untilMs = this.#lastLookMs + lessonPeriods * this.periodMs();
    history.lesson = usedShare > 0 ? { usedShare: Math.min(1, usedShare), untilMs } : undefined;
  }

  forget(): void {
    this.#histories = new Map();
    this.#seen = [];
    this.#seenByInode = new SeenByInode();
    this.#witness?.forget();
  }

  /** What is to be kept over a restart; the times are those of the engine's clock. */
  histories(): Iterable<{ readonly memcg: Memcg; readonly nodes: readonly NodeHistory[] }> {
    return this.#histories.values();
  }

  /** Takes over what an earlier daemon knew of a memcg. The next look tells whether its generations went on from there. */
  restore(memcg: Memcg, nodes: readonly NodeHistory[]): void {
    this.#histories.set(memcg.inode, { memcg, nodes, lesson: undefined });
  }

  #look({ memcg, listed, quietUntilMs }: SeenMemcg, atMs: number): MemcgHistory {
    const before = this.#histories.get(memcg.inode);
    const listedBefore = this.#seenByInode.listed(Number(memcg.inode));
    const sinceMs = listedBefore && !hasPages(listedBefore) ? this.#lastLookMs : undefined;
    const nodes: NodeHistory[] = [];
    for (const { node, generations } of listed.nodes) {
      const known = before?.nodes.find((one) => one.node === node);
      if (known && continues(known.anon, generations, atMs)) {
        const anon = continueHistory(known.anon, generations, 'anon', atMs, quietUntilMs);
        const file = continueHistory(known.file, generations, 'file', atMs, quietUntilMs);
        nodes.push({ node, anon, file });
      } else if (known && this.#isCutOff(known, generations.at(-1), atMs)) nodes.push(known);
      else if (generations.length >= 2) {
        const anon = beginHistory(generations, 'anon', atMs, sinceMs);
        const file = beginHistory(generations, 'file', atMs, sinceMs);
        nodes.push({ node, anon, file });
      }
    }
    for (const known of before?.nodes ?? [])
      if (!listed.nodes.some(({ node }) => node === known.node) && this.#isCutOff(known, undefined, atMs))
        nodes.push(known);
    const history: MemcgHistory = { memcg, nodes, lesson: before?.lesson };
    this.#correct(history, before, atMs);
    return history;
  }

  /** Whether all pages of a memcg that had some are in the part of a listing that is not there. */
  #isCutShort({ memcg, listed }: SeenMemcg, atMs: number): boolean {
    const nodes = this.#histories.get(memcg.inode)?.nodes ?? [];
    return nodes.some((known) => {
      const now = listed.nodes.find(({ node }) => node === known.node);
      return this.#isCutOff(known, now?.generations.at(-1), atMs);
    });
  }

  /** Whether a listing lacks its end rather than being of another life of the memcg. Believed for a while only. */
  #isCutOff(known: NodeHistory, youngest: Generation | undefined, atMs: number): boolean {
    const shorter = youngest === undefined || Number(youngest.seq) < known.anon.maxSeq;
    return shorter && this.#isRecent(known, atMs);
  }

  /** Whether it was seen a short while ago: a listing may lack memcgs that are there, and the next one have them again. */
  #isRecent({ anon }: NodeHistory, atMs: number): boolean {
    return atMs - anon.atMs <= cutOffPeriods * this.periodMs();
  }

  /** Mapped page cache that is in use and that agings left where it was. */
  #missedPages({ memcg, nodes }: MemcgHistory): number {
    const usedPages = this.mapped?.usedPages(memcg);
    if (usedPages === undefined) return 0;
    const young = nodes.flatMap(({ file }) => file.generations.slice(-youngGenerations));
    return Math.max(0, usedPages - young.reduce((sum, cohorts) => sum + pagesOf(cohorts), 0));
  }

  /** Makes page cache young that a witness saw in use, or that an eviction showed to be where none sees that all the time. */
  #correct(history: MemcgHistory, before: MemcgHistory | undefined, atMs: number): void {
    if (!before) return;
    if (history.lesson && history.lesson.untilMs < atMs) history.lesson = undefined;
    const missedPages = this.#missedPages(history);
    if (!history.lesson && missedPages === 0) return;
    const files = history.nodes.map(({ file }) => olderPages(file));
    const all = files.reduce((sum, { pages }) => sum + pages, 0);
    const taught = this.#witness?.readPageCache(history.memcg, 1) ? 0 : (history.lesson?.usedShare ?? 0);
    const usedPages = Math.max(Math.floor(all * taught), missedPages);
    const arrivedPages = files.reduce((sum, { arrived }) => sum + arrived, 0);
    const wanted = Math.min(all, usedPages) - arrivedPages;
    if (wanted <= 0) return;
    history.nodes = history.nodes.map((one, index) => {
      const share =
        all - arrivedPages > 0 ? ((files[index]?.pages ?? 0) - (files[index]?.arrived ?? 0)) / (all - arrivedPages) : 0;
      const { fromMs, toMs } = { fromMs: before.nodes[index]?.file.atMs ?? atMs, toMs: atMs };
      return { ...one, file: withUsed(one.file, Math.floor(wanted * share), fromMs, toMs) };
    });
  }
}

/** The page cache that agings call old, and how much of it was used up to the look itself. */
function olderPages(file: CohortHistory): { readonly pages: number; readonly arrived: number } {
  const older = file.generations.slice(0, -youngGenerations);
  return {
    pages: older.reduce((sum, cohorts) => sum + pagesOf(cohorts), 0),
    arrived: older.reduce((sum, cohorts) => sum + pagesOf(cohorts.filter(({ toMs }) => toMs >= file.atMs)), 0),
  };
}

function addIdleCohorts(into: IdleCohort[], { generations, atMs }: CohortHistory, type: PageType, node: number): void {
  const firstYoung = generations.length - youngGenerations;
  generations.forEach((cohorts, index) => {
    const isYoung = index >= firstYoung;
    cohorts.forEach(({ pages, fromMs, toMs }) => {
      const idleAtLeastMs = isYoung ? 0 : Math.max(0, atMs - toMs);
      into.push({ type, node, pages, idleAtLeastMs, idleAtMostMs: Math.max(0, atMs - fromMs) });
    });
  });
}

function filePagesOf({ nodes }: LruGenMemcg): number {
  return nodes.flatMap(({ generations }) => generations).reduce((sum, { filePages }) => sum + filePages, 0);
}
