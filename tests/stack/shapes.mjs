// The shapes of n8n: the processes besides the main one, and the configuration of each.

import fs from 'node:fs';
import path from 'node:path';

import { request } from './http.mjs';
import { environment } from './n8n.mjs';
import { freePort, waitReady } from './processes.mjs';
import { prepareServices, serviceComponents, servicePrograms, serviceVariables } from './services.mjs';

const SERVICES = ['postgres', 'redis'];

/** By name: the variables of the n8n processes, the parts that start before the main process, and those that start after it. */
export const SHAPES = {
  default: { before: [], after: [], variables: {}, main: {} },
  'publication-service': { before: [], after: [], variables: { N8N_USE_WORKFLOW_PUBLICATION_SERVICE: 'true' }, main: {} },
  queue: { before: SERVICES, after: ['n8n-worker'], variables: { EXECUTIONS_MODE: 'queue' }, main: {} },
  'webhook-processor': {
    before: SERVICES,
    after: ['n8n-worker', 'n8n-webhook'],
    variables: { EXECUTIONS_MODE: 'queue' },
    main: { N8N_DISABLE_PRODUCTION_MAIN_PROCESS: 'true' },
  },
};

export const shapeOf = (state) => SHAPES[state.n8n?.shape ?? 'default'];

/** Refuses an unknown shape, or one whose programs are missing on the machine, before anything is started. */
export function checkShape(name) {
  if (!SHAPES[name]) throw new Error(`there is no shape ${name}; there are: ${Object.keys(SHAPES).join(', ')}`);
  if (SHAPES[name].before.length > 0) servicePrograms();
}

export function prepareShape(state, name) {
  state.n8n.shape = name;
  if (SHAPES[name].before.length > 0) prepareServices(state);
}

/** Returns the variables of an n8n process that depend on the shape. */
export function shapeVariables(state) {
  return { ...shapeOf(state).variables, ...(state.services && serviceVariables(state.services)) };
}

/** Returns a process of n8n besides the main one. It shares the database, the queue and the key that encrypts credentials. */
function companion(role, { variables = () => ({}), health }) {
  const key = `n8n-${role}`;
  const own = (state) => state.companions[role];
  return {
    async choosePorts(state) {
      state.companions ??= {};
      state.companions[role] ??= { port: await freePort(), brokerPort: await freePort() };
    },
    launch(state) {
      const userFolder = path.join(state.dir, key);
      fs.mkdirSync(userFolder, { recursive: true, mode: 0o700 });
      const env = environment({
        ...own(state),
        node: state.programs.node,
        userFolder,
        encryptionKey: fs.readFileSync(path.join(state.dir, 'n8n-encryption-key'), 'utf8'),
        compileCache: path.join(state.programs.n8nPrepared, 'compile-cache'),
        extra: { N8N_EDITOR_BASE_URL: `${state.n8n.url}/`, ...shapeVariables(state), ...variables(own(state)), ...state.n8n.env },
      });
      return { argv: [state.programs.node, state.programs.n8n, role], env, cwd: userFolder };
    },
    async ready(state, record) {
      await waitReady(key, record, async () => {
        const { status } = await request(`http://127.0.0.1:${own(state).port}${health}`, { timeoutMs: 5000 });
        return status === 200 ? true : `${health}: ${status}`;
      });
    },
  };
}

export const shapeComponents = {
  ...serviceComponents,
  'n8n-worker': companion('worker', {
    variables: ({ port }) => ({
      QUEUE_HEALTH_CHECK_ACTIVE: 'true',
      QUEUE_HEALTH_CHECK_PORT: String(port),
      N8N_WORKER_SERVER_ADDRESS: '127.0.0.1',
    }),
    health: '/healthz/readiness',
  }),
  'n8n-webhook': companion('webhook', { health: '/healthz/readiness' }),
};

/** Returns the URL of production webhooks: that of the webhook processor, if there is one. */
export function webhookUrl(state) {
  const processor = shapeOf(state).after.includes('n8n-webhook') && state.companions?.webhook;
  return processor ? `http://127.0.0.1:${processor.port}` : state.n8n.url;
}
