// The cache of built parts: one folder per part and recipe, complete or absent, checked before every use.

import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { isAlive, logTail, sleep, startTimeOf, tieToThisProgram } from './processes.mjs';

export const cacheRoot = process.env.WEIRKEEPER_CACHE
  ? path.resolve(process.env.WEIRKEEPER_CACHE)
  : path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'weirkeeper');

const MANIFEST = 'manifest.json';

export const say = (line) => process.stdout.write(`stack: ${line}\n`);
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

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

/** The folder's name changes with the lock files, with the recipe, and with the parts it is built from. */
function keyOf(part) {
  const hash = crypto.createHash('sha256');
  for (const file of part.lockFiles) hash.update(`${path.basename(file)}\n`).update(fs.readFileSync(file));
  hash.update(JSON.stringify([part.recipe, part.keyFiles, process.platform, process.arch]));
  for (const needed of part.needs ?? []) hash.update(keyOf(needed));
  return hash.digest('hex').slice(0, 12);
}

const folderOf = (part) => path.join(cacheRoot, `${part.name}-${keyOf(part)}`);

/** What is wrong with a part's folder, or undefined when it is whole. */
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

/** Holds `file` while `work` runs. A lock whose holder has died is taken over. */
export async function withLock(file, what, work) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const mine = `${file}.${process.pid}.${crypto.randomBytes(4).toString('hex')}`;
  fs.writeFileSync(mine, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }));
  const waitingSince = Date.now();
  let announced = 0;
  try {
    for (;;) {
      try {
        fs.linkSync(mine, file); // atomic, and the content is there from the first moment
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      let holder;
      try {
        holder = JSON.parse(fs.readFileSync(file, 'utf8'));
      } catch {
        continue; // released in between
      }
      if (!isAlive(holder)) {
        say(`${what}: taking over the lock of process ${holder.pid}, which has ended`);
        // Renaming moves one file for one taker; whoever loses the race finds no file and tries again.
        const stale = `${mine}.stale`;
        try {
          fs.renameSync(file, stale);
          // Between the look and the move another taker may have been faster: then this is its lock, given back.
          if (isAlive(JSON.parse(fs.readFileSync(stale, 'utf8')))) fs.linkSync(stale, file);
          fs.unlinkSync(stale);
        } catch (error) {
          if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
        }
        continue;
      }
      if (Date.now() - announced > 15_000) {
        if (announced || Date.now() - waitingSince > 1000) {
          say(`${what}: waiting for process ${holder.pid} (${seconds(waitingSince)})`);
          announced = Date.now();
        }
      }
      await sleep(100);
    }
    fs.unlinkSync(mine);
    try {
      return await work();
    } finally {
      fs.rmSync(file, { force: true });
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/**
 * Runs one step of a recipe: output to the part's log, a line with the elapsed time every 15 s, the log's end on
 * failure.
 */
async function runStep(part, log, { title, argv, cwd, env, missing }) {
  const started = Date.now();
  say(`${part.name}: ${title} …`);
  const output = fs.openSync(log, 'a', 0o600);
  fs.writeSync(output, `\n$ ${argv.join(' ')}\n`);
  const ticker = setInterval(() => say(`${part.name}: ${title} … ${seconds(started)}`), 15_000);
  let tie;
  try {
    const code = await new Promise((done, fail) => {
      const child = spawn(argv[0], argv.slice(1), { cwd, env, detached: true, stdio: ['ignore', output, output] });
      child.on('error', (error) => {
        if (error.code !== 'ENOENT') return fail(error);
        return fail(new Error(`${part.name}: ${argv[0]} was not found. ${missing ?? ''}`.trim()));
      });
      child.on('exit', (exitCode, signal) => done(signal ?? exitCode));
      if (child.pid) tie = tieToThisProgram({ pid: child.pid, startTime: startTimeOf(child.pid) });
    });
    if (code !== 0) {
      throw new Error(`${part.name}: ${title} failed (${code}); end of ${log}:\n${logTail(log, 40)}`);
    }
    say(`${part.name}: ${title} took ${seconds(started)}`);
  } finally {
    clearInterval(ticker);
    tie?.release();
    fs.closeSync(output);
  }
}

function removeLeftovers(part, name) {
  for (const entry of fs.readdirSync(cacheRoot)) {
    const match = /^(.+)\.tmp-(\d+)-(\d+)$/.exec(entry);
    if (match?.[1] === name && !isAlive({ pid: Number(match[2]), startTime: match[3] })) {
      say(`${part.name}: removing the remains of an unfinished build`);
      fs.rmSync(path.join(cacheRoot, entry), { recursive: true, force: true });
    }
  }
}

const verified = new Map();

/** The folder of a part, built when it is absent or damaged. Concurrent callers build it once. */
export async function ensurePart(part) {
  const folder = folderOf(part);
  if (verified.has(folder)) return folder;
  if (!fs.existsSync(folder) || damageOf(part, folder) !== undefined) {
    for (const needed of part.needs ?? []) await ensurePart(needed);
    await withLock(`${folder}.lock`, part.name, () => buildPart(part, folder));
  }
  verified.set(folder, true);
  return folder;
}

async function buildPart(part, folder) {
  const name = path.basename(folder);
  if (fs.existsSync(folder)) {
    const damage = damageOf(part, folder); // another process may have built it while this one waited
    if (damage === undefined) return;
    say(`${part.name}: the build in ${folder} is damaged: ${damage}; building it again`);
    fs.rmSync(folder, { recursive: true, force: true });
  }
  removeLeftovers(part, name);
  const started = Date.now();
  const work = path.join(cacheRoot, `${name}.tmp-${process.pid}-${startTimeOf(process.pid)}`);
  const log = path.join(cacheRoot, `${name}.log`);
  fs.mkdirSync(work, { recursive: true });
  fs.rmSync(log, { force: true });
  say(`${part.name}: building into ${folder} (log: ${log})`);
  try {
    const versions = await part.build({ folder: work, finalFolder: folder, step: (step) => runStep(part, log, step) });
    const files = Object.fromEntries(
      part.keyFiles.map((file) => {
        const full = path.join(work, file);
        return [file, { size: fs.statSync(full).size, sha256: sha256(full) }];
      }),
    );
    const manifest = { part: part.name, recipe: part.recipe, versions, files, buildSeconds: (Date.now() - started) / 1000 };
    fs.writeFileSync(path.join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    const damage = damageOf(part, work);
    if (damage !== undefined) throw new Error(`${part.name}: the build is not usable: ${damage}`);
    fs.renameSync(work, folder); // atomic: the folder is there as a whole or not at all
  } catch (error) {
    fs.rmSync(work, { recursive: true, force: true });
    throw error;
  }
  say(`${part.name}: built in ${seconds(started)}`);
}
