import * as z from 'zod';
import { sentenceOf } from '../errors.js';
import { type Launch, launchOf } from './launch.js';
import { autopilotOfTexts, autopilotTexts, autopilotTextsSchema } from './saved-autopilot.js';

/** A launch as the checkpoint has it: nothing in it depends on files that may have changed since. */
const launchNoteSchema = z.strictObject({
  options: z.record(z.string(), z.union([z.string(), z.boolean()])),
  autopilot: autopilotTextsSchema,
});

export function launchNote({ options, autopilot }: Launch): z.input<typeof launchNoteSchema> {
  return { options, autopilot: autopilotTexts(autopilot) };
}

/** As {@link launchNote} wrote it; undefined where there is none that this version takes. */
function launchOfNote(note: unknown): Launch | undefined {
  try {
    const { options, autopilot } = launchNoteSchema.parse(note);
    return launchOf(options, autopilotOfTexts(autopilot));
  } catch {
    return undefined;
  }
}

/** What a daemon is started with, and what stood in the way of what it should have been. */
export interface ChosenLaunch {
  readonly launch: Launch;
  readonly refused?: string;
}

/**
 * What a daemon goes by: its command line and the files that this names. Where those have mistakes, what the last daemon served with (`last`, a note): who
 * reads must not wait for a file to be mended. So does one that is to show the last state, whatever the files say. Throws BAD_SETTING where there was none.
 */
export function chooseLaunch(gather: () => Launch, last: unknown, lastStateOnly = false): ChosenLaunch {
  const before = lastStateOnly ? launchOfNote(last) : undefined;
  if (before) return { launch: before };
  try {
    return { launch: gather() };
  } catch (failure) {
    const launch = launchOfNote(last);
    if (!launch) throw failure;
    return { launch, refused: sentenceOf(failure) };
  }
}
