/** What a probe's refaults say about going on. */
export type ProbeVerdict = 'go on' | 'go slower' | 'probe again' | 'stop';

/** The shares of evicted pages that come back within the wait before a run looks closer, and before it stops. */
const closerShare = 0.1;
const stopShare = 0.5;
/** Refaults that say nothing: a few pages come back in every run. */
const noisePages = 32;

/**
 * Judges a probe by the pages it freed and those that came back within the wait. Page cache that is used through read() looks cold
 * until some of it was evicted and came back: from 64 refaults on the kernel protects the rest, so pages that come back are first a
 * reason to probe again.
 */
export function judgeProbe(freedPages: number, refaultPages: number, probesLeft: number): ProbeVerdict {
  const share = freedPages === 0 ? 0 : refaultPages / freedPages;
  if (share <= closerShare) return 'go on';
  if (probesLeft > 0) return 'probe again';
  return share <= stopShare ? 'go slower' : 'stop';
}

/** Whether the refaults during steps are more than noise, so that the run should wait and look. */
export function cameBackSome(freedPages: number, refaultPages: number): boolean {
  return refaultPages > noisePages + freedPages * closerShare * 0.1;
}

/** Whether, after the wait, so much of what the last steps freed was used again that the run must stop. */
export function cameBackAtOnce(freedPages: number, refaultPages: number): boolean {
  return refaultPages > noisePages + freedPages * stopShare;
}
