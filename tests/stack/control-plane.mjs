// etcd, kube-apiserver and kube-controller-manager on loopback: how each is started and when it is ready.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { request } from './http.mjs';
import { freePort, listenersOf, waitReady } from './processes.mjs';

const OPERATOR_NAMESPACE = 'weirkeeper-system';

/** Users of the API server. Their permissions come from RBAC objects that tests install, except for the administrator. */
const USERS = {
  admin: { user: 'admin', groups: ['system:masters'] },
  operator: {
    user: `system:serviceaccount:${OPERATOR_NAMESPACE}:weirkeeper`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${OPERATOR_NAMESPACE}`, 'system:authenticated'],
  },
  tenant: { user: 'tenant', groups: ['system:authenticated'] },
};

const environment = (state) => ({ PATH: '/usr/bin:/bin', HOME: state.dir });
const inside = (state, name) => path.join(state.dir, name);
const certificate = (state) => inside(state, 'apiserver/certs/apiserver.crt');
const secret = (file, text) => fs.writeFileSync(file, text, { mode: 0o600 });

/** Creates tokens and the key that signs service account tokens, for this stack only. */
export function prepareControlPlane(state) {
  fs.mkdirSync(inside(state, 'apiserver/certs'), { recursive: true, mode: 0o700 });
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  secret(inside(state, 'apiserver/service-account.key'), privateKey.export({ type: 'sec1', format: 'pem' }));
  secret(inside(state, 'apiserver/service-account.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const tokens = Object.keys(USERS).map((name) => [name, crypto.randomBytes(24).toString('base64url')]);
  const lines = tokens.map(([name, token]) => `${token},${USERS[name].user},${name},"${USERS[name].groups.join(',')}"`);
  secret(inside(state, 'apiserver/tokens.csv'), `${lines.join('\n')}\n`);
  for (const [name, token] of tokens) secret(inside(state, `apiserver/token-${name}`), token);
  const kubeconfigs = Object.fromEntries(Object.keys(USERS).map((name) => [name, inside(state, `kubeconfig-${name}`)]));
  const users = Object.fromEntries(Object.entries(USERS).map(([name, { user }]) => [name, user]));
  state.kubernetes = { url: '', port: 0, etcdPort: 0, etcdPeerPort: 0, etcdUrl: '', caFile: certificate(state), kubeconfigs, users };
}

function writeKubeconfigs(state) {
  const authority = fs.readFileSync(certificate(state)).toString('base64');
  for (const [name, file] of Object.entries(state.kubernetes.kubeconfigs)) {
    const token = fs.readFileSync(inside(state, `apiserver/token-${name}`), 'utf8');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: state.name, cluster: { server: state.kubernetes.url, 'certificate-authority-data': authority } }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: state.name, user: name, namespace: 'default' } }],
      'current-context': name,
    };
    secret(file, `${JSON.stringify(config, null, 2)}\n`); // JSON is YAML
  }
}

/** Sends one request to the API server as the administrator. */
export function kube(state, method, route, body) {
  const token = fs.readFileSync(inside(state, 'apiserver/token-admin'), 'utf8');
  return request(`${state.kubernetes.url}${route}`, {
    method,
    body,
    ca: fs.readFileSync(certificate(state)),
    headers: { authorization: `Bearer ${token}` },
  });
}

const holdsPort = (process, port) => listenersOf(process).some((listener) => listener.port === port);

const etcd = {
  async choosePorts(state) {
    const [port, peerPort] = [await freePort(), await freePort()];
    Object.assign(state.kubernetes, { etcdPort: port, etcdPeerPort: peerPort, etcdUrl: `http://127.0.0.1:${port}` });
  },
  launch(state) {
    const { etcdUrl, etcdPeerPort } = state.kubernetes;
    const peerUrl = `http://127.0.0.1:${etcdPeerPort}`;
    const argv = [
      state.programs.etcd,
      '--name=stack',
      `--data-dir=${inside(state, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=stack=${peerUrl}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ];
    return { argv, env: environment(state), cwd: state.dir };
  },
  ready: (state, process) =>
    waitReady('etcd', process, async () => {
      const { status } = await request(`${state.kubernetes.etcdUrl}/health`, { timeoutMs: 2000 });
      return status === 200 && holdsPort(process, state.kubernetes.etcdPort) ? true : `health: ${status}`;
    }),
};

const apiserver = {
  async choosePorts(state) {
    const port = await freePort();
    Object.assign(state.kubernetes, { port, url: `https://127.0.0.1:${port}` });
  },
  launch(state) {
    const argv = [
      state.programs['kube-apiserver'],
      `--etcd-servers=${state.kubernetes.etcdUrl}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none', // it refuses loopback addresses, and nothing here uses the Endpoints
      `--secure-port=${state.kubernetes.port}`,
      `--cert-dir=${inside(state, 'apiserver/certs')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${inside(state, 'apiserver/service-account.pub')}`,
      `--service-account-signing-key-file=${inside(state, 'apiserver/service-account.key')}`,
      `--token-auth-file=${inside(state, 'apiserver/tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/24',
      '--disable-admission-plugins=ServiceAccount', // nothing here creates the service accounts of namespaces
      '--allow-privileged=true',
      '--profiling=false',
      '--enable-priority-and-fairness=false',
      '--max-requests-inflight=3000',
      '--max-mutating-requests-inflight=1000',
    ];
    return { argv, env: environment(state), cwd: state.dir };
  },
  async ready(state, process) {
    await waitReady('kube-apiserver', process, async () => {
      if (!fs.existsSync(certificate(state))) return 'no certificate yet';
      const { status, text } = await kube(state, 'GET', '/readyz');
      return status === 200 && holdsPort(process, state.kubernetes.port) ? true : `readyz: ${status} ${text.slice(-200)}`;
    });
    state.kubernetes.version = (await kube(state, 'GET', '/version')).json.gitVersion;
    writeKubeconfigs(state);
  },
};

const controllerManager = {
  async choosePorts() {},
  launch(state) {
    const argv = [
      state.programs['kube-controller-manager'],
      `--kubeconfig=${state.kubernetes.kubeconfigs.admin}`,
      '--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller',
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
      '--concurrent-gc-syncs=20',
      '--concurrent-namespace-syncs=10',
      '--profiling=false',
    ];
    return { argv, env: environment(state), cwd: state.dir };
  },
  /** It serves no endpoint, so its work is the sign of readiness: an object whose owner does not exist is collected. */
  async ready(state, process) {
    const collection = '/api/v1/namespaces/default/configmaps';
    const name = `stack-probe-${crypto.randomBytes(4).toString('hex')}`;
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'stack-probe-owner', uid: crypto.randomUUID() };
    const orphan = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ownerReferences: [owner] } };
    let created = false;
    await waitReady('kube-controller-manager', process, async () => {
      if (!created) {
        const { status, text } = await kube(state, 'POST', collection, orphan);
        if (status !== 201) return `create the probe: ${status} ${text.slice(0, 200)}`;
        created = true;
      }
      const { status } = await kube(state, 'GET', `${collection}/${name}`);
      return status === 404 ? true : 'the probe is not collected yet';
    });
  },
};

export const controlPlane = { etcd, 'kube-apiserver': apiserver, 'kube-controller-manager': controllerManager };
