// n8n on loopback, without outgoing connections: how it is started, prepared, and given an owner and API keys.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { expectStatus, request } from './http.mjs';
import { freePort, listenersOf, startProcess, stopProcess, tieToThisProgram, waitReady } from './processes.mjs';
import { prepareShape, shapeComponents, shapeOf, shapeVariables, webhookUrl } from './shapes.mjs';

const inside = (state, name) => path.join(state.dir, name);
const secret = (file, text) => fs.writeFileSync(file, text, { mode: 0o600 });

function temporary(userFolder) {
  const folder = path.join(userFolder, 'tmp');
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** No variable is inherited from the caller: those of n8n, of databases or of proxies would change the behaviour. */
export function environment({ node, userFolder, port, brokerPort, encryptionKey, compileCache, extra = {} }) {
  return {
    PATH: `${path.dirname(node)}:/usr/bin:/bin`,
    HOME: userFolder,
    TMPDIR: temporary(userFolder), // n8n keeps uploads there, under a name that all instances share
    TZ: 'UTC',
    GENERIC_TIMEZONE: 'UTC',
    NODE_COMPILE_CACHE: compileCache,
    N8N_USER_FOLDER: userFolder,
    N8N_ENCRYPTION_KEY: encryptionKey,
    N8N_LISTEN_ADDRESS: '127.0.0.1',
    N8N_HOST: '127.0.0.1',
    N8N_PORT: String(port),
    N8N_PROTOCOL: 'http',
    N8N_WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    N8N_EDITOR_BASE_URL: `http://127.0.0.1:${port}/`,
    N8N_SECURE_COOKIE: 'false',
    N8N_RUNNERS_BROKER_LISTEN_ADDRESS: '127.0.0.1',
    N8N_RUNNERS_BROKER_PORT: String(brokerPort),
    N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS: 'true',
    // Everything that would open outgoing connections.
    N8N_DIAGNOSTICS_ENABLED: 'false',
    N8N_DIAGNOSTICS_CONFIG_FRONTEND: '',
    N8N_DIAGNOSTICS_CONFIG_BACKEND: '',
    N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
    N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false',
    N8N_DYNAMIC_BANNERS_ENABLED: 'false',
    N8N_HIRING_BANNER_ENABLED: 'false',
    N8N_PERSONALIZATION_ENABLED: 'false',
    N8N_TEMPLATES_ENABLED: 'false',
    N8N_VERIFIED_PACKAGES_ENABLED: 'false',
    N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
    N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
    N8N_DISABLED_MODULES: 'mcp-registry',
    ...extra,
  };
}

export function prepareN8n(state, extraEnv, shape) {
  const userFolder = inside(state, 'n8n');
  fs.mkdirSync(userFolder, { recursive: true, mode: 0o700 });
  const from = path.join(state.programs.n8nPrepared, '.n8n');
  fs.cpSync(from, path.join(userFolder, '.n8n'), { recursive: true, mode: fs.constants.COPYFILE_FICLONE });
  secret(inside(state, 'n8n-encryption-key'), crypto.randomBytes(24).toString('base64url'));
  state.n8n = {
    url: '',
    port: 0,
    brokerPort: 0,
    version: JSON.parse(fs.readFileSync(path.join(path.dirname(state.programs.n8n), '../package.json'), 'utf8')).version,
    userFolder,
    apiKeyFile: inside(state, 'n8n-api-key'),
    ownerFile: inside(state, 'n8n-owner.json'),
    env: extraEnv,
  };
  prepareShape(state, shape);
}

async function isReady(url, process, port) {
  const { status } = await request(`${url}/healthz/readiness`, { timeoutMs: 5000 });
  const own = listenersOf(process).some((listener) => listener.port === port);
  return status === 200 && own ? true : `readiness: ${status}`;
}

/** An empty PostgreSQL is migrated first. */
const MIGRATION_MS = 400_000;

const server = {
  async choosePorts(state) {
    const [port, brokerPort] = [await freePort(), await freePort()];
    Object.assign(state.n8n, { port, brokerPort, url: `http://127.0.0.1:${port}` });
    for (const name of shapeOf(state).after) await shapeComponents[name].choosePorts(state);
    state.n8n.webhookUrl = webhookUrl(state);
  },
  launch(state) {
    const env = environment({
      ...state.n8n,
      node: state.programs.node,
      encryptionKey: fs.readFileSync(inside(state, 'n8n-encryption-key'), 'utf8'),
      compileCache: path.join(state.programs.n8nPrepared, 'compile-cache'),
      extra: { ...shapeVariables(state), ...shapeOf(state).main, N8N_WEBHOOK_URL: `${state.n8n.webhookUrl}/`, ...state.n8n.env },
    });
    return { argv: [state.programs.node, state.programs.n8n, 'start'], env, cwd: state.n8n.userFolder };
  },
  async ready(state, process) {
    const { url, port } = state.n8n;
    await waitReady('n8n', process, () => isReady(url, process, port), MIGRATION_MS);
    // Readiness may come before the routes of the API; any response but a missing route or a start-up page counts.
    await waitReady('n8n', process, async () => {
      const { status } = await request(`${url}/api/v1/workflows`, { timeoutMs: 5000 });
      return status === 401 ? true : `public API: ${status}`;
    });
  },
};

export const n8nComponents = { n8n: server };

async function rest(state, method, route, body, accept = [200, 201]) {
  const session = JSON.parse(fs.readFileSync(state.n8n.ownerFile, 'utf8')).session;
  const headers = session ? { cookie: session } : {};
  return expectStatus(accept, `${state.n8n.url}/rest${route}`, { method, body, headers, timeoutMs: 30_000 });
}

function keepSession(state, owner, answer) {
  const session = (answer.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ');
  if (!session) throw new Error(`n8n gave the owner no session: ${answer.text.slice(0, 300)}`);
  secret(state.n8n.ownerFile, `${JSON.stringify({ ...owner, session }, null, 2)}\n`);
}

/** Creates the owner account, with a password for this stack only. */
export async function createOwner(state) {
  const owner = {
    email: 'owner@stack.invalid',
    firstName: 'Stack',
    lastName: 'Owner',
    password: `Aa1${crypto.randomBytes(18).toString('base64url')}`,
  };
  secret(state.n8n.ownerFile, `${JSON.stringify(owner)}\n`);
  keepSession(state, owner, await rest(state, 'POST', '/owner/setup', owner));
}

async function login(state) {
  const owner = JSON.parse(fs.readFileSync(state.n8n.ownerFile, 'utf8'));
  const body = { emailOrLdapLoginId: owner.email, password: owner.password };
  keepSession(state, owner, await rest(state, 'POST', '/login', body));
}

/** Creates an API key. `scopes` defaults to all that the owner may grant, `seconds` until it expires to never. */
export async function createApiKey(state, { scopes, seconds } = {}) {
  let answer = await rest(state, 'GET', '/api-keys/scopes', undefined, [200, 401]);
  if (answer.status === 401) {
    await login(state);
    answer = await rest(state, 'GET', '/api-keys/scopes');
  }
  const offered = answer.json.data;
  const unknown = (scopes ?? []).filter((scope) => !offered.includes(scope));
  if (unknown.length > 0) throw new Error(`n8n offers no scope ${unknown.join(', ')}; it offers: ${offered.join(', ')}`);
  const label = `stack-${crypto.randomBytes(6).toString('hex')}`;
  const expiresAt = seconds === undefined ? null : Math.floor(Date.now() / 1000) + seconds;
  const created = await rest(state, 'POST', '/api-keys', { label, expiresAt, scopes: scopes ?? offered });
  const raw = created.json.data.rawApiKey;
  if (!raw) throw new Error(`n8n created an API key without saying which: ${created.text.slice(0, 300)}`);
  return raw;
}

const FORGET_THE_INSTANCE = `
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(process.argv[1]);
  database.exec('DELETE FROM deployment_key; DELETE FROM instance_version_history; VACUUM');
  const owner = database.prepare("SELECT value FROM settings WHERE key = 'userManagement.isInstanceOwnerSetUp'").get();
  if (owner.value !== 'false') throw new Error('the prepared database has an owner');
  database.close();
`;

/**
 * Starts n8n once in `folder`, so that its database is migrated and its sources are compiled, and stops it. The keys of that instance are
 * removed: each run creates its own.
 */
export async function prepareDatabase({ folder, programs, step }) {
  const [port, brokerPort] = [await freePort(), await freePort()];
  const env = environment({
    node: programs.node,
    userFolder: folder,
    port,
    brokerPort,
    encryptionKey: crypto.randomBytes(24).toString('base64url'),
    compileCache: path.join(folder, 'compile-cache'),
  });
  const log = path.join(folder, 'n8n.log');
  const leader = startProcess({ argv: [programs.node, programs.n8n, 'start'], env, cwd: folder, log });
  const tie = tieToThisProgram(leader);
  try {
    await waitReady('n8n (to prepare its database)', leader, () => isReady(`http://127.0.0.1:${port}`, leader, port), 600_000);
  } finally {
    await stopProcess(leader, { graceMs: 60_000 });
    tie.release();
  }
  const database = path.join(folder, '.n8n/database.sqlite');
  await step({ title: 'forget the instance', argv: [programs.node, '--eval', FORGET_THE_INSTANCE, database], cwd: folder, env });
  for (const name of ['.n8n/config', '.n8n/n8nEventLog.log', '.n8n/crash.journal', '.cache', 'tmp', 'n8n.log']) {
    fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  }
  return {};
}
