// Requirements on the machine: checked before anything is built, and reported all at once.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

import { cacheRoot, finishedStages } from './cache.mjs';
import { pythonComplaint } from './model-part.mjs';

const GIGABYTE = 1e9;

/** Runs a program and returns its output, or the reason why it cannot run. */
function ask(argv, options) {
  const { error, status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', timeout: 300_000, ...options });
  if (error) return { problem: error.code === 'ENOENT' ? `\`${argv[0]}\` was not found` : `\`${argv.join(' ')}\`: ${error.message}` };
  if (status !== 0) return { problem: `\`${argv.join(' ')}\` failed: ${(stderr || stdout).trim().split('\n').slice(-3).join(' ')}` };
  return { answer: stdout };
}

/** The check of each tool: describes the problem of a tool that `part` needs, or returns undefined. */
const TOOLS = {
  go({ goVersion }) {
    // In the folder of a go.mod, an older Go downloads the version in it, if GOTOOLCHAIN allows that.
    const { problem, answer } = ask(['go', 'version'], goVersion);
    const advice = 'Install Go 1.26 or newer and put `go` on the PATH';
    if (problem) return `${problem}. ${advice}.`;
    const [, major, minor] = /go(\d+)\.(\d+)/.exec(answer) ?? [];
    if (Number(major) === 1 && Number(minor) < 26) return `\`go\` is too old: ${answer.trim()}. ${advice}.`;
    return undefined;
  },
  npm() {
    const { problem, answer } = ask(['npm', '--version']);
    const advice = 'Install Node.js 20 or newer with npm 9 or newer, and put `npm` on the PATH';
    if (problem) return `${problem}. ${advice}.`;
    return Number.parseInt(answer, 10) < 9 ? `\`npm\` is too old: ${answer.trim()}. ${advice}.` : undefined;
  },
  python3: pythonComplaint,
  cc: () => compiler('cc', 'C'),
  'c++': () => compiler('c++', 'C++'),
};

function compiler(program, language) {
  const { problem } = ask([program, '--version']);
  return problem && `${problem}. Install a ${language} compiler (Debian and Ubuntu: the package build-essential).`;
}

/** Returns everything that prevents this machine from building the parts. */
export function complaints(parts, { platform = process.platform, arch = process.arch, freeBytes = freeIn(cacheRoot) } = {}) {
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch)) {
    return [`The real stack runs on Linux on x86-64 or arm64, not on ${platform} ${arch}. docs/own-cluster.md says how to use a cluster and an n8n in containers instead.`];
  }
  const found = [];
  const needed = new Map(parts.flatMap((part) => part.tools.map((tool) => [tool, part])));
  for (const [tool, part] of needed) {
    const complaint = TOOLS[tool](part);
    if (complaint) found.push(complaint);
  }
  const gigabytes = parts.reduce((sum, part) => sum + part.gigabytes / (finishedStages(part).length > 0 ? 2 : 1), 0);
  if (freeBytes < gigabytes * GIGABYTE) {
    found.push(
      `${cacheRoot} has ${(freeBytes / GIGABYTE).toFixed(1)} GB left; about ${Math.ceil(gigabytes)} GB are needed. ` +
        'Free some, or set WEIRKEEPER_CACHE to a folder on another disk.',
    );
  }
  return found;
}

const freeIn = (folder) => {
  const { bavail, bsize } = fs.statfsSync(folder);
  return bavail * bsize;
};

/** Creates the folder of the cache. */
export function makeCacheRoot() {
  try {
    fs.mkdirSync(cacheRoot, { recursive: true, mode: 0o700 });
    fs.accessSync(cacheRoot, fs.constants.W_OK);
  } catch (error) {
    throw new Error(`the cache folder ${cacheRoot} cannot be written (${error.message}). Set WEIRKEEPER_CACHE to a folder that can.`);
  }
}

/** Refuses a machine that cannot build the parts. */
export function requireMachine(parts) {
  const found = complaints(parts);
  if (found.length > 0) throw new Error(`the real stack cannot be built here:\n${found.map((each) => `  - ${each}`).join('\n')}`);
}
