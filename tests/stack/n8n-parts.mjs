// Parts that are installed from npm: Node.js, n8n, and a database that n8n has migrated. Versions are pinned by the lock files in the
// folders beside this file.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { comparePinned } from './lock.mjs';
import { lockFilesOf } from './lock-files.mjs';
import { prepareDatabase } from './n8n.mjs';

const NODE_VERSION = 'v24.21.0';
const N8N_VERSION = '2.39.10';

const nodePackage = (folder) => path.join(folder, `node_modules/node-linux-${os.arch()}`);
export const nodeBinary = (folder) => path.join(nodePackage(folder), 'bin/node');
export const n8nProgram = (folder) => path.join(folder, 'node_modules/n8n/bin/n8n');

/**
 * Arguments of an installation from the lock file. The source of packages (registry, proxies, certificates) is configured by the machine;
 * options that would change the result are set here, which overrides the machine's .npmrc and variables such as npm_config_omit.
 */
const NPM_INSTALL = [
  ...['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--global=false', '--dry-run=false'],
  ...['--package-lock=true', '--package-lock-only=false', '--install-strategy=hoisted', '--include=prod', '--include=optional', '--engine-strict=false'],
];

/** npm runs on the given Node.js, or else on its own. NODE_OPTIONS of the caller may have options that another Node.js refuses. */
function npmEnv(node) {
  const { NODE_OPTIONS, NODE_PATH, ...env } = process.env;
  if (!node) return { ...process.env, npm_config_update_notifier: 'false' };
  return { ...env, PATH: `${path.dirname(node)}:${env.PATH}`, npm_config_update_notifier: 'false' };
}

const npmMissing = 'Install Node.js 20 or newer with npm, and put `npm` on the PATH.';

/** Installs into an empty folder: npm takes a partly unpacked package for a complete one. */
async function install({ folder, lockFiles, step, signal, node, flags = [] }) {
  const at = { cwd: folder, env: npmEnv(node), missing: npmMissing };
  const modules = path.join(folder, 'node_modules');
  const lock = path.join(folder, 'package-lock.json');
  const begin = () => {
    fs.rmSync(modules, { recursive: true, force: true });
    for (const file of lockFiles) fs.copyFileSync(file, path.join(folder, path.basename(file)));
  };
  begin();
  const registry = path.join(folder, 'registry.txt');
  await step({ ...at, title: 'ask npm for its registry', argv: ['npm', 'config', 'get', 'registry', '--global=false'], output: registry });
  const addressed = withAddresses(JSON.parse(fs.readFileSync(lock, 'utf8')), fs.readFileSync(registry, 'utf8').trim());
  fs.rmSync(registry);
  fs.writeFileSync(lock, JSON.stringify(addressed));
  try {
    await step({ ...at, title: 'install packages', argv: [...NPM_INSTALL, ...flags] });
  } catch (error) {
    if (signal?.aborted) throw error;
    begin();
    await step({ ...at, title: 'install packages, asking the registry for the address of each', argv: [...NPM_INSTALL, ...flags] });
  }
  requirePinned(lockFiles, folder);
}

/**
 * Returns the lock file with the address of each package by the convention of npm's registry. The committed one names no registry, and npm
 * would read a description of up to megabytes for each package to find the address. Downloads are verified against the hash in any case.
 */
export function withAddresses(lock, registry) {
  const packages = Object.entries(lock.packages).map(([key, entry]) => {
    const name = entry.name ?? key.slice(key.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const file = `${name.split('/').at(-1)}-${entry.version}.tgz`;
    return [key, key === '' || entry.link ? entry : { ...entry, resolved: `${registry.replace(/\/$/, '')}/${name}/-/${file}` }];
  });
  return { ...lock, packages: Object.fromEntries(packages) };
}

const packagesOf = (file) => JSON.parse(fs.readFileSync(file, 'utf8')).packages;
const committedLock = (lockFiles) => lockFiles.find((file) => file.endsWith('package-lock.json'));

/**
 * Refuses an installation in which a package of the committed lock file is missing or has another version or hash. npm may add to its own
 * copy of the lock file: a registry gains builds of optional packages after a lock file was made.
 */
function requirePinned(lockFiles, folder) {
  const committed = committedLock(lockFiles);
  const { differences } = comparePinned(packagesOf(committed), packagesOf(path.join(folder, 'node_modules/.package-lock.json')));
  if (differences.length > 0) {
    const more = differences.length > 5 ? ` (and ${differences.length - 5} more)` : '';
    throw new Error(`npm did not install what ${committed} pins: ${differences.slice(0, 5).join('; ')}${more}`);
  }
}

/** Returns the share of the pinned packages that are unpacked. */
function installedShare(lockFiles, folder) {
  const names = Object.keys(packagesOf(committedLock(lockFiles))).filter(Boolean);
  return names.filter((name) => fs.existsSync(path.join(folder, name, 'package.json'))).length / names.length;
}

function requireVersion(name, expected, found) {
  if (found !== expected) throw new Error(`${name}: expected ${expected}, installed ${found}`);
  return { [name]: found };
}

export const node = {
  name: 'node',
  track: 'n8n',
  lockFiles: lockFilesOf('node', ['package.json', 'package-lock.json']),
  recipe: ['npm install --ignore-scripts', NODE_VERSION],
  keyFiles: [`node_modules/node-linux-${os.arch()}/bin/node`, 'package-lock.json'],
  tools: ['npm'],
  gigabytes: 0.3,
  stages: [
    {
      title: 'install packages',
      seconds: 8,
      async run({ folder, step, signal }) {
        await install({ folder, lockFiles: node.lockFiles, step, signal });
        return requireVersion('node', NODE_VERSION, execFileSync(nodeBinary(folder), ['--version'], { encoding: 'utf8' }).trim());
      },
    },
  ],
};

/** The flags in sqlite3's own binding.gyp and deps/sqlite3.gyp. */
const SQLITE = {
  source: 'sqlite-autoconf-3440200',
  library: [
    ...['NDEBUG', '_REENTRANT=1', 'SQLITE_THREADSAFE=1', 'HAVE_USLEEP=1', 'SQLITE_ENABLE_FTS3', 'SQLITE_ENABLE_FTS4'],
    ...['SQLITE_ENABLE_FTS5', 'SQLITE_ENABLE_RTREE', 'SQLITE_ENABLE_DBSTAT_VTAB=1', 'SQLITE_ENABLE_MATH_FUNCTIONS'],
  ].map((define) => `-D${define}`),
  binding: ['-std=c++17', '-DNAPI_VERSION=6', '-DNAPI_DISABLE_CPP_EXCEPTIONS=1', '-DBUILDING_NODE_EXTENSION'],
};

/**
 * Compiles the one native module that n8n requires to start, from the sources in its package and the headers in the node package. Its own
 * install script would need Python, and first look for a prebuilt binary elsewhere.
 */
const sqlite = ({ folder, needed, step }) => {
  const root = path.join(folder, 'node_modules/sqlite3');
  const binary = nodeBinary(needed.node);
  const output = path.join(root, 'build/Release');
  const source = path.join(output, SQLITE.source);
  const object = path.join(source, 'sqlite3.o');
  const at = { cwd: root, env: npmEnv(binary), missing: 'Install a C and C++ compiler (`cc` and `c++`).' };
  return {
    async library() {
      fs.rmSync(output, { recursive: true, force: true });
      fs.mkdirSync(output, { recursive: true });
      const unpack = [binary, 'extract.js', `${SQLITE.source}.tar.gz`, output];
      await step({ ...at, title: 'unpack sqlite', argv: unpack, cwd: path.join(root, 'deps') });
      const compile = ['cc', '-O2', '-fPIC', ...SQLITE.library, '-c', path.join(source, 'sqlite3.c'), '-o', object];
      await step({ ...at, title: 'compile sqlite', argv: compile });
    },
    async binding() {
      const sources = ['backup.cc', 'database.cc', 'node_sqlite3.cc', 'statement.cc'].map((name) => `src/${name}`);
      const headers = [source, path.join(nodePackage(needed.node), 'include/node'), path.join(root, '../node-addon-api')];
      const flags = ['-O2', '-fPIC', '-shared', '-pthread', ...SQLITE.binding, ...SQLITE.library, ...headers.map((each) => `-I${each}`)];
      const link = ['c++', ...flags, ...sources, object, '-o', path.join(output, 'node_sqlite3.node')];
      await step({ ...at, title: 'compile its binding', argv: link });
      await step({ ...at, title: 'load it', argv: [binary, '--eval', "require('./lib/sqlite3.js')"] });
      fs.rmSync(source, { recursive: true });
    },
  };
};

export const n8n = {
  name: 'n8n',
  track: 'n8n',
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
  tools: ['npm', 'cc', 'c++'],
  gigabytes: 3,
  stages: [
    {
      title: 'install packages',
      seconds: 150,
      async run({ folder, needed, step, signal }) {
        await install({ folder, lockFiles: n8n.lockFiles, step, signal, node: nodeBinary(needed.node), flags: ['--legacy-peer-deps'] });
        const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules/n8n/package.json'), 'utf8'));
        requireVersion('n8n', N8N_VERSION, version);
      },
      share: ({ folder }) => installedShare(n8n.lockFiles, folder),
    },
    { title: 'compile sqlite', seconds: 50, run: (context) => sqlite(context).library() },
    {
      title: 'compile the binding of sqlite',
      seconds: 15,
      async run(context) {
        await sqlite(context).binding();
        return { n8n: N8N_VERSION };
      },
    },
  ],
  /** A package in the installed lock file that is absent means that files were removed from the folder. */
  damage(folder) {
    const installed = packagesOf(path.join(folder, 'node_modules/.package-lock.json'));
    const absent = Object.keys(installed).find((name) => !fs.existsSync(path.join(folder, name, 'package.json')));
    return absent && `${absent} is absent`;
  },
};

/** The database of an n8n that has been started once and has no owner, and the compiled code of its sources. */
export const prepared = {
  name: 'n8n-prepared',
  track: 'n8n',
  needs: [node, n8n],
  lockFiles: [],
  recipe: ['started once, keys of the instance removed', 1],
  keyFiles: ['.n8n/database.sqlite'],
  tools: [],
  gigabytes: 0.1,
  stages: [
    {
      title: 'start n8n once',
      seconds: 40,
      run({ folder, needed, step }) {
        const programs = { node: nodeBinary(needed.node), n8n: n8nProgram(needed.n8n) };
        return prepareDatabase({ folder, programs, step });
      },
    },
  ],
};
