import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'weirkeeper-machine-test-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));
process.env.WEIRKEEPER_CACHE = path.join(root, 'cache');
// A pipeline sets it, and these tests say themselves what it changes.
delete process.env.CI;
// Variables that a user may have set and that must not affect the build.
Object.assign(process.env, { GOFLAGS: '-mod=vendor', GOOS: 'windows', GOARCH: 'wasm', GOEXPERIMENT: 'nothing', CGO_ENABLED: '1', GOCACHE: '/nowhere' });

const { complaints, makeCacheRoot } = await import('./machine.mjs');
const { parts } = await import('./build.mjs');
const { byTrack, estimate, progressLine, shareOfAll } = await import('./progress.mjs');
const { folderOf } = await import('./cache.mjs');
const { duration } = await import('./say.mjs');
makeCacheRoot();

const plenty = { platform: 'linux', arch: 'x64', freeBytes: 1e12 };

/** Creates a folder of programs that print `answers`, as the only folder in the PATH. */
function onlyTools(answers) {
  const folder = fs.mkdtempSync(path.join(root, 'bin-'));
  for (const [name, answer] of Object.entries(answers)) {
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\nprintf '%s\\n' '${answer}'\n`, { mode: 0o755 });
  }
  const before = process.env.PATH;
  process.env.PATH = folder;
  return () => (process.env.PATH = before);
}

const found = (answers, machine = plenty) => {
  const restore = onlyTools(answers);
  try {
    return complaints(parts(), machine);
  } finally {
    restore();
  }
};

const sound = { go: 'go version go1.26.0 linux/amd64', npm: '10.8.2', cc: 'cc 12', 'c++': 'c++ 12' };

test('a machine with every tool and enough room is accepted', () => {
  assert.deepEqual(found(sound), []);
});

test('every missing tool is reported, at once, with what to install', () => {
  const said = found({}).join('\n');
  for (const words of ['`go` was not found', '`npm` was not found', '`cc` was not found', '`c++` was not found', 'Go 1.26', 'build-essential']) {
    assert.ok(said.includes(words), `${words} in: ${said}`);
  }
});

test('a machine without Python does without the model server, and a pipeline does not', () => {
  const withPython = (version) => ({ ...sound, python3: version });
  const named = (answers) => {
    const restore = onlyTools(answers);
    try {
      return parts().some((part) => part.name === 'model');
    } finally {
      restore();
    }
  };
  assert.deepEqual([named(sound), named(withPython('3.8')), named(withPython('3.10')), named(withPython('3.14'))], [false, false, true, true]);
  process.env.CI = 'true';
  try {
    assert.match(found(sound).join(), /`python3` was not found.*python3-pip/);
    assert.match(found(withPython('3.8')).join(), /`python3` is too old: 3\.8/);
  } finally {
    delete process.env.CI;
  }
});

test('tools that are too old are reported with their version', () => {
  const said = found({ ...sound, go: 'go version go1.22.1 linux/amd64', npm: '6.14.18' }).join('\n');
  assert.match(said, /`go` is too old: go version go1\.22\.1/);
  assert.match(said, /`npm` is too old: 6\.14\.18/);
});

test('a full disk is reported before anything is built, with the way out', () => {
  const [said, ...others] = found(sound, { ...plenty, freeBytes: 2e9 });
  assert.deepEqual(others, []);
  assert.match(said, /has 2\.0 GB left; about \d+ GB are needed.*WEIRKEEPER_CACHE/);
});

test('another platform is sent to containers', () => {
  assert.match(complaints(parts(), { ...plenty, platform: 'darwin', arch: 'arm64' }).join(), /not on darwin arm64.*docs\/own-cluster\.md/);
  assert.ok(fs.existsSync(new URL('../../docs/own-cluster.md', import.meta.url)));
});

test('variables of the caller do not change what Go builds', () => {
  const { env } = parts().find((part) => part.name === 'control-plane').goVersion;
  const { GOFLAGS, GOOS, GOARCH, GOEXPERIMENT, CGO_ENABLED, GOCACHE } = env;
  assert.deepEqual([GOOS, GOEXPERIMENT, CGO_ENABLED], ['linux', undefined, '0']);
  assert.ok(['amd64', 'arm64'].includes(GOARCH));
  assert.ok(GOFLAGS.includes('-mod=readonly') && !GOFLAGS.includes('vendor'));
  assert.ok(GOCACHE.startsWith(process.env.WEIRKEEPER_CACHE), 'an empty cache is a cold start');
});

test('the estimate is scaled by the processors, and no track is faster than it can be', () => {
  const all = parts();
  const [two, four, many] = [2, 4, 64].map((processors) => estimate(all, processors));
  assert.ok(two > four && four > many, `${two} ${four} ${many}`);
  // Go uses every processor; npm and the stages after it continue alone.
  const alone = byTrack(all).n8n.flatMap((part) => part.stages).reduce((sum, stage) => sum + stage.seconds, 0);
  assert.ok(many >= alone);
});

test('progress is a share that counts what is finished, with the time that is left', () => {
  const part = (name, finished) => {
    const one = { name, track: 'n8n', lockFiles: [], recipe: [name], keyFiles: [], stages: [{ title: 'only', seconds: 30 }] };
    if (finished) fs.mkdirSync(path.join(process.env.WEIRKEEPER_CACHE, path.basename(folderOf(one))));
    return one;
  };
  const list = [part('a', true), part('b', false)];
  assert.equal(shareOfAll(list), 0.5);
  assert.equal(
    progressLine(list, { elapsed: 120, shareAtStart: 0, estimated: 250 }),
    '50 % built after 2 min, about 2 min to go (a 100 %, b 0 %)',
  );
});

test('lengths of time are said as people say them', () => {
  assert.deepEqual([3.21, 42, 119, 240, 251].map(duration), ['3.2 s', '42 s', '2 min', '4 min', '4 min 10 s']);
});
