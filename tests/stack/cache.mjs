// The cache of built parts: one folder for each part and recipe, complete or absent, checked before every use. A part is built in stages
// beside its folder; an interrupted build continues after the last finished stage.

import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { withLock } from './locks.mjs';
import { bootId, logTail, startTimeOf, stopProcess, tieToThisProgram } from './processes.mjs';
import { say, since } from './say.mjs';

export const cacheRoot = process.env.WEIRKEEPER_CACHE
  ? path.resolve(process.env.WEIRKEEPER_CACHE)
  : path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'weirkeeper');

const MANIFEST = 'manifest.json';
const STAGES = 'stages.json';

function sha256(file) {
  const hash = crypto.createHash('sha256');
  const descriptor = fs.openSync(file, 'r');
  const buffer = Buffer.allocUnsafe(4 << 20);
  try {
    for (let read; (read = fs.readSync(descriptor, buffer)) > 0; ) hash.update(buffer.subarray(0, read));
  } finally {
    fs.closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** The name of the folder changes with the lock files, with the recipe, and with the parts that the part is built from. */
function keyOf(part) {
  const hash = crypto.createHash('sha256');
  for (const file of part.lockFiles) hash.update(`${path.basename(file)}\n`).update(fs.readFileSync(file));
  hash.update(JSON.stringify([part.recipe, part.keyFiles, process.platform, process.arch]));
  for (const needed of part.needs ?? []) hash.update(keyOf(needed));
  return hash.digest('hex').slice(0, 12);
}

export const folderOf = (part) => path.join(cacheRoot, `${part.name}-${keyOf(part)}`);
export const logOf = (part) => `${folderOf(part)}.log`;
export const partialOf = (part) => `${folderOf(part)}.partial`;

/** Describes the damage of a part's folder, or returns undefined if it is complete. */
function damageOf(part, folder) {
  let manifest;
  try {
    manifest = JSON.parse(fs.readFileSync(path.join(folder, MANIFEST), 'utf8'));
  } catch (error) {
    return `its manifest cannot be read (${error.message})`;
  }
  for (const [name, expected] of Object.entries(manifest.files)) {
    const file = path.join(folder, name);
    const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
    if (size !== expected.size) return `${name} has ${size ?? 'no'} bytes instead of ${expected.size}`;
    if (sha256(file) !== expected.sha256) return `${name} has another checksum`;
  }
  return part.damage?.(folder);
}

const verified = new Set();

/** Reports whether a part is built and undamaged. */
export function isWhole(part) {
  const folder = folderOf(part);
  if (verified.has(folder)) return true;
  const whole = fs.existsSync(folder) && damageOf(part, folder) === undefined;
  if (whole) verified.add(folder);
  return whole;
}

/** Returns the titles of the finished stages of an interrupted build. None after a restart of the machine: recent writes may be lost. */
export function finishedStages(part) {
  try {
    const { boot, finished } = JSON.parse(fs.readFileSync(path.join(partialOf(part), STAGES), 'utf8'));
    return boot === bootId() ? finished : [];
  } catch {
    return [];
  }
}

function writeStages(part, finished) {
  const file = path.join(partialOf(part), STAGES);
  fs.writeFileSync(`${file}.new`, JSON.stringify({ boot: bootId(), finished }));
  fs.renameSync(`${file}.new`, file);
}

/**
 * Runs one step of a stage. Its output goes to the log of the part, or its standard output to the file `output`; a failure quotes the end
 * of the log. Aborting `signal` ends it.
 */
async function runStep(part, signal, { title, argv, cwd, env, missing, output }) {
  const log = logOf(part);
  const started = Date.now();
  say(`${part.name}: ${title} …`);
  const errors = fs.openSync(log, 'a', 0o600);
  const answers = output === undefined ? errors : fs.openSync(output, 'w', 0o600);
  fs.writeSync(errors, `\n$ ${argv.join(' ')}\n`);
  let tie;
  let leader;
  const abort = () => leader && stopProcess(leader, { graceMs: 0 }).catch(() => {});
  try {
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort);
    const code = await new Promise((done, fail) => {
      const child = spawn(argv[0], argv.slice(1), { cwd, env, detached: true, stdio: ['ignore', answers, errors] });
      child.on('error', (error) => {
        if (error.code !== 'ENOENT') return fail(error);
        return fail(new Error(`${part.name}: ${argv[0]} was not found. ${missing ?? ''}`.trim()));
      });
      child.on('exit', (exitCode, killedBy) => done(killedBy ?? exitCode));
      if (child.pid) {
        leader = { pid: child.pid, startTime: startTimeOf(child.pid) };
        tie = tieToThisProgram(leader);
      }
    });
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(`${part.name}: ${title} failed (${code}); end of ${log}:\n${logTail(log, 40)}`);
    say(`${part.name}: ${title} took ${since(started)}`);
  } finally {
    signal?.removeEventListener('abort', abort);
    tie?.release();
    fs.closeSync(errors);
    if (answers !== errors) fs.closeSync(answers);
  }
}

/** Returns the folder of a part, built if it is absent or damaged. Concurrent callers build it once. */
export async function ensurePart(part, signal) {
  if (!isWhole(part)) {
    for (const needed of part.needs ?? []) await ensurePart(needed, signal);
    await withLock(`${folderOf(part)}.lock`, part.name, () => buildPart(part, signal));
    verified.add(folderOf(part));
  }
  return folderOf(part);
}

async function buildPart(part, signal) {
  const folder = folderOf(part);
  const work = partialOf(part);
  if (fs.existsSync(folder)) {
    const damage = damageOf(part, folder); // another process may have built it while this one waited
    if (damage === undefined) return;
    say(`${part.name}: the build in ${folder} is damaged: ${damage}; building it again`);
    fs.rmSync(folder, { recursive: true, force: true });
  }
  const started = Date.now();
  const finished = finishedStages(part);
  const resumed = finished.length > 0;
  if (resumed) {
    say(`${part.name}: going on after "${finished.at(-1)}", where an earlier build stopped`);
  } else {
    fs.rmSync(work, { recursive: true, force: true });
    fs.rmSync(logOf(part), { force: true });
    fs.mkdirSync(work, { recursive: true });
    writeStages(part, finished);
    say(`${part.name}: building into ${folder} (log: ${logOf(part)})`);
  }
  const needed = Object.fromEntries((part.needs ?? []).map((each) => [each.name, folderOf(each)]));
  try {
    let versions = {};
    for (const stage of part.stages) {
      if (finished.includes(stage.title)) continue;
      versions = (await stage.run({ folder: work, needed, signal, step: (step) => runStep(part, signal, step) })) ?? versions;
      finished.push(stage.title);
      writeStages(part, finished);
    }
    complete(part, versions, (Date.now() - started) / 1000);
  } catch (error) {
    // The damage may be in a stage that counts as finished; continuing from it would fail for ever.
    if (resumed && !signal?.aborted) fs.rmSync(work, { recursive: true, force: true });
    throw error;
  }
  say(`${part.name}: built in ${since(started)}`);
}

/** Describes a built part in a manifest, checks it, and renames its folder to the final name. */
function complete(part, versions, buildSeconds) {
  const work = partialOf(part);
  const files = Object.fromEntries(
    part.keyFiles.map((file) => {
      const full = path.join(work, file);
      return [file, { size: fs.statSync(full).size, sha256: sha256(full) }];
    }),
  );
  fs.rmSync(path.join(work, STAGES));
  const manifest = { part: part.name, recipe: part.recipe, versions, files, buildSeconds };
  fs.writeFileSync(path.join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  const damage = damageOf(part, work);
  if (damage !== undefined) {
    fs.rmSync(work, { recursive: true, force: true });
    throw new Error(`${part.name}: the build is not usable: ${damage}`);
  }
  fs.renameSync(work, folderOf(part)); // atomic: the folder is there as a whole or not at all
}
