// Compares the packages that npm installed with the committed lock file.

/** The platform that packages are installed for, in the terms of npm. */
export const thisMachine = () => ({
  os: process.platform,
  cpu: process.arch,
  libc: process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl',
});

/** Evaluates a field such as `os: ["linux", "!win32"]`. npm writes a list or, for one value, a string. */
function admits(field, value) {
  const list = [field ?? []].flat();
  if (list.includes(`!${value}`)) return false;
  const wanted = list.filter((each) => !each.startsWith('!'));
  return wanted.length === 0 || wanted.includes(value);
}

/** Reports whether npm leaves out a package on `machine`: it is optional, and made for another platform. */
const mayBeAbsent = (entry, machine) =>
  entry.optional === true && ['os', 'cpu', 'libc'].some((field) => !admits(entry[field], machine[field]));

/**
 * Compares the `packages` of a committed lock file with those of `node_modules/.package-lock.json`, which lists what is installed.
 * `differences` are pinned packages that are absent, or installed in another version or with another hash. `added` are installed
 * packages that the committed file does not name: a registry gains builds of optional packages after a lock file was made.
 */
export function comparePinned(pinned, installed, machine = thisMachine()) {
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
  const added = Object.keys(installed).filter((name) => name !== '' && !(name in pinned));
  return { differences, added };
}
