#!/usr/bin/env node
// The real stack for tests and the demo: etcd, kube-apiserver, kube-controller-manager and n8n on loopback.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { build, programs } from './build.mjs';
import { down, environmentOf, readState, recordCommand, refuseRunningStack, restart, start, status, stop, up } from './lifecycle.mjs';
import { createApiKey } from './n8n.mjs';
import { guard, sleep, startTimeOf, stopProcess, tieToThisProgram } from './processes.mjs';
import { say } from './say.mjs';
import { checkShape, SHAPES } from './shapes.mjs';

const USAGE = `usage: node stack.mjs COMMAND
  build [PART...]                     build the parts (control-plane etcd helm node n8n n8n-prepared flux cert-manager model) into
                                      the cache
  up --dir DIR [UP]                   start a stack; writes DIR/stack.json and DIR/env
  down --dir DIR                      end it
  run [--dir DIR] [--meanwhile SHELL] [UP] -- COMMAND...
                                      start a stack, run COMMAND with its variables, end the stack; SHELL is a shell command
                                      that runs while the parts are being built, and has to succeed
  status --dir DIR                    list its processes; exit code 1 when one is not running
  stop|start|restart PART --dir DIR [--kill]   PART: etcd, apiserver, controller-manager, n8n, n8n-worker, n8n-webhook,
                                      redis, postgres
  apikey --dir DIR [--scopes a,b] [--expires-in-seconds N]   print a new n8n API key (0: one that has expired)
UP: [--without-n8n | --only-n8n] [--without-test-programs] [--name NAME] [--n8n-env K=V]... [--shape SHAPE]
Test programs: flux, cert-manager, model; only tests use them, and no process of theirs is started.
SHAPE: ${Object.keys(SHAPES).join(', ')}
The cache is $WEIRKEEPER_CACHE, by default ~/.cache/weirkeeper.`;

const SHORT_LIFE_SECONDS = 5;

class UsageError extends Error {}

const OPTIONS = {
  dir: { type: 'string' },
  name: { type: 'string' },
  'without-n8n': { type: 'boolean' },
  'only-n8n': { type: 'boolean' },
  'without-test-programs': { type: 'boolean' },
  'n8n-env': { type: 'string', multiple: true },
  shape: { type: 'string' },
  kill: { type: 'boolean' },
  scopes: { type: 'string' },
  'expires-in-seconds': { type: 'string' },
  meanwhile: { type: 'string' },
  help: { type: 'boolean' },
};
const UP = ['dir', 'name', 'without-n8n', 'only-n8n', 'without-test-programs', 'n8n-env', 'shape'];

/** The options of each command, whether --dir is required, and the number of positional arguments. */
const COMMANDS = {
  build: { options: [], plain: [0, Infinity], run: buildCommand },
  up: { options: UP, dir: true, run: upCommand },
  down: { options: ['dir'], dir: true, run: downCommand },
  run: { options: [...UP, 'meanwhile'], plain: [1, Infinity], run: runCommand },
  status: { options: ['dir'], dir: true, run: ({ dir }) => (status({ dir }) ? 0 : 1) },
  stop: { options: ['dir', 'kill'], dir: true, plain: [1, 1], run: ({ dir, plain, values }) => stop({ dir, part: plain[0], ...values }) },
  start: { options: ['dir'], dir: true, plain: [1, 1], run: ({ dir, plain }) => start({ dir, part: plain[0] }) },
  restart: { options: ['dir', 'kill'], dir: true, plain: [1, 1], run: ({ dir, plain, values }) => restart({ dir, part: plain[0], ...values }) },
  apikey: { options: ['dir', 'scopes', 'expires-in-seconds'], dir: true, run: apiKeyCommand },
};

function parse([command, ...rest]) {
  const known = COMMANDS[command];
  if (!known) throw new UsageError(command ? `unknown command ${command}` : 'which command?');
  const options = Object.fromEntries(known.options.map((name) => [name, OPTIONS[name]]));
  let parsed;
  try {
    parsed = parseArgs({ args: rest, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { values, positionals: plain } = parsed;
  const [least, most] = known.plain ?? [0, 0];
  if (plain.length < least || plain.length > most) throw new UsageError(`${command}: wrong number of arguments`);
  if (known.dir && !values.dir) throw new UsageError(`${command}: --dir is missing`);
  return { known, values, plain, dir: values.dir && path.resolve(values.dir) };
}

function upOptions(values, dir) {
  if (values['without-n8n'] && values['only-n8n']) throw new UsageError('--without-n8n and --only-n8n leave nothing');
  const shape = values.shape ?? 'default';
  if (!values['without-n8n']) checkShape(shape);
  const n8nEnv = Object.fromEntries(
    (values['n8n-env'] ?? []).map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`--n8n-env ${pair}: expected NAME=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  return {
    dir,
    name: values.name ?? path.basename(dir),
    withControlPlane: !values['only-n8n'],
    withN8n: !values['without-n8n'],
    withTestPrograms: !values['without-test-programs'] && !values['only-n8n'],
    n8nEnv,
    shape,
  };
}

async function buildCommand({ plain }) {
  for (const [name, folder] of Object.entries(await build(plain.length > 0 ? plain : undefined))) say(`${name}: ${folder}`);
}

/** Ends the stack in `dir` if this program is killed; the signal handlers below cover every other end. */
const guardStack = (dir) => guard([process.execPath, fileURLToPath(import.meta.url), 'down', '--dir', dir]);

/** Ends a wait when the user or the system interrupts this program; the caller then cleans up. */
function interruption() {
  const state = { code: undefined };
  const ended = new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        if (state.code !== undefined) return; // cleaning up already
        state.code = 128 + os.constants.signals[signal];
        say(`${signal}: ending`);
        done();
      });
    }
  });
  return { state, orInterrupted: (work) => Promise.race([work, ended]) };
}

async function upCommand({ values, dir }) {
  const options = upOptions(values, dir);
  refuseRunningStack(dir);
  const found = await programs(options);
  refuseRunningStack(dir); // before the watcher could end it
  const watcher = guardStack(dir);
  const { state: interrupted, orInterrupted } = interruption();
  try {
    await orInterrupted(up({ ...options, programs: found }));
    if (interrupted.code !== undefined) throw new Error('interrupted');
  } catch (error) {
    await down({ dir });
    watcher.release();
    if (interrupted.code === undefined) throw error;
    process.exit(interrupted.code);
  }
  watcher.release();
  say(`variables: source ${path.join(dir, 'env')}`);
}

async function downCommand({ dir }) {
  if (!fs.existsSync(dir)) throw new Error(`there is no folder ${dir}`);
  if (!(await down({ dir }))) say(`down: there is no stack in ${dir}`);
}

/** Runs a program in a session of its own; `done` resolves to its exit code. */
function launch(argv, env = process.env) {
  let record;
  const done = new Promise((resolve, fail) => {
    const child = spawn(argv[0], argv.slice(1), { env, detached: true, stdio: 'inherit' });
    child.on('error', (error) => fail(new Error(`run ${argv[0]}: ${error.message}`)));
    child.on('exit', (exitCode, signal) => resolve(exitCode ?? 128 + os.constants.signals[signal]));
    if (child.pid) record = { pid: child.pid, startTime: startTimeOf(child.pid), log: null };
  });
  return { record, done };
}

/** A command that failed; its exit code becomes that of `run`. */
class CommandFailed extends Error {
  constructor(command, code) {
    super(`${command} ended with exit code ${code}`);
    this.code = code;
  }
}

/** Builds the programs and runs the command of --meanwhile in parallel. A failure of either ends both. */
async function programsMeanwhile(command, options) {
  if (command === undefined) return programs(options);
  const building = programs(options);
  const { record, done } = launch(['bash', '-c', command]);
  const tie = record && tieToThisProgram(record);
  const succeeded = done.then((code) => {
    if (code !== 0) throw new CommandFailed(command, code);
  });
  try {
    const [found] = await Promise.all([building, succeeded]);
    return found;
  } finally {
    if (record) await stopProcess(record);
    tie?.release();
  }
}

/** The caller's variables for a command that uses the stack. kube's client would use a proxy even for loopback. */
function callersEnvironment() {
  const env = { ...process.env };
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy']) delete env[name];
  return env;
}

async function runCommand({ values, plain, dir: given }) {
  if (given) refuseRunningStack(given);
  const options = upOptions(values, given ?? 'unnamed');
  let dir = given;
  let command;
  const { state: interrupted, orInterrupted } = interruption();
  let watcher;
  let code = 1;
  let failure;
  try {
    const found = await orInterrupted(programsMeanwhile(values.meanwhile, options));
    if (interrupted.code === undefined) {
      if (given) refuseRunningStack(given); // before the watcher could end it
      dir ??= fs.mkdtempSync(path.join(os.tmpdir(), 'weirkeeper-stack-'));
      watcher = guardStack(dir);
      await orInterrupted(up({ ...upOptions(values, dir), programs: found }));
    }
    if (interrupted.code === undefined) {
      const variables = environmentOf(readState(dir));
      const env = { ...callersEnvironment(), ...variables, PATH: `${path.join(dir, 'bin')}:${process.env.PATH}` };
      const { record, done } = launch(plain, env);
      command = record;
      if (command) await recordCommand(dir, command);
      code = (await orInterrupted(done)) ?? 1;
    }
  } catch (error) {
    failure = error;
  }
  try {
    if (command) await stopProcess(command); // also what the command left behind in its group
    if (watcher) await down({ dir });
    watcher?.release();
  } catch (error) {
    failure ??= error; // the watcher, not released, tries once more
  }
  if (failure) say(`failed: ${failure.message}`);
  const exitCode = interrupted.code ?? (failure instanceof CommandFailed ? failure.code : failure ? 1 : code);
  if (watcher && exitCode !== 0) say(`exit code ${exitCode}; the stack's files and logs are kept in ${dir}`);
  else if (watcher && !given) fs.rmSync(dir, { recursive: true, force: true });
  process.exit(exitCode);
}

async function apiKeyCommand({ dir, values }) {
  const state = readState(dir);
  if (!state.n8n) throw new Error('this stack has no n8n');
  const scopes = values.scopes?.split(',').map((scope) => scope.trim());
  const lifetime = values['expires-in-seconds'];
  if (lifetime !== undefined && !/^\d+$/.test(lifetime)) throw new UsageError('--expires-in-seconds: expected a whole number');
  // n8n refuses to create a key that has expired. An expired key is created with the shortest validity that a busy n8n can handle, and its
  // expiry is waited for.
  const seconds = lifetime === undefined ? undefined : Number(lifetime) || SHORT_LIFE_SECONDS;
  const key = await createApiKey(state, { scopes, seconds });
  if (Number(lifetime) === 0) await sleep((SHORT_LIFE_SECONDS + 1) * 1000);
  process.stdout.write(`${key}\n`);
}

// A reader that closes the pipe (`stack.mjs … | head`) must not stop this program from ending what it started.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  const args = process.argv.slice(2);
  if (['help', '--help', '-h'].includes(args[0])) {
    process.stdout.write(`${USAGE}\n`);
  } else {
    const { known, ...given } = parse(args);
    const code = await known.run(given);
    process.exitCode = typeof code === 'number' ? code : 0;
  }
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`stack: ${error.message}\n${USAGE}\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(`stack: ${error.message}\n`);
    process.exitCode = 1;
  }
}
