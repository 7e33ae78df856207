// Commands of the demo beside kubectl: call a webhook, call it continuously, and edit a workflow like a user of n8n's editor. n8n is at
// N8N_URL; its public API requires N8N_API_KEY.

import { judge, tell } from './knocking.mjs';

const [command, ...args] = process.argv.slice(2);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function call(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    return { status: 0, text: error.cause?.code ?? error.message };
  }
}

async function api(method, path, body) {
  const answer = await fetch(new URL(`api/v1/${path}`, `${process.env.N8N_URL.replace(/\/$/, '')}/`), {
    method,
    headers: { 'X-N8N-API-KEY': process.env.N8N_API_KEY, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, json: await answer.json().catch(() => null) };
}

async function workflow(id) {
  const { status, json } = await api('GET', `workflows/${id}`);
  if (status !== 200) throw new Error(`n8n answered ${status}`);
  return json;
}

const commands = {
  /** Prints what a webhook answers. */
  async call(url) {
    const { status, text } = await call(url);
    console.log(status === 200 ? text : `HTTP ${status}: ${text.split('\n')[0].slice(0, 160)}`);
  },

  /**
   * Calls a webhook until it is told to stop, and a few times more. Prints a first line once it has answered, then what happened; exit
   * code 1 unless it answered before and after and was gone for less than 30 s altogether.
   */
  async knock(url) {
    const calls = [];
    let [begun, left] = [false, Infinity];
    process.on('SIGTERM', () => (left = 5));
    for (; left > 0; left -= 1) {
      const { status } = await call(url);
      calls.push({ at: Date.now(), status });
      if (status === 200 && !begun) console.log('knocking');
      begun ||= status === 200;
      await sleep(20);
    }
    const result = judge(calls, 30_000);
    console.log(result.problem ?? tell(result));
    process.exitCode = result.problem === undefined ? 0 : 1;
  },

  /** Changes the answer in the editor's way: the whole workflow is saved, and published because it was. */
  async edit(id, from, to) {
    const { name, nodes, connections, settings } = await workflow(id);
    const changed = JSON.parse(JSON.stringify(nodes).replaceAll(from, to));
    const { status } = await api('PUT', `workflows/${id}`, { name, nodes: changed, connections, settings });
    if (status !== 200) throw new Error(`n8n answered ${status}`);
    const saved = await workflow(id);
    if (!JSON.stringify(saved.nodes).includes(to)) throw new Error('n8n did not save the change');
    if (saved.activeVersionId !== saved.versionId) throw new Error('n8n did not publish the change');
    console.log(`saved and published: the workflow now answers "${to}"`);
  },

  /** Prints the HTTP status with which n8n answers for a workflow. */
  async exists(id) {
    console.log((await api('GET', `workflows/${id}`)).status);
  },
};

if (!commands[command]) {
  console.error(`usage: n8n.mjs ${Object.keys(commands).join('|')} ...`);
  process.exit(2);
}
await commands[command](...args);
