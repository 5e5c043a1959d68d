#!/usr/bin/env node
void import('./mem-agent-ctl.js').then(({ main }) => main());
