/** A machine that is locked down, as with Secure Boot (kernel command line: lockdown=integrity). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Daemon } from '../daemon.js';

void describe('a locked kernel', () => {
  void it('is refused with exit code 6, and a sentence that says what to do; nothing stays mounted', async () => {
    const daemon = Daemon.launch();
    try {
      assert.equal(await daemon.ended, 6);
      assert.match(daemon.log, /lockdown, usual with Secure Boot.*boot with lockdown=none/);
      assert.equal(daemon.isMounted(), false);
    } finally {
      await daemon.remove();
    }
  });
});
