import { type Watched, periodEnds } from '../engine/autopilot-book.js';
import type { Engine } from '../engine/engine.js';

/**
 * What the autopilot did: a `name: value` a line for all of it, then, as in lru_gen, a line for each memcg and one for each of its nodes. Times are UTC;
 * counts of ends that never came are left out.
 */
export function memcgStatusText({ autopilot, capabilities }: Engine): string {
  const watched = [...autopilot.book.all()];
  const enabled = watched.filter(({ settings }) => !settings.disabled).length;
  return [
    `state: ${stateOf(autopilot.settings.disabled && autopilot.overrides.every(({ settings }) => settings.disabled !== false), capabilities.psi)}\n`,
    `memcgs_and_nodes: ${watched.length}\n`,
    `enabled: ${enabled}\n`,
    `periods:${countsText(autopilot.book.ends, periodEnds)}\n`,
    ...watched.map(
      (one, index) => `${one.memcg.inode === watched[index - 1]?.memcg.inode ? '' : headerOf(one)}${nodeText(one)}`,
    ),
  ].join('');
}

/** What compactions there were, a `name: value` a line; `-` for what never was. */
export function compactStatusText({ compactor, capabilities }: Engine): string {
  const { lastPeriod, lastRun, settings } = compactor;
  return lines({
    state: stateOf(settings.disabled, capabilities.psi),
    last_period: lastPeriod?.at.toISOString(),
    last_period_ran: lastPeriod?.ran,
    last_period_reason: lastPeriod?.reason,
    last_period_psi_percent: lastPeriod?.pressurePercent?.toFixed(2),
    periods_without_run: compactor.periodsWithout,
    last_run: lastRun?.at.toISOString(),
    last_run_reason: lastRun?.reason,
    last_run_ended: lastRun?.outcome,
    last_run_ms: lastRun && Math.round(lastRun.tookMs),
    last_run_blocks_gained: lastRun?.blocksGained,
    periods: countsText(compactor.reasons, [...compactor.reasons.keys()]).trim() || undefined,
    runs: countsText(compactor.outcomes, [...compactor.outcomes.keys()]).trim() || undefined,
  });
}

function stateOf(isDisabled: boolean, hasPressure: boolean): string {
  if (!isDisabled) return 'on';
  return hasPressure ? 'off' : 'off (no pressure stall information: boot with psi=1)';
}

function headerOf({ memcg }: Watched): string {
  return `memcg ${memcg.inode} ${memcg.path.replace(/[\\\n]/g, (byte) => (byte === '\n' ? '\\012' : '\\134'))}\n`;
}

function nodeText({ node, settings, minSeq, maxSeq, firstMaxSeq, evictedPages, ends }: Watched): string {
  return (
    ` node ${node} disabled ${settings.disabled} min_seq ${minSeq} max_seq ${maxSeq} agings ${maxSeq - firstMaxSeq}` +
    ` evicted_anon_pages ${evictedPages.anon} evicted_file_pages ${evictedPages.file}${countsText(ends, periodEnds)}\n`
  );
}

function countsText<Name extends string>(counts: ReadonlyMap<Name, number>, names: readonly Name[]): string {
  return names.map((name) => (counts.has(name) ? ` ${name}=${counts.get(name) ?? 0}` : '')).join('');
}

function lines(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${value ?? '-'}\n`)
    .join('');
}
