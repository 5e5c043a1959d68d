import type { AutopilotStart } from './autopilot-start.js';

/** What mem-agent-srv starts with: both halves on, as its documents have it. */
export const memAgentLaunch: AutopilotStart = { memcg: { disabled: false }, compact: { disabled: false } };
