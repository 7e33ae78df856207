import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { evaluate, tell } from '../../examples/demo/knocking.mjs';

/** Returns calls at intervals of a tenth of a second. */
const row = (...statuses) => statuses.map((status, at) => ({ at: at * 100, status }));

test('a webhook that answers each call was never gone', () => {
  const result = evaluate(row(200, 200, 200), 5000);
  assert.equal(result.problem, undefined);
  assert.equal(tell(result), 'The webhook was called 3 times meanwhile and answered each time.');
});

test('an outage is reported with its length and with what the calls met', () => {
  const result = evaluate(row(200, 404, 404, 0, 200, 200), 5000);
  assert.equal(result.problem, undefined);
  assert.equal(
    tell(result),
    'The webhook was called 6 times meanwhile. It was gone for 0.4 s, in which 3 calls met HTTP 404 and no answer; the other 3 were answered.',
  );
});

test('two short outages are reported, each with its length', () => {
  const result = evaluate(row(200, 404, 200, 404, 404, 200), 5000);
  assert.equal(result.problem, undefined);
  assert.match(tell(result), /It was gone for 0\.2 s and for 0\.3 s, in which 3 calls met HTTP 404;/);
});

test('whatever is not a short outage between answers is a problem', () => {
  const problems = {
    'never answered': [row(404, 404), /none of 2 calls/],
    'gone before anything was changed': [row(404, 200), /the first call was not answered \(HTTP 404\)/],
    'gone for good': [row(200, 404), /has stopped answering \(HTTP 404\)/],
    'gone too often': [[0, 2600, 2700, 5200].flatMap((at, index) => [{ at, status: 200 }, { at: at + 1, status: index % 2 ? 200 : 404 }]).concat({ at: 5300, status: 200 }), /gone for 5100 ms/],
    'gone for too long': [[{ at: 0, status: 200 }, { at: 10, status: 404 }, { at: 5000, status: 200 }], /gone for 5000 ms/],
  };
  for (const [name, [calls, expected]] of Object.entries(problems)) assert.match(evaluate(calls, 5000).problem ?? '', expected, name);
});

/** Runs `knock` of the demo against a webhook of its own, with the responses of `answer`, and ends it after `calls` calls. */
async function knock(answer, calls) {
  let count = 0;
  let child;
  const server = http.createServer((_, response) => {
    count += 1;
    response.writeHead(answer(count)).end();
    if (count === calls) child.kill('SIGTERM');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const program = fileURLToPath(new URL('../../examples/demo/n8n.mjs', import.meta.url));
  child = spawn(process.execPath, [program, 'knock', `http://127.0.0.1:${server.address().port}/`], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  const code = await new Promise((done) => child.on('close', done));
  server.close();
  return { code, said };
}

test('the knocking of the demo reports an outage and succeeds', async () => {
  const { code, said } = await knock((count) => (count > 10 && count <= 15 ? 404 : 200), 30);
  assert.match(said, /It was gone for \d\.\d s, in which 5 calls met HTTP 404; the other \d+ were answered\./);
  assert.equal(code, 0);
});

test('the knocking of the demo fails when the webhook does not come back', async () => {
  const { code, said } = await knock((count) => (count > 10 ? 404 : 200), 20);
  assert.match(said, /the webhook has stopped answering/);
  assert.equal(code, 1);
});
