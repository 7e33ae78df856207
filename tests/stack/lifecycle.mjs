// The lifecycle of a stack. Its processes are recorded in DIR/stack.json before anything can fail, so that `down` with the same DIR can end
// them.

import fs from 'node:fs';
import path from 'node:path';

import { controlPlane, prepareControlPlane } from './control-plane.mjs';
import { withLock } from './locks.mjs';
import { createApiKey, createOwner, n8nComponents, prepareN8n } from './n8n.mjs';
import { EndedEarly, groupMembers, isAlive, listenersOf, sleep, startProcess, stopProcess } from './processes.mjs';
import { say } from './say.mjs';
import { shapeComponents, shapeOf } from './shapes.mjs';

const components = { ...controlPlane, ...n8nComponents, ...shapeComponents };
const ALIASES = { apiserver: 'kube-apiserver', 'controller-manager': 'kube-controller-manager' };
/** The reverse of the start order: a part ends before those that it depends on. */
const N8N_STOP_ORDER = ['n8n-webhook', 'n8n-worker', 'n8n', 'redis', 'postgres'];
const STOP_ORDER = ['command', ...N8N_STOP_ORDER, 'kube-controller-manager', 'kube-apiserver', 'etcd'];
const PORT_ATTEMPTS = 6;

const stateFile = (dir) => path.join(dir, 'stack.json');

export function readState(dir) {
  try {
    return JSON.parse(fs.readFileSync(stateFile(dir), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`there is no stack in ${dir} (no stack.json)`);
    throw new Error(`read ${stateFile(dir)}: ${error.message}`);
  }
}

function writeState(state) {
  const temporary = `${stateFile(state.dir)}.${process.pid}`;
  fs.writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  fs.renameSync(temporary, stateFile(state.dir));
}

/** Changes the state on disk; several programs may do so at the same time. */
const changeState = (dir, what, change) =>
  withLock(path.join(dir, 'lock'), what, async () => {
    const state = readState(dir);
    const result = await change(state);
    writeState(state);
    return result;
  });

function partNamed(state, given) {
  const name = ALIASES[given] ?? given;
  if (!components[name] || !state.processes[name]) {
    throw new Error(`this stack has no part ${given}; it has: ${Object.keys(state.processes).join(', ')}`);
  }
  return name;
}

/** Parts that this program has started itself; known even if somebody has removed the folder. */
const startedHere = [];

/** Starts one part and waits until it is ready. A part that is restarted keeps its ports. */
async function startPart(dir, name, { keepPorts }) {
  const component = components[name];
  const started = Date.now();
  for (let attempt = 1; ; attempt += 1) {
    const state = await changeState(dir, `start ${name}`, async (current) => {
      if (current.ending) throw new Error(`start ${name}: the stack is being ended`);
      if (isAlive(current.processes[name] ?? {})) throw new Error(`${name} is running already`);
      if (!keepPorts) await component.choosePorts(current);
      const record = startProcess({ ...component.launch(current), log: path.join(dir, 'logs', `${name}.log`) });
      startedHere.push(record);
      current.processes[name] = { ...record, startedAt: new Date().toISOString() };
      return current;
    });
    try {
      await component.ready(state, state.processes[name]);
    } catch (error) {
      if (!(error instanceof EndedEarly && error.portTaken && attempt < PORT_ATTEMPTS)) throw error;
      say(`${name}: its port was taken by another program; attempt ${attempt + 1}`);
      await stopProcess(state.processes[name]);
      if (keepPorts) await sleep(500 * attempt);
      continue;
    }
    refuseForeignListeners(name, state.processes[name]);
    await changeState(dir, `start ${name}`, (current) => {
      if (state.kubernetes) current.kubernetes.version = state.kubernetes.version ?? current.kubernetes.version;
    });
    say(`${name}: ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return;
  }
}

function refuseForeignListeners(name, record) {
  const foreign = listenersOf(record).filter((listener) => !listener.loopback);
  if (foreign.length > 0) {
    throw new Error(`${name} listens on more than loopback: ${foreign.map(({ address, port }) => `${address}:${port}`).join(', ')}`);
  }
}

async function startControlPlane(dir) {
  for (const name of Object.keys(controlPlane)) await startPart(dir, name, { keepPorts: false });
}

async function startN8n(dir) {
  const { before, after } = shapeOf(readState(dir));
  for (const name of [...before, 'n8n']) await startPart(dir, name, { keepPorts: false });
  const state = readState(dir);
  await createOwner(state);
  fs.writeFileSync(state.n8n.apiKeyFile, await createApiKey(state), { mode: 0o600 });
  await inParallel(after.map((name) => startPart(dir, name, { keepPorts: false })));
}

/** Starts both halves in parallel; a failure of either is reported after both have ended. */
async function inParallel(tasks) {
  const failures = (await Promise.allSettled(tasks)).filter((result) => result.status === 'rejected');
  if (failures.length > 0) throw new Error(failures.map((failure) => failure.reason.message).join('\n'));
}

/** Everything that a stack creates in its folder, except logs; it is kept for inspection after the stack has ended. */
const BELONGINGS = /^(apiserver|etcd|n8n|n8n-.*|bin|env|kubeconfig-.*|kubectl-cache|helm|postgres|postgres-password|redis|stack\.json|stack\.ended\.json)$/;

/**
 * Refuses a folder in which a stack is running. One whose processes have all ended, after `down` or a crash of the machine, is accepted.
 */
export function refuseRunningStack(dir) {
  if (!fs.existsSync(stateFile(dir))) return;
  const running = Object.entries(readState(dir).processes).filter(([, record]) => groupMembers(record).length > 0);
  if (running.length === 0) return;
  throw new Error(
    `a stack is running in ${dir} (${running.map(([name]) => name).join(', ')}); end it with: node tests/stack/stack.mjs down --dir '${dir}'`,
  );
}

/** Removes the keys and data of an earlier stack, which do not fit the new one. */
function clear(dir) {
  refuseRunningStack(dir);
  if (fs.existsSync(stateFile(dir))) say(`the stack in ${dir} has ended without \`down\`; a new one takes its place`);
  for (const name of fs.readdirSync(dir).filter((each) => BELONGINGS.test(each))) fs.rmSync(path.join(dir, name), { recursive: true });
}

/** Starts a new stack from built `programs` in `dir`, where none may be running. The caller ends it if this fails. */
export async function up({ dir, name, programs, withControlPlane, withN8n, n8nEnv, shape = 'default' }) {
  const started = Date.now();
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const state = { version: 1, name, dir, createdAt: new Date().toISOString(), programs, kubernetes: null, n8n: null, processes: {} };
  await withLock(path.join(dir, 'lock'), 'up', () => {
    clear(dir);
    fs.chmodSync(dir, 0o700);
    fs.mkdirSync(path.join(dir, 'logs'), { recursive: true });
    if (withControlPlane) prepareControlPlane(state);
    if (withN8n) prepareN8n(state, n8nEnv, shape);
    writeState(state);
  });
  await inParallel([...(withControlPlane ? [startControlPlane(dir)] : []), ...(withN8n ? [startN8n(dir)] : [])]);
  const ready = readState(dir);
  writeEnvironment(ready);
  say(`up after ${((Date.now() - started) / 1000).toFixed(1)} s: ${describe(ready)}`);
  return ready;
}

const describe = ({ kubernetes, n8n }) =>
  [kubernetes && `Kubernetes ${kubernetes.version} at ${kubernetes.url}`, n8n && `n8n ${n8n.version} at ${n8n.url}`].filter(Boolean).join(', ');

/** Variables for programs that use the stack. */
export function environmentOf(state) {
  // A proxy of the machine cannot be used: everything is on loopback.
  const direct = [process.env.NO_PROXY ?? process.env.no_proxy, '127.0.0.1', 'localhost'].filter(Boolean).join(',');
  const variables = { WEIRKEEPER_STACK: state.dir, NO_PROXY: direct, no_proxy: direct };
  if (state.kubernetes) {
    variables.KUBECONFIG = state.kubernetes.kubeconfigs.admin;
    variables.KUBECACHEDIR = path.join(state.dir, 'kubectl-cache');
    variables.KUBERC = 'off'; // the user's defaults for kubectl would change what its commands do
    for (const kind of ['CACHE', 'CONFIG', 'DATA']) variables[`HELM_${kind}_HOME`] = path.join(state.dir, 'helm'); // not the user's
  }
  if (state.programs.modelPackages) variables.WEIRKEEPER_MODEL_PACKAGES = state.programs.modelPackages;
  if (state.n8n) {
    variables.N8N_URL = state.n8n.url;
    variables.WEIRKEEPER_SHAPE = state.n8n.shape;
    variables.N8N_API_KEY_FILE = state.n8n.apiKeyFile;
    variables.N8N_API_KEY = fs.readFileSync(state.n8n.apiKeyFile, 'utf8');
  }
  return variables;
}

function writeEnvironment(state) {
  const bin = path.join(state.dir, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  for (const name of ['kubectl', 'helm'].filter((each) => state.programs[each])) fs.symlinkSync(state.programs[name], path.join(bin, name));
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(environmentOf(state)).map(([name, value]) => `export ${name}=${quote(value)}`);
  lines.push(`export PATH=${quote(bin)}:"$PATH"`);
  fs.writeFileSync(path.join(state.dir, 'env'), `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** Ends every process of the stack in `dir`, and nothing else. Returns false if there is no stack. */
export async function down({ dir }) {
  if (!fs.existsSync(stateFile(dir))) {
    await inParallel(startedHere.map((record) => stopProcess(record)));
    return false;
  }
  // From here on no process is started, so the list of processes is complete.
  const processes = await changeState(dir, 'down', (state) => {
    state.ending = true;
    return state.processes;
  });
  const running = STOP_ORDER.filter((name) => processes[name] && groupMembers(processes[name]).length > 0);
  // n8n and the control plane are independent; within the control plane the order matters.
  const stopAll = async (names) => {
    for (const name of names) await stopProcess(processes[name], { signal: components[name]?.stopSignal });
  };
  await stopAll(running.filter((name) => name === 'command'));
  await inParallel([stopAll(running.filter((name) => N8N_STOP_ORDER.includes(name))), stopAll(running.filter((name) => controlPlane[name]))]);
  // Gone if two programs end the same stack: both have waited for the same processes.
  if (fs.existsSync(stateFile(dir))) fs.renameSync(stateFile(dir), path.join(dir, 'stack.ended.json'));
  say(`down: ended ${running.length > 0 ? running.join(', ') : 'nothing (no process was left)'}`);
  return true;
}

/** Grace period of a part: n8n waits for its running executions. */
const PATIENCE_MS = { n8n: 60_000, 'n8n-worker': 60_000, 'n8n-webhook': 60_000 };
/** kube-apiserver would wait a minute for the watches of its clients. */
const USUAL_PATIENCE_MS = 3000;

export async function stop({ dir, part, kill = false }) {
  const state = readState(dir);
  const name = partNamed(state, part);
  await stopProcess(state.processes[name], { graceMs: kill ? 0 : (PATIENCE_MS[name] ?? USUAL_PATIENCE_MS), signal: components[name].stopSignal });
  say(`${name}: ${kill ? 'killed' : 'stopped'}`);
}

export async function start({ dir, part }) {
  await startPart(dir, partNamed(readState(dir), part), { keepPorts: true });
}

export async function restart({ dir, part, kill }) {
  await stop({ dir, part, kill });
  await start({ dir, part });
}

/** Records the command of `run`, so that `down` ends it too. */
export const recordCommand = (dir, record) =>
  changeState(dir, 'command', (state) => {
    startedHere.push(record);
    state.processes.command = record;
  });

export function status({ dir }) {
  const state = readState(dir);
  let complete = true;
  say(`${state.name} in ${dir}: ${describe(state)}`);
  for (const [name, record] of Object.entries(state.processes)) {
    const alive = isAlive(record);
    complete &&= alive;
    say(`  ${name}: ${alive ? `running, pid ${record.pid}` : 'not running'}, log ${record.log ?? 'none'}`);
  }
  return complete;
}
