#!/usr/bin/env node
// Writes the bill of materials (CycloneDX 1.5) and the licences of what is linked into the program, from Cargo.lock by way of `cargo metadata`.
//   node image/sbom.mjs FOLDER

import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Returns the packages that the program is compiled from, without dependencies of tests and of build scripts, in the order of their names. */
export function linked(metadata) {
  const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const found = new Set();
  const pending = [metadata.resolve.root];
  while (pending.length > 0) {
    const id = pending.pop();
    if (found.has(id)) continue;
    found.add(id);
    for (const dependency of nodes.get(id).deps) {
      if (dependency.dep_kinds.some(({ kind }) => kind === null)) pending.push(dependency.pkg);
    }
  }
  const packages = metadata.packages.filter(({ id }) => found.has(id));
  return packages.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** Returns the checksums of the lock file, by name and version. */
export function checksums(lock) {
  const entries = lock.split('[[package]]').slice(1).map((text) => {
    const field = (name) => text.match(new RegExp(`^${name} = "(.*)"$`, 'm'))?.[1];
    return [`${field('name')}@${field('version')}`, field('checksum')];
  });
  return new Map(entries);
}

const purl = ({ name, version }) => `pkg:cargo/${name}@${version}`;

/** Returns the bill of materials. It has no date, and its serial number follows from its content: one lock file, one document. */
export function bill(packages, metadata, hashes) {
  const main = packages.find(({ id }) => id === metadata.resolve.root);
  const components = packages
    .filter((each) => each !== main)
    .map((each) => ({
      type: 'library',
      'bom-ref': purl(each),
      name: each.name,
      version: each.version,
      ...(each.license && { licenses: [{ expression: each.license.replaceAll('/', ' OR ').replace(/ +/g, ' ') }] }),
      hashes: [{ alg: 'SHA-256', content: hashes.get(`${each.name}@${each.version}`) }],
      purl: purl(each),
    }));
  const known = new Map(packages.map((each) => [each.id, purl(each)]));
  const dependencies = packages.map((each) => ({
    ref: purl(each),
    dependsOn: metadata.resolve.nodes
      .find(({ id }) => id === each.id)
      .deps.filter(({ pkg, dep_kinds: kinds }) => known.has(pkg) && kinds.some(({ kind }) => kind === null))
      .map(({ pkg }) => known.get(pkg))
      .sort(),
  }));
  const digest = crypto.createHash('sha256').update(JSON.stringify([components, dependencies])).digest('hex');
  const serial = [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`, digest.slice(20, 32)].join('-');
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${serial}`,
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': purl(main), name: main.name, version: main.version, licenses: [{ license: { id: main.license } }] },
    },
    components,
    dependencies,
  };
}

/** Returns the text of all licences: each package with the files that it ships. */
export function licences(packages) {
  return packages
    .map((each) => {
      const folder = path.dirname(each.manifest_path);
      const files = fs.readdirSync(folder).filter((name) => /^(licen[cs]e|copying|copyright|notice|unlicense)/i.test(name)).sort();
      const texts = files
        .filter((name) => fs.statSync(path.join(folder, name)).isFile())
        .map((name) => `--- ${name}\n${fs.readFileSync(path.join(folder, name), 'utf8').trimEnd()}\n`);
      return `=== ${each.name} ${each.version} (${each.license ?? 'see its files'})\n${texts.join('')}`;
    })
    .join('\n');
}

function main([folder]) {
  if (!folder) throw new Error('usage: node image/sbom.mjs FOLDER');
  const target = execFileSync('rustc', ['-vV'], { cwd: root, encoding: 'utf8' }).match(/^host: (.*)$/m)[1];
  const argv = ['metadata', '--format-version=1', '--locked', '--filter-platform', target];
  const metadata = JSON.parse(execFileSync('cargo', argv, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 }));
  const packages = linked(metadata);
  fs.mkdirSync(folder, { recursive: true });
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
  const hashes = checksums(fs.readFileSync(path.join(root, 'Cargo.lock'), 'utf8'));
  write('sbom.cdx.json', `${JSON.stringify(bill(packages, metadata, hashes), null, 2)}\n`);
  write('licences.txt', licences(packages));
  process.stdout.write(`${packages.length} packages: ${path.join(folder, 'sbom.cdx.json')}, ${path.join(folder, 'licences.txt')}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
