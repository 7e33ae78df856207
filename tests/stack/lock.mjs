// Compares what npm installed with the lock file that pins it.

const matches = (list, value) => list === undefined || list.includes(value) || (list.every((each) => each.startsWith('!')) && !list.includes(`!${value}`));

/** Whether npm may leave a package out: it is optional, or made for another platform. */
const mayBeAbsent = (entry, { platform, arch }) =>
  entry.optional === true || !matches(entry.os, platform) || !matches(entry.cpu, arch);

/**
 * Compares the `packages` of a committed lock file with those of `node_modules/.package-lock.json`, which lists what is installed.
 * `differences` are pinned packages that are absent, or installed in another version or with another hash. `added` are installed
 * packages that the committed file does not name.
 */
export function comparePinned(pinned, installed, machine = process) {
  const differences = [];
  for (const [name, entry] of Object.entries(pinned)) {
    if (name === '' || entry.link) continue;
    const found = installed[name];
    if (found === undefined) {
      if (!mayBeAbsent(entry, machine)) differences.push(`${name} ${entry.version} is absent`);
    } else if (found.version !== entry.version) {
      differences.push(`${name} is ${found.version} instead of ${entry.version}`);
    } else if (found.integrity !== entry.integrity) {
      differences.push(`${name} ${entry.version} has another hash`);
    }
  }
  const added = Object.keys(installed).filter((name) => !(name in pinned));
  return { differences, added };
}
