// Recipes of the real parts. Versions are pinned by the lock files in the folders beside this file.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheRoot, ensurePart } from './cache.mjs';
import { comparePinned } from './lock.mjs';
import { prepareDatabase } from './n8n.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const lockFilesOf = (folder, names) => names.map((name) => path.join(here, folder, name));

const KUBERNETES = { version: 'v1.36.3', major: '1', minor: '36' };
const NODE_VERSION = 'v24.21.0';
const N8N_VERSION = '2.39.10';

/** What KUBEBUILDER_ASSETS offers: ready-made kube-apiserver, etcd and kubectl take the place of built ones. */
function readyMade() {
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (!folder) return {};
  const found = ['kube-apiserver', 'etcd', 'kubectl', 'kube-controller-manager'].filter((name) =>
    fs.existsSync(path.join(folder, name)),
  );
  if (!['kube-apiserver', 'etcd', 'kubectl'].every((name) => found.includes(name))) {
    throw new Error(`KUBEBUILDER_ASSETS=${folder} must hold kube-apiserver, etcd and kubectl; it holds: ${found.join(', ') || 'none'}`);
  }
  return Object.fromEntries(found.map((name) => [name, path.join(folder, name)]));
}

function goPart({ name, lockFolder, packages, ldflags, versions }) {
  const programs = packages.map((each) => each.program);
  const lockFiles = lockFilesOf(lockFolder, ['go.mod', 'go.sum']);
  return {
    name,
    lockFiles,
    recipe: { packages, ldflags, cgo: 0 },
    keyFiles: programs,
    async build({ folder, step }) {
      const source = path.join(folder, 'source');
      fs.mkdirSync(source);
      for (const file of lockFiles) fs.copyFileSync(file, path.join(source, path.basename(file)));
      const GOTMPDIR = path.join(source, 'tmp'); // here, so that a killed build leaves nothing elsewhere
      fs.mkdirSync(GOTMPDIR);
      const env = { ...process.env, GOTMPDIR, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -modcacherw', GOWORK: 'off' };
      const missing = 'Install Go 1.26 or newer and put `go` on the PATH.';
      await step({ title: 'download Go modules', argv: ['go', 'mod', 'download'], cwd: source, env, missing });
      for (const { program, module } of packages) {
        const argv = ['go', 'build', '-trimpath', '-ldflags', ldflags, '-o', path.join(folder, program), module];
        await step({ title: `compile ${program}`, argv, cwd: source, env, missing });
      }
      fs.rmSync(source, { recursive: true });
      return Object.fromEntries(programs.map((program) => [program, versions(path.join(folder, program))]));
    },
  };
}

/** One-line answer of `program --version`. */
const versionLine = (program, args) => execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')[0];

const nodeBinary = (folder) => path.join(folder, 'node_modules/node/bin/node');
const nodeHeaders = (folder) => path.join(folder, `node_modules/node/node_modules/node-linux-${os.arch()}`);

/** npm, with its own configuration of the machine, run by `node` when given and by its own Node.js otherwise. */
function npmEnv(node, extra = {}) {
  const PATH = node ? `${path.dirname(node)}:${process.env.PATH}` : process.env.PATH;
  return { ...process.env, PATH, npm_config_update_notifier: 'false', npm_config_fund: 'false', ...extra };
}

const npmMissing = 'Install Node.js 20 or newer with npm, and put `npm` on the PATH.';

function copyLock(lockFiles, folder) {
  for (const file of lockFiles) fs.copyFileSync(file, path.join(folder, path.basename(file)));
}

/**
 * Refuses an installation that lacks a package of the committed lock file, or has it in another version or with another hash. npm
 * may add to its own copy of the lock file: a registry gains builds of optional packages after a lock file was made.
 */
function requirePinned(lockFiles, folder) {
  const committed = lockFiles.find((file) => file.endsWith('package-lock.json'));
  const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  const { differences } = comparePinned(read(committed), read(path.join(folder, 'node_modules/.package-lock.json')));
  if (differences.length > 0) {
    const more = differences.length > 5 ? ` (and ${differences.length - 5} more)` : '';
    throw new Error(`npm did not install what ${committed} pins: ${differences.slice(0, 5).join('; ')}${more}`);
  }
}

const node = {
  name: 'node',
  lockFiles: lockFilesOf('node', ['package.json', 'package-lock.json']),
  recipe: ['npm install, with install scripts', NODE_VERSION],
  keyFiles: ['node_modules/node/bin/node', 'package-lock.json'],
  async build({ folder, step }) {
    copyLock(this.lockFiles, folder);
    // The package's install script places the binary of this platform.
    const argv = ['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts=false'];
    await step({ title: 'install', argv, cwd: folder, env: npmEnv(), missing: npmMissing });
    requirePinned(this.lockFiles, folder);
    const version = versionLine(nodeBinary(folder), ['--version']);
    if (version !== NODE_VERSION) throw new Error(`node: expected ${NODE_VERSION}, installed ${version}`);
    return { node: version };
  },
};

/** The flags of sqlite3's own binding.gyp and deps/sqlite3.gyp. */
const SQLITE = {
  source: 'sqlite-autoconf-3440200',
  library: [
    ...['NDEBUG', '_REENTRANT=1', 'SQLITE_THREADSAFE=1', 'HAVE_USLEEP=1', 'SQLITE_ENABLE_FTS3', 'SQLITE_ENABLE_FTS4'],
    ...['SQLITE_ENABLE_FTS5', 'SQLITE_ENABLE_RTREE', 'SQLITE_ENABLE_DBSTAT_VTAB=1', 'SQLITE_ENABLE_MATH_FUNCTIONS'],
  ].map((define) => `-D${define}`),
  binding: ['-std=c++17', '-DNAPI_VERSION=6', '-DNAPI_DISABLE_CPP_EXCEPTIONS=1', '-DBUILDING_NODE_EXTENSION'],
};

/**
 * Compiles the one native module that n8n cannot start without, from the sources in its package and against the headers
 * in the node package. Its own install script would need Python, and first look for a prebuilt binary elsewhere.
 */
async function compileSqlite({ folder, binary, headers, step }) {
  const output = path.join(folder, 'build/Release');
  const source = path.join(output, SQLITE.source);
  const at = { cwd: folder, env: npmEnv(binary), missing: 'Install a C and C++ compiler (`cc` and `c++`).' };
  fs.mkdirSync(output, { recursive: true });
  const unpack = [binary, 'extract.js', `${SQLITE.source}.tar.gz`, output];
  await step({ ...at, title: 'unpack sqlite', argv: unpack, cwd: path.join(folder, 'deps') });
  const object = path.join(source, 'sqlite3.o');
  const compile = ['cc', '-O2', '-fPIC', ...SQLITE.library, '-c', path.join(source, 'sqlite3.c'), '-o', object];
  await step({ ...at, title: 'compile sqlite', argv: compile });
  const sources = ['backup.cc', 'database.cc', 'node_sqlite3.cc', 'statement.cc'].map((name) => `src/${name}`);
  const includes = [source, path.join(headers, 'include/node'), path.join(folder, '../node-addon-api')].map((each) => `-I${each}`);
  const flags = ['-O2', '-fPIC', '-shared', '-pthread', ...SQLITE.binding, ...SQLITE.library, ...includes];
  const link = ['c++', ...flags, ...sources, object, '-o', path.join(output, 'node_sqlite3.node')];
  await step({ ...at, title: 'compile its binding', argv: link });
  fs.rmSync(source, { recursive: true });
  await step({ ...at, title: 'load it', argv: [binary, '--eval', "require('./lib/sqlite3.js')"] });
}

const n8n = {
  name: 'n8n',
  needs: [node],
  lockFiles: lockFilesOf('n8n', ['package.json', 'package-lock.json']),
  recipe: ['npm install --ignore-scripts --legacy-peer-deps', SQLITE, N8N_VERSION],
  keyFiles: [
    'node_modules/.package-lock.json',
    'node_modules/n8n/bin/n8n',
    'node_modules/n8n/package.json',
    'node_modules/n8n-nodes-base/dist/types/nodes.json',
    'node_modules/@n8n/n8n-nodes-langchain/dist/types/nodes.json',
    'node_modules/sqlite3/build/Release/node_sqlite3.node',
  ],
  async build({ folder, step }) {
    copyLock(this.lockFiles, folder);
    const nodeFolder = await ensurePart(node);
    const binary = nodeBinary(nodeFolder);
    const install = ['npm', 'install', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund'];
    await step({ title: 'install packages', argv: install, cwd: folder, env: npmEnv(binary), missing: npmMissing });
    requirePinned(this.lockFiles, folder);
    await compileSqlite({ folder: path.join(folder, 'node_modules/sqlite3'), binary, headers: nodeHeaders(nodeFolder), step });
    const version = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules/n8n/package.json'), 'utf8')).version;
    if (version !== N8N_VERSION) throw new Error(`n8n: expected ${N8N_VERSION}, installed ${version}`);
    return { n8n: version };
  },
  /** A package that is named by the installed lock file but absent means a folder that somebody cut into. */
  damage(folder) {
    const installed = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules/.package-lock.json'), 'utf8')).packages;
    const absent = Object.keys(installed).find((name) => !fs.existsSync(path.join(folder, name, 'package.json')));
    return absent && `${absent} is absent`;
  },
};

/** The database of an n8n that has been started once and has no owner, and the compiled code of its sources. */
const prepared = {
  name: 'n8n-prepared',
  needs: [node, n8n],
  lockFiles: [],
  recipe: ['started once, keys of the instance removed', 1],
  keyFiles: ['.n8n/database.sqlite'],
  async build({ folder, step }) {
    const programs = { node: nodeBinary(await ensurePart(node)), n8n: n8nProgram(await ensurePart(n8n)) };
    return prepareDatabase({ folder, programs, step });
  },
};

const n8nProgram = (folder) => path.join(folder, 'node_modules/n8n/bin/n8n');

/** The parts of this machine: what KUBEBUILDER_ASSETS offers is not built. */
export function parts() {
  const offered = readyMade();
  const kubernetes = ['kube-apiserver', 'kube-controller-manager', 'kubectl']
    .filter((program) => !offered[program])
    .map((program) => ({ program, module: `k8s.io/kubernetes/cmd/${program}` }));
  const stamp = 'k8s.io/component-base/version';
  const all = [];
  if (kubernetes.length > 0) {
    all.push(
      goPart({
        name: 'control-plane',
        lockFolder: 'control-plane',
        packages: kubernetes,
        // Without the stamp the server reports v0.0.0, on which clients misbehave.
        ldflags: `-s -w -X ${stamp}.gitVersion=${KUBERNETES.version} -X ${stamp}.gitMajor=${KUBERNETES.major} -X ${stamp}.gitMinor=${KUBERNETES.minor}`,
        versions: (program) =>
          path.basename(program) === 'kubectl' ? versionLine(program, ['version', '--client']) : versionLine(program, ['--version']),
      }),
    );
  }
  if (!offered.etcd) {
    all.push(
      goPart({
        name: 'etcd',
        lockFolder: 'etcd',
        packages: [{ program: 'etcd', module: 'go.etcd.io/etcd/server/v3' }],
        ldflags: '-s -w',
        versions: (program) => versionLine(program, ['--version']),
      }),
    );
  }
  return [...all, node, n8n, prepared];
}

/** Builds the named parts and returns their folders by name. */
export async function build(names = parts().map((part) => part.name)) {
  const known = parts();
  const unknown = names.filter((name) => !known.some((part) => part.name === name));
  if (unknown.length > 0) {
    throw new Error(`no part named ${unknown.join(', ')}; there are: ${known.map((part) => part.name).join(', ')}`);
  }
  fs.mkdirSync(cacheRoot, { recursive: true, mode: 0o700 });
  const folders = {};
  for (const part of known) {
    if (names.includes(part.name)) folders[part.name] = await ensurePart(part);
  }
  return folders;
}

const CONTROL_PLANE_PARTS = ['control-plane', 'etcd'];
const N8N_PARTS = ['node', 'n8n', 'n8n-prepared'];

/** Builds what a stack needs and returns the paths of its programs. */
export async function programs({ withControlPlane, withN8n }) {
  const wanted = [...(withControlPlane ? CONTROL_PLANE_PARTS : []), ...(withN8n ? N8N_PARTS : [])];
  const folders = await build(parts().map((part) => part.name).filter((name) => wanted.includes(name)));
  const found = {};
  if (withControlPlane) {
    const offered = readyMade();
    for (const program of ['kube-apiserver', 'kube-controller-manager', 'kubectl', 'etcd']) {
      const folder = folders[program === 'etcd' ? 'etcd' : 'control-plane'];
      found[program] = offered[program] ?? path.join(folder, program);
    }
  }
  if (withN8n) {
    found.node = nodeBinary(folders.node);
    found.n8n = n8nProgram(folders.n8n);
    found.n8nPrepared = folders['n8n-prepared'];
  }
  return found;
}
