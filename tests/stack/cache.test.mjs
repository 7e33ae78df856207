import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'weirkeeper cache test ')); // with spaces, as a folder may have
after(() => fs.rmSync(root, { recursive: true, force: true }));
process.env.WEIRKEEPER_CACHE = path.join(root, 'cache');

const { ensurePart, folderOf, partialOf } = await import('./cache.mjs');
const { buildInTracks } = await import('./build.mjs');
const { makeCacheRoot } = await import('./machine.mjs');
const { shareOf } = await import('./progress.mjs');
makeCacheRoot();

/** Records each run of a stage in a file, to count repetitions across processes. */
const note = (name, stage) => `echo ${stage} >> "${path.join(root, `${name}.runs`)}"`;
const runsOf = (name) => fs.readFileSync(path.join(root, `${name}.runs`), 'utf8').trim().split('\n');

/** Returns a part whose stages are shell commands, each run in the folder of the part. */
function fakePart(name, stages, more = {}) {
  return {
    name,
    track: name,
    lockFiles: [],
    recipe: [name],
    keyFiles: ['result'],
    tools: [],
    gigabytes: 0,
    stages: Object.entries(stages).map(([title, command]) => ({
      title,
      seconds: 10,
      run: ({ folder, step }) => step({ title, argv: ['sh', '-c', `${note(name, title)}; ${command}`], cwd: folder, env: process.env }),
    })),
    ...more,
  };
}

async function until(condition, what) {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

test('a build that was killed goes on after its last finished stage', async () => {
  const slow = { first: 'echo 1 > one', second: 'sleep 300' };
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `const { ensurePart } = await import(${JSON.stringify(new URL('./cache.mjs', import.meta.url).href)});
       const part = ${JSON.stringify(fakePart('killed', slow))};
       const commands = ${JSON.stringify(Object.entries(slow).map(([title, command]) => `${note('killed', title)}; ${command}`))};
       part.stages.forEach((stage, at) => {
         stage.run = ({ folder, step }) => step({ title: stage.title, argv: ['sh', '-c', commands[at]], cwd: folder, env: process.env });
       });
       await ensurePart(part);`,
    ],
    { stdio: 'ignore' },
  );
  await until(() => fs.existsSync(path.join(root, 'killed.runs')) && runsOf('killed').includes('second'), 'the second stage begins');
  const ended = new Promise((done) => child.on('exit', done));
  child.kill('SIGKILL');
  await ended;

  const part = fakePart('killed', { first: 'echo 1 > one', second: 'cp one result' });
  assert.equal(shareOf(part), 0.5);
  const folder = await ensurePart(part);
  assert.equal(fs.readFileSync(path.join(folder, 'result'), 'utf8'), '1\n');
  assert.deepEqual(runsOf('killed'), ['first', 'second', 'second']);
  assert.equal(shareOf(part), 1);
  assert.ok(!fs.existsSync(partialOf(part)));
});

test('a build that fails where an earlier one stopped begins anew the next time', async () => {
  const failing = fakePart('failing', { first: 'true', second: 'exit 7' });
  await assert.rejects(ensurePart(failing), /failing: second failed \(7\)/);
  await assert.rejects(ensurePart(failing), /failing: second failed \(7\)/);
  await ensurePart(fakePart('failing', { first: 'true', second: 'touch result' }));
  assert.deepEqual(runsOf('failing'), ['first', 'second', 'second', 'first', 'second']);
});

test('the first failure ends the other track, and that one goes on in the next run', async () => {
  const track = { first: 'true', second: 'sleep 300' };
  // Fails only once the other is in its second stage.
  const waits = `while ! grep -q second "${path.join(root, 'other.runs')}"; do sleep 0.05; done; echo no registry >&2; exit 1`;
  const started = Date.now();
  await assert.rejects(buildInTracks([fakePart('broken', { only: waits }), fakePart('other', track)]), /broken: only failed[\s\S]*no registry/);
  assert.ok(Date.now() - started < 60_000, 'the sleep was ended');
  await buildInTracks([fakePart('broken', { only: 'touch result' }), fakePart('other', { first: 'true', second: 'touch result' })]);
  assert.deepEqual(runsOf('other'), ['first', 'second', 'second']);
});

test('a part whose files were changed is built again', async () => {
  const part = fakePart('damaged', { only: 'echo whole > result' });
  const file = path.join(folderOf(part), 'result');
  await ensurePart(part);
  fs.writeFileSync(file, 'holes\n'); // as long as before
  // A process trusts a part that it has verified; the next process verifies it again.
  const other = await import('./cache.mjs?another-process');
  await other.ensurePart(part);
  assert.equal(fs.readFileSync(file, 'utf8'), 'whole\n');
  assert.deepEqual(runsOf('damaged'), ['only', 'only']);
});

test('a part that lacks one of its files is not taken for built', async () => {
  const part = fakePart('empty', { only: 'true' });
  await assert.rejects(ensurePart(part), /result/);
  assert.ok(!fs.existsSync(folderOf(part)));
});

test('a missing program is reported with the advice of the step', async () => {
  const part = fakePart('missing', {});
  part.stages = [
    { title: 'only', seconds: 1, run: ({ folder, step }) => step({ title: 'only', argv: ['no-such-program'], cwd: folder, missing: 'Install it.' }) },
  ];
  await assert.rejects(ensurePart(part), /no-such-program was not found\. Install it\./);
});
