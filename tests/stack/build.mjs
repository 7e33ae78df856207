// The parts of the real stack, and their build in parallel tracks.

import fs from 'node:fs';
import path from 'node:path';

import { ensurePart, folderOf, isWhole } from './cache.mjs';
import { goParts, removeCompiled } from './go-parts.mjs';
import { makeCacheRoot, requireMachine } from './machine.mjs';
import { modelPackages, modelParts, pythonComplaint } from './model-part.mjs';
import { n8n, n8nProgram, node, nodeBinary, prepared } from './n8n-parts.mjs';
import { byTrack, startProgress } from './progress.mjs';
import { say } from './say.mjs';

/** The programs in KUBEBUILDER_ASSETS: ready-made kube-apiserver, etcd and kubectl replace built ones. */
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

/** The parts of this machine, without the programs in KUBEBUILDER_ASSETS. */
export const parts = () => [...goParts(readyMade()), node, n8n, prepared, ...modelParts()];

/**
 * Builds parts in tracks: sequentially within a track, with the tracks in parallel, because npm waits for the network and the disk while Go
 * keeps the processors busy. The first failure stops the other tracks, which continue in the next run.
 */
export async function buildInTracks(wanted) {
  const abort = new AbortController();
  let failure;
  const tracks = Object.values(byTrack(wanted)).map(async (track) => {
    try {
      for (const part of track) await ensurePart(part, abort.signal);
    } catch (error) {
      failure ??= error;
      abort.abort(failure);
    }
  });
  await Promise.all(tracks);
  if (failure) throw failure;
}

/** Builds the named parts and their dependencies, and returns the folders of the named ones. */
export async function build(names = parts().map((part) => part.name)) {
  const known = parts();
  if (names.includes('model') && !known.some((part) => part.name === 'model')) {
    say(`model: left out, and the tests with a real model server with it: ${pythonComplaint()}`);
  }
  const unknown = names.filter((name) => name !== 'model' && !known.some((part) => part.name === name));
  if (unknown.length > 0) {
    throw new Error(`no part named ${unknown.join(', ')}; there are: ${known.map((part) => part.name).join(', ')}`);
  }
  makeCacheRoot();
  const named = known.filter((part) => names.includes(part.name));
  const missing = known.filter((part) => (named.includes(part) || named.some((each) => each.needs?.includes(part))) && !isWhole(part));
  if (missing.length > 0) {
    requireMachine(missing);
    const progress = startProgress(missing);
    try {
      await buildInTracks(missing);
    } finally {
      progress.stop();
    }
    await removeCompiled(readyMade());
  }
  return Object.fromEntries(named.map((part) => [part.name, folderOf(part)]));
}

const CONTROL_PLANE_PARTS = ['control-plane', 'etcd', 'helm'];
const N8N_PARTS = ['node', 'n8n', 'n8n-prepared'];
/** Programs that only tests use. */
const TEST_PARTS = ['flux', 'cert-manager', 'model'];

/** Builds everything that a stack needs and returns the paths of its programs. */
export async function programs({ withControlPlane, withN8n, withTestPrograms }) {
  const wanted = [
    ...(withControlPlane ? CONTROL_PLANE_PARTS : []),
    ...(withN8n ? N8N_PARTS : []),
    ...(withTestPrograms ? TEST_PARTS : []),
  ];
  const folders = await build(wanted);
  const found = {};
  if (withControlPlane) {
    const offered = readyMade();
    for (const program of ['kube-apiserver', 'kube-controller-manager', 'kubectl', 'etcd']) {
      const folder = folders[program === 'etcd' ? 'etcd' : 'control-plane'];
      found[program] = offered[program] ?? path.join(folder, program);
    }
    found.helm = path.join(folders.helm, 'helm');
  }
  if (withTestPrograms) {
    found.flux = path.join(folders.flux, 'flux');
    found.certManager = path.join(folders['cert-manager'], 'cert-manager');
    found.certManagerCrds = path.join(folders['cert-manager'], 'crds');
  }
  if (withN8n) {
    found.node = nodeBinary(folders.node);
    found.n8n = n8nProgram(folders.n8n);
    found.n8nPrepared = folders['n8n-prepared'];
  }
  if (folders.model) found.modelPackages = modelPackages(folders.model);
  return found;
}
