import t from 'tap';
import { engineSettings, parseSettings, settingsSchema } from '../../../src/daemon/settings.js';

void t.test('without options: the module’s behaviour', async (t) => {
  t.same(parseSettings({}), {
    'scan-period': 15,
    'scan-cpu-percent': 2,
    tracker: 'mglru',
    'log-level': 'info',
    'state-dir': '/var/lib/coldpgs',
    'keep-lru-gen': false,
    dialect: '2.5',
    'kidled-dialect': 'K-B',
    'flags-gate': 'off',
    'ignore-age': 'off',
    children: 'skip',
    'allow-mlocked': false,
    owner: '0:0',
    transport: 'auto',
    simulate: false,
  });
});

void t.test('options as they come from the command line, in text', async (t) => {
  const settings = parseSettings({
    'scan-period': '120',
    'scan-cpu-percent': '0.5',
    'log-level': 'debug',
    'mode-global': '0640',
    'mode-memcg': '664',
    owner: '1000:4',
    children: 'include',
    'flags-gate': 'strict',
    'ignore-age': 'on',
  });
  t.match(settings, { 'scan-period': 120, 'mode-global': 0o640, 'mode-memcg': 0o664, owner: '1000:4' });
  t.same(engineSettings(settings), {
    scanPeriodMs: 120_000,
    children: 'include',
    flagsGate: 'strict',
    ignoreAge: 'on',
    runsAtOnce: 4,
    tracker: 'mglru',
    scanCpuPercent: 0.5,
  });
});

void t.test('the scan period may be 0 (off) to 65535', async (t) => {
  for (const seconds of [0, 1, 65535])
    t.equal(parseSettings({ 'scan-period': String(seconds) })['scan-period'], seconds);
});

void t.test('each wrong value is refused by name, with what was given and what is allowed', async (t) => {
  const wrong: [name: string, given: unknown, allowed: RegExp][] = [
    ...['-1', '65536', '1.5', 'soon', '', ' 5', '0x10', '1e3', '9'.repeat(400)].map(
      (given): [string, unknown, RegExp] => ['scan-period', given, /must be whole seconds, 0 to 65535/],
    ),
    ...['0', '0.09', '100.1', '-2', '2%', '1e1', ''].map((given): [string, unknown, RegExp] => [
      'scan-cpu-percent',
      given,
      /must be a number from 0.1 to 100/,
    ]),
    ['tracker', 'kidled', /"mglru"/],
    ['kidled-dialect', 'k-b', /"K-B"/],
    ['log-level', 'loud', /"debug"/],
    ['state-dir', '', />=1 char/],
    ['dialect', '3.0', /"2.5"\|"doc"/],
    ['flags-gate', 'on', /"off"\|"strict"/],
    ['ignore-age', 'yes', /"off"\|"on"/],
    ['children', 'yes', /"skip"\|"include"/],
    ['mode-global', '8', /octal/],
    ['mode-global', '0888', /octal/],
    ['mode-memcg', '0o644', /octal/],
    ['mode-memcg', '4755', /octal/],
    ['owner', 'root', /UID:GID/],
    ['owner', '0', /UID:GID/],
    ['owner', '-1:0', /UID:GID/],
    ['keep-lru-gen', 'maybe', /boolean/],
  ];
  for (const [name, given, allowed] of wrong)
    await t.test(`--${name} ${JSON.stringify(given)}`, async (t) => {
      try {
        parseSettings({ [name]: given });
        t.fail('it was taken');
      } catch (failure) {
        t.match(failure, { code: 'BAD_SETTING', errno: 'EINVAL' });
        const { message } = failure as Error;
        t.ok(message.startsWith(`--${name} ${JSON.stringify(given)}: `), message);
        t.match(message, allowed);
        t.match(message, 'coldpgs mount --help');
      }
    });
});

void t.test('all that is wrong is named at once; what is not known too', async (t) => {
  t.throws(() => parseSettings({ 'scan-period': '-1', dialect: 'x' }), { message: /--scan-period.*--dialect/s });
  t.throws(() => parseSettings({ 'scan-periods': '1' }), { code: 'BAD_SETTING', message: /scan-periods/ });
});

void t.test('every option says what it is for', async (t) => {
  for (const [name, schema] of Object.entries(settingsSchema.shape)) t.ok(schema.description, name);
});

void t.test('mlocked memory may be touched only where it is allowed, and where it can be noted', async (t) => {
  const journal = { file: '/locks', write: () => undefined };
  const allowed = parseSettings({ 'allow-mlocked': true });
  t.equal(engineSettings(allowed, journal).lockJournal, journal);
  t.notOk('lockJournal' in engineSettings(allowed));
  t.notOk('lockJournal' in engineSettings(parseSettings({}), journal));
});
