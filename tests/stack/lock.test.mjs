import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { comparePinned } from './lock.mjs';
import { withAddresses } from './n8n-parts.mjs';

const machine = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const entry = (version, more = {}) => ({ version, integrity: `sha512-${version}`, ...more });
const pinned = {
  '': { name: 'root', dependencies: { a: '1.0.0' } },
  'node_modules/a': entry('1.0.0'),
  'node_modules/a/node_modules/b': entry('2.0.0'),
  'node_modules/helpful': entry('3.0.0', { optional: true }),
  'node_modules/built-here': entry('4.0.0', { optional: true, os: ['linux'], cpu: ['x64'], libc: ['glibc'] }),
  'node_modules/built-for-musl': entry('4.0.0', { optional: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] }),
  'node_modules/built-for-arm': entry('4.0.0', { optional: true, os: 'linux', cpu: 'arm64' }),
  'node_modules/built-elsewhere': entry('4.0.0', { optional: true, os: ['!linux'] }),
};
const here = () => {
  const { 'node_modules/built-for-musl': musl, 'node_modules/built-for-arm': arm, 'node_modules/built-elsewhere': other, ...rest } = pinned;
  return structuredClone(rest);
};
const compare = (change) => {
  const installed = here();
  change(installed);
  return comparePinned(pinned, installed, machine);
};

test('an installation of exactly the pinned packages passes, without the builds for other platforms', () => {
  assert.deepEqual(compare(() => {}), { differences: [], added: [] });
});

test('a lock file that merely grew passes, and the additions are named', () => {
  const { differences, added } = compare((installed) => (installed['node_modules/built-for-riscv'] = entry('4.0.0', { optional: true })));
  assert.deepEqual(differences, []);
  assert.deepEqual(added, ['node_modules/built-for-riscv']);
});

test('a missing package fails, at whatever depth', () => {
  assert.deepEqual(compare((installed) => delete installed['node_modules/a/node_modules/b']).differences, [
    'node_modules/a/node_modules/b 2.0.0 is absent',
  ]);
});

test('a missing optional package fails when it is made for this platform or for any', () => {
  assert.deepEqual(compare((installed) => delete installed['node_modules/built-here']).differences, ['node_modules/built-here 4.0.0 is absent']);
  assert.deepEqual(compare((installed) => delete installed['node_modules/helpful']).differences, ['node_modules/helpful 3.0.0 is absent']);
});

test('another version fails', () => {
  assert.deepEqual(compare((installed) => (installed['node_modules/a'] = entry('1.0.1'))).differences, ['node_modules/a is 1.0.1 instead of 1.0.0']);
});

test('another hash of the same version fails, and so does no hash', () => {
  for (const integrity of ['sha512-other', undefined]) {
    assert.deepEqual(compare((installed) => (installed['node_modules/a'].integrity = integrity)).differences, ['node_modules/a 1.0.0 has another hash']);
  }
});

test('the committed lock files pin every package with a hash and name no registry', () => {
  for (const name of ['node', 'n8n']) {
    const { packages } = JSON.parse(fs.readFileSync(new URL(`./${name}/package-lock.json`, import.meta.url), 'utf8'));
    const entries = Object.entries(packages).filter(([key]) => key !== '');
    assert.ok(entries.length > 0);
    for (const [key, { version, integrity, resolved }] of entries) {
      assert.match(integrity ?? '', /^sha512-/, `${key} ${version}`);
      assert.equal(resolved, undefined, key);
    }
  }
});

test('each package gets the address that the registry of the machine gives it by convention', () => {
  const lock = {
    lockfileVersion: 3,
    packages: {
      '': { name: 'root' },
      'node_modules/a': entry('1.0.0'),
      'node_modules/a/node_modules/@scope/b': entry('2.0.0-rc.1'),
      'node_modules/alias': entry('3.0.0', { name: 'real' }),
    },
  };
  const { packages, lockfileVersion } = withAddresses(lock, 'https://npm.example.com/team/');
  assert.equal(lockfileVersion, 3);
  assert.deepEqual(
    Object.values(packages).map((each) => each.resolved),
    [
      undefined,
      'https://npm.example.com/team/a/-/a-1.0.0.tgz',
      'https://npm.example.com/team/@scope/b/-/b-2.0.0-rc.1.tgz',
      'https://npm.example.com/team/real/-/real-3.0.0.tgz',
    ],
  );
});
