import { join } from 'node:path';
import t from 'tap';
import { checkMount } from '../../../src/cli/running-mount.js';

void t.test('a reload checks all that the new daemon would be started with', async (t) => {
  const folder = t.testdir({
    'good.yaml': 'scan-period: 30\n',
    'bad.yaml': 'mem_agent:\n  cgroups: [path=/a, path=/a]\n',
    'good.toml': 'memcg_swap = true\n',
    'bad.toml': '\nmemcg_swap = maybe\n',
    cmdline: 'quiet agent.mem_agent_nothing=1\n',
  });
  checkMount(['/mnt', '--config', 'good.yaml', `--import-kata=${join(folder, 'good.toml')}`, '--simulate'], folder);
  checkMount(['--as-mem-agent', '/mnt', '--memcg-cgroups', 'path=/a', '--memcg-cgroups', 'path=/b'], folder);
  for (const [words, sentence] of [
    [['--config=bad.yaml'], /bad\.yaml:2:22: there are two settings for memcg \/a/],
    [['/mnt', '--import-kata', 'bad.toml'], /bad\.toml:2: memcg_swap/],
    [['/mnt', '--import-cmdline', 'cmdline'], /cmdline: there is no mem_agent_nothing/],
    [['/mnt', '--config', 'gone.yaml'], /gone\.yaml cannot be read/],
    [['/mnt', '--scan-period', '70000'], /--scan-period "70000"/],
    [['/mnt', '--of-another-version'], /does not take the command line .*of-another-version/],
  ] as const)
    t.throws(() => checkMount(words, folder), { code: 'BAD_SETTING', message: sentence });
});
