// Progress of the parts: read from the content of the cache, so that it includes the work of earlier and other programs.

import fs from 'node:fs';
import os from 'node:os';

import { finishedStages, folderOf, logOf, partialOf } from './cache.mjs';
import { duration, say } from './say.mjs';

const INTERVAL_MS = 20_000;

const secondsOf = (part) => part.stages.reduce((sum, stage) => sum + stage.seconds, 0);

/** Returns the share of a part that is built, from 0 to 1. */
export function shareOf(part) {
  if (fs.existsSync(folderOf(part))) return 1;
  const finished = finishedStages(part);
  let done = 0;
  for (const stage of part.stages) {
    if (finished.includes(stage.title)) {
      done += stage.seconds;
      continue;
    }
    if (fs.existsSync(partialOf(part))) done += stage.seconds * (stage.share?.({ folder: partialOf(part), log: logOf(part) }) ?? 0);
    break; // the ones after it have not begun
  }
  return done / secondsOf(part);
}

/** Returns the share of all parts together, weighted by the processor time that each takes. */
export function shareOfAll(parts) {
  const total = parts.reduce((sum, part) => sum + secondsOf(part), 0);
  return total === 0 ? 1 : parts.reduce((sum, part) => sum + secondsOf(part) * shareOf(part), 0) / total;
}

/** Returns the parts by track: those of one track are built sequentially, the tracks in parallel. */
export function byTrack(parts) {
  const tracks = {};
  for (const part of parts) (tracks[part.track] ??= []).push(part);
  return tracks;
}

/**
 * Estimates the build time of the parts in seconds, for a number of processors: tracks run in parallel, and only a compiler uses more than
 * one processor.
 */
export function estimate(parts, processors = os.availableParallelism()) {
  const tracks = Object.values(byTrack(parts));
  const left = (list) => list.reduce((sum, part) => sum + secondsOf(part) * (1 - shareOf(part)), 0);
  const alone = tracks.map((track) => left(track) / (track.some((part) => part.parallel) ? processors : 1));
  return Math.max(left(parts) / processors, ...alone);
}

/** Returns the line that is printed during the build. */
export function progressLine(parts, { elapsed, shareAtStart, estimated }) {
  const share = shareOfAll(parts);
  const gained = share - shareAtStart;
  const expected = estimated * (1 - share);
  // The speed so far is a measure of this machine, but not in the first moments; a step without visible progress lowers it.
  const left = gained > 0.05 ? Math.min((elapsed * (1 - share)) / gained, expected * 3) : Math.max(expected, elapsed * 0.1);
  const percent = (value) => `${Math.floor(value * 100)} %`;
  const each = parts.map((part) => `${part.name} ${percent(shareOf(part))}`).join(', ');
  return `${percent(share)} built after ${duration(elapsed)}, about ${minutes(left)} to go (${each})`;
}

export const minutes = (seconds) => (seconds < 60 ? 'a minute' : `${Math.ceil(seconds / 60)} min`);

/** Prints what will be built, and the progress every 20 s. */
export function startProgress(parts) {
  const started = Date.now();
  const shareAtStart = shareOfAll(parts);
  const estimated = estimate(parts);
  const processors = os.availableParallelism();
  const before = shareAtStart > 0.005 ? `; ${Math.floor(shareAtStart * 100)} % of it is there from an earlier build` : '';
  say(
    `building ${parts.map((part) => part.name).join(', ')}: about ${minutes(estimated)} on ${processors} processor${processors > 1 ? 's' : ''}, ` +
      `once${before}. It can be interrupted: the next run goes on.`,
  );
  const tick = () => say(progressLine(parts, { elapsed: (Date.now() - started) / 1000, shareAtStart, estimated }));
  const timer = setInterval(tick, INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
