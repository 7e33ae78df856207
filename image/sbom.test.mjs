import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bill, checksums, linked } from './sbom.mjs';

const kinds = (...all) => all.map((kind) => ({ kind, target: null }));
const metadata = {
  packages: ['main', 'used', 'deep', 'tested', 'built'].map((name) => ({ id: name, name, version: '1.0.0', license: 'MIT/Apache-2.0' })),
  resolve: {
    root: 'main',
    nodes: [
      { id: 'main', deps: [{ pkg: 'used', dep_kinds: kinds(null) }, { pkg: 'tested', dep_kinds: kinds('dev') }, { pkg: 'built', dep_kinds: kinds('build') }] },
      { id: 'used', deps: [{ pkg: 'deep', dep_kinds: kinds('build', null) }] },
      ...['deep', 'tested', 'built'].map((id) => ({ id, deps: [] })),
    ],
  },
};

test('what is linked counts, and what tests and build scripts use does not', () => {
  assert.deepEqual(linked(metadata).map(({ name }) => name), ['deep', 'main', 'used']);
});

test('the bill names each package with its checksum, its licence and its dependencies, and is the same each time', () => {
  const hashes = checksums('[[package]]\nname = "used"\nversion = "1.0.0"\nchecksum = "abc"\n[[package]]\nname = "deep"\nversion = "1.0.0"\nchecksum = "def"\n');
  const found = bill(linked(metadata), metadata, hashes);
  assert.deepEqual(found, bill(linked(metadata), metadata, hashes));
  assert.deepEqual(found.components.map(({ purl, hashes: [{ content }] }) => [purl, content]), [
    ['pkg:cargo/deep@1.0.0', 'def'],
    ['pkg:cargo/used@1.0.0', 'abc'],
  ]);
  assert.equal(found.components[0].licenses[0].expression, 'MIT OR Apache-2.0');
  assert.deepEqual(found.dependencies.find(({ ref }) => ref === 'pkg:cargo/main@1.0.0').dependsOn, ['pkg:cargo/used@1.0.0']);
  assert.match(found.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});
