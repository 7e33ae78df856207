// Locks between programs: a file that names the process that holds the lock.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { isAlive, sleep, startTimeOf } from './processes.mjs';
import { say, since } from './say.mjs';

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
        // Renaming moves the file for exactly one process; the others find no file and try again.
        const stale = `${mine}.stale`;
        try {
          fs.renameSync(file, stale);
          // Another process may have taken the lock between the check and the rename: then this is its lock, and is returned.
          if (isAlive(JSON.parse(fs.readFileSync(stale, 'utf8')))) fs.linkSync(stale, file);
          fs.unlinkSync(stale);
        } catch (error) {
          if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
        }
        continue;
      }
      if (Date.now() - announced > 15_000) {
        if (announced || Date.now() - waitingSince > 1000) {
          say(`${what}: waiting for process ${holder.pid} (${since(waitingSince)})`);
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
