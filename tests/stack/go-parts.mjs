// Parts that are compiled from Go modules. Versions are pinned by go.mod and go.sum in the folders beside this file.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { cacheRoot, isWhole, logOf } from './cache.mjs';
import { lockFilesOf } from './lock-files.mjs';
import { withLock } from './locks.mjs';

const HELM = 'v3.22.0';
const KUBERNETES = { version: 'v1.36.3', major: '1', minor: '36' };

/**
 * Compiled packages, kept until all programs are built. They are in the cache, so that an interrupted build continues and an empty cache is
 * a cold start; downloaded modules stay where the machine keeps them.
 */
const COMPILED = path.join(cacheRoot, 'go-build');
/** One program at a time uses the folder, so that it is not removed while another one compiles. */
const whileOthersWait = (what, work) => withLock(`${COMPILED}.lock`, what, work);

const GOARCH = { x64: 'amd64', arm64: 'arm64' }[process.arch];

/** Returns the environment of `go`: variables for the source of modules come from the machine, variables that affect the result do not. */
function goEnv(more = {}) {
  const build = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -modcacherw -buildvcs=false', GOWORK: 'off', GO111MODULE: 'on' };
  const env = { ...process.env, ...build, GOOS: 'linux', GOARCH, GOCACHE: COMPILED, ...more };
  for (const name of ['GOEXPERIMENT', 'GOCACHEPROG', 'GODEBUG', 'GOAMD64', 'GOARM64']) delete env[name];
  return env;
}

/** Returns the first line that `program --version` prints. */
const versionLine = (program, args) => execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')[0];

/**
 * Describes a part; `sources` are the files of this repository that it is compiled from, beside those that pin modules. `files` names a
 * module and a folder of it that the part contains, too.
 */
function goPart({ name, packages, sources = [], files, ldflags, versions, seconds, gigabytes }) {
  const programs = packages.map((each) => each.program);
  const modules = packages.map((each) => each.module);
  const lockFiles = lockFilesOf(name, ['go.mod', 'go.sum', ...sources]);
  const cwd = path.dirname(lockFiles[0]);
  return {
    name,
    track: 'go',
    parallel: true,
    lockFiles,
    recipe: { packages, files, ldflags, cgo: 0 },
    keyFiles: programs,
    tools: ['go'],
    goVersion: { cwd, env: goEnv() },
    gigabytes,
    stages: [
      {
        title: 'compile',
        seconds,
        async run({ folder, step }) {
          const GOTMPDIR = path.join(folder, 'tmp'); // here, so that a killed build leaves nothing elsewhere
          fs.rmSync(GOTMPDIR, { recursive: true, force: true });
          fs.mkdirSync(GOTMPDIR);
          const common = { cwd, env: goEnv({ GOTMPDIR }) };
          const list = ['go', 'list', '-deps', '-f', '{{.ImportPath}}', ...modules];
          await step({ ...common, title: 'download Go modules', argv: list, output: packageList(folder) });
          // One call for all programs: shared packages are loaded once, and one program is linked while another is compiled.
          const output = programs.length === 1 ? path.join(folder, programs[0]) : `${folder}/`;
          const compile = ['go', 'build', '-v', '-trimpath', '-ldflags', ldflags, '-o', output, ...modules];
          await whileOthersWait(name, () => step({ ...common, title: `compile ${programs.join(', ')}`, argv: compile }));
          if (files) {
            const module = execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', files.module], { ...common, encoding: 'utf8' }).trim();
            fs.cpSync(path.join(module, files.folder), path.join(folder, path.basename(files.folder)), { recursive: true });
          }
          fs.rmSync(GOTMPDIR, { recursive: true });
          fs.rmSync(packageList(folder));
          return Object.fromEntries(programs.map((program) => [program, versions(path.join(folder, program))]));
        },
        share: ({ folder }) => compiledShare(folder),
      },
    ],
  };
}

const packageList = (folder) => path.join(folder, 'packages.txt');
const linesOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);

/** Share of progress at which packages are compiled and the programs are linked. */
const LINKED_FROM = 0.93;

/** Returns the share of a program's packages that `go build -v` has named in a log, for this program or for another that shares them. */
function compiledShare(folder) {
  const wanted = linesOf(packageList(folder));
  if (wanted.length === 0) return 0;
  const named = new Set(goParts({}).flatMap((part) => linesOf(logOf(part))));
  return (LINKED_FROM * wanted.filter((each) => named.has(each)).length) / wanted.length;
}

/** Returns the parts of Go, without the programs that are `offered` already. */
export function goParts(offered) {
  const kubernetes = ['kube-apiserver', 'kube-controller-manager', 'kubectl']
    .filter((program) => !offered[program])
    .map((program) => ({ program, module: `k8s.io/kubernetes/cmd/${program}` }));
  const stamp = 'k8s.io/component-base/version';
  const all = [];
  if (!offered.etcd) {
    all.push(
      goPart({
        name: 'etcd',
        packages: [{ program: 'etcd', module: 'go.etcd.io/etcd/server/v3' }],
        ldflags: '-s -w',
        versions: (program) => versionLine(program, ['--version']),
        seconds: 100,
        gigabytes: 0.5,
      }),
    );
  }
  if (kubernetes.length > 0) {
    all.push(
      goPart({
        name: 'control-plane',
        packages: kubernetes,
        // Without the stamp the server reports v0.0.0, on which clients misbehave.
        ldflags: `-s -w -X ${stamp}.gitVersion=${KUBERNETES.version} -X ${stamp}.gitMajor=${KUBERNETES.major} -X ${stamp}.gitMinor=${KUBERNETES.minor}`,
        versions: (program) =>
          path.basename(program) === 'kubectl' ? versionLine(program, ['version', '--client']) : versionLine(program, ['--version']),
        seconds: 900,
        gigabytes: 5,
      }),
    );
  }
  all.push(
    goPart({
      name: 'flux',
      packages: [{ program: 'flux', module: '.' }],
      sources: ['main.go'],
      ldflags: '-s -w',
      versions: (program) => versionLine(program, ['version']),
      seconds: 200,
      gigabytes: 2,
    }),
  );
  all.push(
    goPart({
      name: 'cert-manager',
      packages: [{ program: 'cert-manager', module: '.' }],
      sources: ['main.go'],
      files: { module: 'github.com/cert-manager/cert-manager', folder: 'deploy/crds' },
      ldflags: '-s -w',
      versions: (program) => versionLine(program, ['version']),
      seconds: 200,
      gigabytes: 2,
    }),
  );
  all.push(
    goPart({
      name: 'helm',
      packages: [{ program: 'helm', module: 'helm.sh/helm/v3/cmd/helm' }],
      // Without the stamps it reports v3.22 and assumes an API server 1.20 where none is asked, which the chart refuses.
      ldflags: [
        '-s -w',
        `-X helm.sh/helm/v3/internal/version.version=${HELM}`,
        `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=${KUBERNETES.major}`,
        `-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=${KUBERNETES.minor}`,
        `-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=${KUBERNETES.major}`,
        `-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=${KUBERNETES.minor}`,
      ].join(' '),
      versions: (program) => versionLine(program, ['version', '--short']),
      seconds: 210,
      gigabytes: 1,
    }),
  );
  return all;
}

/** Removes the compiled packages once nothing is left to compile. */
export async function removeCompiled(offered) {
  if (!fs.existsSync(COMPILED) || !goParts(offered).every(isWhole)) return;
  await whileOthersWait('go-build', () => fs.rmSync(COMPILED, { recursive: true, force: true }));
}
