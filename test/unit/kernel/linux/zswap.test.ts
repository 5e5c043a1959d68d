import { writeFileSync } from 'node:fs';
import t from 'tap';
import { machine } from './machine.js';

void t.test('zswap is what its switch says at that moment', (t) => {
  const { kernel, file } = machine(t, { sys: { module: { zswap: { parameters: { enabled: 'N\n' } } } } });
  t.equal(kernel.zswap.state(), 'off');
  writeFileSync(file('sys/module/zswap/parameters/enabled'), 'Y\n');
  t.equal(kernel.zswap.state(), 'on');
  t.equal(machine(t, {}).kernel.zswap.state(), 'absent');
  t.end();
});
