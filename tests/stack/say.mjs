// Lines printed for the user.

export const say = (line) => process.stdout.write(`stack: ${line}\n`);

/** Formats a duration: 8.3 s, 4 min 10 s. */
export function duration(seconds) {
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const rest = Math.round((seconds % 60) / 10) * 10;
  return rest === 60 ? `${Math.floor(seconds / 60) + 1} min` : `${Math.floor(seconds / 60)} min${rest ? ` ${rest} s` : ''}`;
}

export const since = (started) => duration((Date.now() - started) / 1000);
