// A small HTTP client: every request has a deadline, every response is read completely.

import http from 'node:http';
import https from 'node:https';

/** Sends one request and returns { status, headers, text, json }; throws if there is no response. */
export function request(url, { method = 'GET', headers = {}, body, ca, timeoutMs = 10_000 } = {}) {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const options = {
    method,
    headers: { ...headers, ...(payload && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) },
    ca,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
  };
  return new Promise((done, fail) => {
    const sent = (url.startsWith('https:') ? https : http).request(url, options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        done({
          status: answer.statusCode,
          headers: answer.headers,
          text,
          get json() {
            return JSON.parse(text);
          },
        });
      });
    });
    sent.on('error', (error) => fail(new Error(`${method} ${url}: ${error.message}`, { cause: error })));
    sent.end(payload);
  });
}

/** Like `request`, but throws an error that quotes the response for any status that is not in `accept`. */
export async function expectStatus(accept, url, options) {
  const answer = await request(url, options);
  if (!accept.includes(answer.status)) {
    throw new Error(`${options?.method ?? 'GET'} ${url}: status ${answer.status}: ${answer.text.slice(0, 300)}`);
  }
  return answer;
}
