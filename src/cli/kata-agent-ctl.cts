#!/usr/bin/env node
// For a link named kata-agent-ctl where Kata's own is not installed: its command lines work as they are written.
void import('./main.js').then(({ main }) => main(['ctl', ...process.argv.slice(2)]));
