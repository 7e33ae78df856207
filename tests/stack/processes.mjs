// Processes of a stack: started in process groups of their own, identified by pid and start time, and stopped by these only.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Returns the fields of /proc/PID/stat that identify a process, or undefined if there is none (a zombie counts as none). */
function stat(pid) {
  let text;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field, the command in parentheses, may itself contain spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { group: Number(fields[2]), session: Number(fields[3]), startTime: fields[19] };
}

let boot;

/** Identifies the current start of the machine. */
export const bootId = () => (boot ??= fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());

/** Returns the clock ticks since boot at which a process started: together with the pid it identifies one process uniquely. */
export const startTimeOf = (pid) => stat(pid)?.startTime;

export const isAlive = ({ pid, startTime }) => pid > 0 && startTimeOf(pid) === startTime;

/**
 * Returns the members of the group that `leader` was started as, including the leader. While any member lives, the kernel does not reuse
 * the leader's pid, so another process with that pid means that the group is gone.
 */
export function groupMembers(leader) {
  const holder = startTimeOf(leader.pid);
  if (holder !== undefined && holder !== leader.startTime) return [];
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const found = stat(pid);
      return found?.group === leader.pid && found.session === leader.pid;
    });
}

/** Starts a program in a session of its own, with its output appended to `log`, and returns at once. */
export function startProcess({ argv, env, cwd, log, uid, gid }) {
  fs.mkdirSync(path.dirname(log), { recursive: true });
  const output = fs.openSync(log, 'a', 0o600);
  const logOffset = fs.fstatSync(output).size;
  try {
    const child = spawn(argv[0], argv.slice(1), { env, cwd, uid, gid, detached: true, stdio: ['ignore', output, output] });
    child.on('error', () => {}); // reported below, as a missing pid
    if (!child.pid) throw new Error(`start ${argv[0]}: it cannot be executed`);
    child.unref();
    return { pid: child.pid, startTime: startTimeOf(child.pid) ?? 'gone', log, logOffset };
  } finally {
    fs.closeSync(output);
  }
}

function signalGroup(leader, signal) {
  if (groupMembers(leader).length === 0) return;
  try {
    process.kill(-leader.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Ends a whole process group: sends `signal`, and SIGKILL to the rest after `graceMs` (0: SIGKILL at once). */
export async function stopProcess(leader, { graceMs = 8000, signal = 'SIGTERM' } = {}) {
  if (graceMs > 0) {
    signalGroup(leader, signal);
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && groupMembers(leader).length > 0) await sleep(50);
  }
  signalGroup(leader, 'SIGKILL');
  const deadline = Date.now() + 10_000;
  while (groupMembers(leader).length > 0) {
    if (Date.now() > deadline) throw new Error(`process group ${leader.pid} survives SIGKILL`);
    await sleep(20);
  }
}

/**
 * Starts a watcher that runs `argv` if this program ends without having released it, including by SIGKILL: the watcher's standard input is
 * a pipe that only this program holds open.
 */
export function guard(argv) {
  const watcher = spawn('sh', ['-c', 'read -r word || exec "$@"', 'guard', ...argv], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  watcher.unref();
  watcher.stdin.unref();
  return { release: () => watcher.stdin.end('released\n') };
}

/** Ends a process group at once if this program ends, by whatever means, before `release` is called. */
export function tieToThisProgram(leader) {
  const watcher = guard(['sh', '-c', 'kill -s KILL -- "-$1"', 'end', String(leader.pid)]);
  const end = () => signalGroup(leader, 'SIGKILL');
  process.once('exit', end);
  return {
    release() {
      process.off('exit', end);
      watcher.release();
    },
  };
}

const PORT_RANGE = { from: 12_000, to: 32_000 };
const handedOut = new Set();

/** Returns a free loopback port below the ephemeral range, so that no outgoing connection takes it. */
export async function freePort() {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = PORT_RANGE.from + Math.floor(Math.random() * (PORT_RANGE.to - PORT_RANGE.from));
    if (handedOut.has(port)) continue;
    const free = await new Promise((done) => {
      const server = net.createServer();
      server.once('error', () => done(false));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => done(true)));
    });
    if (free) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error('no free port on 127.0.0.1');
}

export function logTail(file, lines = 30, fromOffset = 0) {
  try {
    return fs.readFileSync(file).subarray(fromOffset).toString().trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

/** A process ended before it was ready. `portTaken` reports whether another program had taken its port. */
export class EndedEarly extends Error {
  constructor(name, process) {
    const tail = logTail(process.log, 30, process.logOffset);
    super(`${name} ended before it was ready; end of ${process.log}:\n${tail}`);
    this.portTaken = /address already in use|EADDRINUSE|port \d+ is already in use/i.test(tail);
  }
}

/** Waits until `probe` returns true; fails when the process has ended or after `timeoutMs`. */
export async function waitReady(name, process, probe, timeoutMs = 600_000) {
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer yet';
  for (;;) {
    try {
      const answer = await probe();
      if (answer === true) return;
      last = String(answer);
    } catch (error) {
      last = error.message || String(error.code ?? error);
    }
    if (!isAlive(process)) throw new EndedEarly(name, process);
    if (Date.now() > deadline) {
      throw new Error(
        `${name} is not ready after ${timeoutMs / 1000} s (${last}); end of ${process.log}:\n${logTail(process.log)}`,
      );
    }
    await sleep(100);
  }
}

/** Returns the sockets that the members of a group listen on. */
export function listenersOf(leader) {
  const inodes = new Set();
  for (const pid of groupMembers(leader)) {
    let descriptors = [];
    try {
      descriptors = fs.readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue; // ended in between
    }
    for (const descriptor of descriptors) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${descriptor}`));
        if (inode) inodes.add(inode[1]);
      } catch {
        // closed in between
      }
    }
  }
  const LISTEN = '0A';
  const loopback = /^(0100007F|00000000000000000000000001000000|0000000000000000FFFF00000100007F)$/;
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => {
    if (!fs.existsSync(file)) return []; // no IPv6 on this machine
    return fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9]))
      .map((fields) => fields[1].split(':'))
      .map(([address, port]) => ({ address, port: parseInt(port, 16), loopback: loopback.test(address) }));
  });
}
