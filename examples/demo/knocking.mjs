// Summarises a series of calls to a webhook: how often it answered, and when it did not.

/**
 * Evaluates calls in the order in which they were made, each `{ at, status }` with `at` in milliseconds. An outage lasts from the last answer
 * (status 200) before it to the first one after it. `problem` is set unless the webhook answered the first and the last call and was unavailable
 * for less than `boundMs` in total.
 */
export function evaluate(calls, boundMs) {
  const answered = calls.filter(({ status }) => status === 200);
  const outages = [];
  let lastAnswer;
  let missed = [];
  for (const call of calls) {
    if (call.status !== 200) {
      missed.push(call);
      continue;
    }
    if (missed.length > 0 && lastAnswer !== undefined) outages.push({ ms: call.at - lastAnswer.at, missed });
    missed = [];
    lastAnswer = call;
  }
  const problem = problemOf({ calls, answered, outages, boundMs });
  return { calls: calls.length, answered: answered.length, outages, problem };
}

function problemOf({ calls, answered, outages, boundMs }) {
  if (answered.length === 0) return `none of ${calls.length} calls was answered`;
  if (calls[0].status !== 200) return `the first call was not answered (${statusOf(calls[0])})`;
  if (calls.at(-1).status !== 200) return `the webhook has stopped answering (${statusOf(calls.at(-1))})`;
  const gone = outages.reduce((sum, { ms }) => sum + ms, 0);
  return gone >= boundMs ? `the webhook was gone for ${gone} ms` : undefined;
}

const statusOf = ({ status }) => (status === 0 ? 'no answer' : `HTTP ${status}`);

/** Returns a summary of the calls. */
export function tell({ calls, answered, outages }) {
  if (outages.length === 0) return `The webhook was called ${calls} times meanwhile and answered each time.`;
  const missed = outages.flatMap((outage) => outage.missed);
  const kinds = [...new Set(missed.map(statusOf))].join(' and ');
  return (
    `The webhook was called ${calls} times meanwhile. It was gone for ${outages.map(({ ms }) => `${(ms / 1000).toFixed(1)} s`).join(' and for ')}, in which ` +
    `${missed.length} ${missed.length === 1 ? 'call' : 'calls'} met ${kinds}; the other ${answered} were answered.`
  );
}
