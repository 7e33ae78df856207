// Commands of the demo beside kubectl: call a webhook, call it continuously, and edit a workflow like a user of n8n's editor. n8n is at
// N8N_URL; its public API requires N8N_API_KEY.

import { evaluate, tell } from './knocking.mjs';

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
  /** Calls a webhook and prints its answer. */
  async call(url) {
    const { status, text } = await call(url);
    console.log(status === 200 ? text : `HTTP ${status}: ${text.split('\n')[0].slice(0, 160)}`);
  },

  /**
   * Calls a webhook until SIGTERM, and a few times more. Prints a first line once it has answered, and a summary at the end; the exit
   * code is 1 unless it answered the first and the last call and was unavailable for less than 30 s in total.
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
    const result = evaluate(calls, 30_000);
    console.log(result.problem ?? tell(result));
    process.exitCode = result.problem === undefined ? 0 : 1;
  },

  /** Changes the answer as the editor does: saves the whole workflow, which n8n then publishes because it was published before. */
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

  /** Prints the HTTP status of n8n's answer for a workflow. */
  async exists(id) {
    console.log((await api('GET', `workflows/${id}`)).status);
  },
};

if (!commands[command]) {
  console.error(`usage: n8n.mjs ${Object.keys(commands).join('|')} ...`);
  process.exit(2);
}
await commands[command](...args);
