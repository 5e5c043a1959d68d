// tally.mjs COUNTS: reads TAP from standard input, shows how the tests go, and writes to the file COUNTS
//   PASSED FAILED SKIPPED
//   the full name of each failed test, a line each
// What counts is a test point with none inside: an assertion of tap, a test of node --test. A point around others counts only where
// it failed and none of them did. Failures are shown in full, skips with their reason.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [countsFile] = process.argv.slice(2);
const started = Date.now();
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

/** What is known of each level of nesting: the subtest announced there, and the points inside the next closing point. */
const levels = [newLevel()];
let planned;
let points = 0;
let sawBailOut = false;
/** What the tests printed since the last top-level point. */
let remarks = [];
/** Indentation of the details being read, and whether they are of a failure. */
let details;

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) read(line);
if (sawBailOut) fail('the runner gave up (Bail out!)');
else if (points !== Number(planned))
  fail(`the test output ended early (${points} of ${planned ?? '?'} top-level points)`);
writeFileSync(countsFile, [`${total.passed} ${total.failed} ${total.skipped}`, ...failures, ''].join('\n'));

function read(line) {
  if (details !== undefined) return readDetails(line);
  const indent = line.search(/\S/);
  if (indent < 0) return;
  const text = line.slice(indent);
  const depth = Math.floor(indent / 4);
  const point = /^(not )?ok\b(?: \d+)?(?: -)? ?(.*?)(?: # (?:time=|(SKIP|TODO)\b) ?(.*))?$/i.exec(text);
  if (point) return readPoint(depth, indent, line, point);
  if (text === '---' && indent % 4 === 2) details = { indent, failed: lastFailed(depth) };
  if (details?.failed) console.log(line);
  if (text.startsWith('# Subtest: ')) open(depth).name = text.slice(11);
  else if (text.startsWith('#')) remarks.push(line);
  if (indent === 0) planned = /^1\.\.(\d+)/.exec(text)?.[1] ?? planned;
  if (/^Bail out!/.test(text)) {
    sawBailOut = true;
    console.log(line);
  }
}

function readDetails(line) {
  if (details.failed) console.log(line);
  if (line === `${' '.repeat(details.indent)}...`) details = undefined;
}

function readPoint(depth, indent, line, [, not, rest, directive, reason]) {
  const level = open(depth);
  const inner = levels[depth + 1];
  levels.length = depth + 1;
  const name = rest.replace(/ # time=.*$/, '').trim() || '(no name)';
  const path = [...levels.slice(0, depth).map((above) => above.name), name].filter(Boolean).join(' > ');
  const own = inner?.counts ?? { passed: 0, failed: 0, skipped: 0 };
  // Also of a point around failures: a hook that failed is told of there alone.
  level.lastFailed = Boolean(not) && !directive;
  if (directive) {
    if (own.passed + own.failed + own.skipped === 0) own.skipped = 1;
    say('skipped', `${path}: ${/todo/i.test(directive) ? 'to do ' : ''}${reason || 'no reason given'}`);
  } else if (not && own.failed === 0) {
    own.failed = 1;
    failures.push(path);
    say('FAILED', path);
    if (depth === 0 && remarks.length > 0) console.log(remarks.slice(-40).join('\n'));
    console.log(line);
  } else if (!not && own.passed + own.failed + own.skipped === 0) own.passed = 1;
  add(level.counts, own);
  level.name = undefined;
  if (depth === 0) {
    points += 1;
    remarks = [];
    add(total, own);
    if (!directive && !not) say('ok', inner ? `${name} (${own.passed})` : name);
  }
}

function open(depth) {
  while (levels.length <= depth) levels.push(newLevel());
  return levels[depth];
}

function newLevel() {
  return { name: undefined, lastFailed: false, counts: { passed: 0, failed: 0, skipped: 0 } };
}

function lastFailed(depth) {
  return levels[depth]?.lastFailed ?? false;
}

function add(sum, counts) {
  for (const key of Object.keys(sum)) sum[key] += counts[key];
}

function fail(why) {
  total.failed += 1;
  failures.push(why);
  say('FAILED', why);
}

function say(what, text) {
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`${String(seconds).padStart(5)} s  ${what.padEnd(7)}  ${text}`);
}
