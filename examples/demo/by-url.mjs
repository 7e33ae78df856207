// Reads a ValidatingWebhookConfiguration (JSON) on standard input, and prints it for an operator outside the cluster: the API server calls a URL
// instead of a Service, for the objects of one namespace.
//
// Usage: node by-url.mjs HOST:PORT NAMESPACE
import fs from 'node:fs';

const [address, namespace] = process.argv.slice(2);
const configuration = JSON.parse(fs.readFileSync(0, 'utf8'));
for (const webhook of configuration.webhooks) {
  webhook.clientConfig = { url: `https://${address}${webhook.clientConfig.service.path}` };
  webhook.namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
}
process.stdout.write(JSON.stringify(configuration));
