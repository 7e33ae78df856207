#!/usr/bin/env bash
# The story of one workflow, from nothing to deletion: printed with the kubectl commands a person would type and what
# they show. Each step checks what it shows; the first that does not show it ends the demo with exit code 1.
#
# `make demo` runs it. It needs KUBECONFIG, N8N_URL and N8N_API_KEY (the Makefile's own stack sets them), kubectl, node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

namespace=weirkeeper-demo
part_of=app.kubernetes.io/part-of=weirkeeper-demo
webhook="" # known once the workflow is Ready
work=$(mktemp -d "${TMPDIR:-/tmp}/weirkeeper-demo-XXXXXX")
operator=() # the process id, while it runs
knocker=()
installed=() # what was not there before, and goes when the demo ends
started=$SECONDS
results=()

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold="" dim="" plain=""; fi

chapter() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '%s\n' "$*"; }
indent() { sed "s/^/  /"; }

fail() {
  printf '\ndemo: %s\n' "$*" >&2
  if [[ -s $work/operator.log ]]; then
    printf 'demo: the end of the operator'"'"'s log:\n' >&2
    tail -n 25 "$work/operator.log" >&2
  fi
  exit 1
}

# Prints a command as a person would type it, runs it, and shows what it says.
show() {
  printf '%s$ %s%s\n' "$dim" "$*" "$plain"
  local said
  said=$(eval "$*" 2>&1) || { indent <<<"$said"; fail "the command above failed"; }
  [[ -z $said ]] || indent <<<"$said"
}

# The same, and the output must hold a text.
shows() {
  local wanted=$1
  shift
  printf '%s$ %s%s\n' "$dim" "$*" "$plain"
  local said
  said=$(eval "$*" 2>&1) || { indent <<<"$said"; fail "the command above failed"; }
  indent <<<"$said"
  [[ $said == *"$wanted"* ]] || fail "the output above should hold: $wanted"
}

# Waits until a function succeeds, with a line every ten seconds.
until_true() {
  local what=$1 bound=$2 from=$SECONDS told=$SECONDS
  shift 2
  until "$@"; do
    ((SECONDS - from < bound)) || fail "waited $bound s in vain: $what"
    [[ ${#operator[@]} -eq 0 ]] || kill -0 "${operator[0]}" 2>/dev/null || fail "the operator ended"
    if ((SECONDS - told >= 10)); then
      tell "  ... $what ($((SECONDS - from)) s)"
      told=$SECONDS
    fi
    sleep 0.1
  done
}

proved() { results+=("$1"); }

call() { node examples/demo/n8n.mjs call "$webhook"; }
answers() { [[ $(call) == *"\"$1\""* ]]; }
ask_webhook() {
  if command -v curl >/dev/null; then shows "$1" "curl -sS $webhook"; else shows "$1" "node examples/demo/n8n.mjs call $webhook"; fi
}
condition() { kubectl get workflow orders -o jsonpath="{.status.conditions[?(@.type==\"$1\")].$2}"; }

knock() {
  node examples/demo/n8n.mjs knock "$webhook" >"$work/knocks" &
  knocker=("$!")
}

# Ends the knocking and says how the webhook did; a gap of 5 s or more is a failure.
knocks() {
  kill -TERM "${knocker[0]}"
  wait "${knocker[0]}" || true
  knocker=()
  local calls answered gap
  read -r calls answered gap <"$work/knocks"
  tell "Meanwhile the webhook was called $calls times and answered $answered times; the longest gap was $gap ms."
  ((gap < 5000)) || fail "the webhook was gone for $gap ms"
}

clean_up() {
  local code=$?
  trap - EXIT INT TERM
  set +e
  [[ ${#knocker[@]} -eq 0 ]] || kill "${knocker[0]}" 2>/dev/null
  if [[ ${#installed[@]} -gt 0 ]]; then
    tell ""
    tell "Cleaning up: ${installed[*]}"
    # Workflows first, while the operator can still settle them in n8n.
    if [[ " ${installed[*]} " == *" namespace/$namespace "* ]]; then
      kubectl delete workflows.weirkeeper.dev --all -n "$namespace" --timeout=60s >>"$work/clean-up.log" 2>&1
      kubectl delete "namespace/$namespace" --timeout=90s >>"$work/clean-up.log" 2>&1 || { tail -n 5 "$work/clean-up.log" >&2; code=$((code ? code : 1)); }
    fi
    local one
    for one in "${installed[@]}"; do
      [[ $one == namespace/* ]] || kubectl delete "$one" --ignore-not-found --timeout=60s >>"$work/clean-up.log" 2>&1
    done
  fi
  if [[ ${#operator[@]} -gt 0 ]]; then
    kill -TERM "${operator[0]}" 2>/dev/null
    wait "${operator[0]}" 2>/dev/null
  fi
  if ((code == 0)); then
    printf '\n%s== Summary%s\n' "$bold" "$plain"
    local line
    for line in "${results[@]}"; do tell "  ok  $line"; done
    tell "  ${#results[@]} steps in $((SECONDS - started)) s"
    rm -rf "$work"
  else
    printf '\ndemo: FAILED after %s s; logs are in %s\n' "$((SECONDS - started))" "$work" >&2
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ----------------------------------------------------------------------------------------------------------------------

: "${KUBECONFIG:?the demo needs a cluster; run it with: make demo}"
: "${N8N_URL:?the demo needs an n8n; run it with: make demo}"
: "${N8N_API_KEY:?the demo needs an API key of n8n; run it with: make demo}"
binary=${CARGO_TARGET_DIR:-target}/debug/weirkeeper
[[ -x $binary ]] || fail "the operator is not compiled; run: make build"
for tool in kubectl node; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

# The commands below are short because the demo's own kubeconfig names the namespace.
if kubectl get namespace "$namespace" >/dev/null 2>&1; then
  fail "there is a namespace $namespace already, perhaps of an earlier demo; delete it first"
fi
kubectl config view --raw --flatten >"$work/kubeconfig"
chmod 600 "$work/kubeconfig"
operator_kubeconfig=${WEIRKEEPER_STACK:+$WEIRKEEPER_STACK/kubeconfig-operator}
operator_kubeconfig=${operator_kubeconfig:-$KUBECONFIG}
export KUBECONFIG=$work/kubeconfig

chapter "1. Install: two kinds, and what the operator may do"
for file in crds/*.yaml config/rbac/*.yaml; do
  name=$(kubectl create --dry-run=client -f "$file" -o name)
  if kubectl get "$name" >/dev/null 2>&1; then
    tell "(there already: $name; if an operator runs in this cluster, it works on the demo's objects, too)"
  else
    installed+=("$name")
  fi
done
show "kubectl apply --server-side -f crds/ -f config/rbac/"
show "kubectl wait --for=condition=Established --timeout=60s crd/workflows.weirkeeper.dev crd/n8ninstances.weirkeeper.dev"
installed+=("namespace/$namespace")
show "kubectl create namespace $namespace"
kubectl config set-context --current --namespace="$namespace" >/dev/null
tell "The operator runs beside the demo, with the identity that config/rbac gives it:"
tell "${dim}\$ weirkeeper operator --allow-loopback --watch-label-selector $part_of${plain}"
KUBECONFIG=$operator_kubeconfig "$binary" operator --listen 127.0.0.1:0 --allow-loopback --watch-label-selector "$part_of" \
  </dev/null >/dev/null 2>"$work/operator.log" &
operator=("$!")
operator_ready() {
  local address
  address=$(sed -n 's/.*address=\([0-9.:]*\).*/\1/p' "$work/operator.log" | tail -n 1)
  [[ -n $address ]] && [[ $(node examples/demo/n8n.mjs call "http://$address/readyz") == ok ]]
}
until_true "the operator becomes ready" 60 operator_ready
tell "  /readyz: ok"
proved "installed, and the operator is ready"

chapter "2. Connect: an n8n and its API key"
tell "${dim}\$ kubectl create secret generic n8n-api-key --from-literal=apiKey=...${plain}"
# Through a file, so that the key is in no process list.
(umask 077 && printf '%s' "$N8N_API_KEY" >"$work/key")
kubectl create secret generic n8n-api-key --from-file=apiKey="$work/key" | indent
rm -f "$work/key"
tell "${dim}\$ kubectl apply -f examples/demo/instance.yaml${plain}"
sed "s|^  url: .*|  url: $N8N_URL|" examples/demo/instance.yaml | kubectl apply -f - | indent
show "kubectl wait --for=condition=Ready --timeout=60s n8ninstance/main"
shows "n8n" "kubectl get n8ninstance main"
proved "n8n answers and accepts the key"

chapter "3. Apply a workflow"
show "kubectl apply -f examples/demo/orders.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s workflow/orders"
shows "version 1 serves" "kubectl get workflow orders"
id=$(kubectl get workflow orders -o jsonpath='{.status.n8nWorkflowId}')
webhook=$(kubectl get workflow orders -o jsonpath='{.status.webhookURLs[0]}')
[[ -n $id && -n $webhook ]] || fail "the status names no n8n workflow or no webhook URL"
tell "It runs in n8n, and its webhook answers:"
show "kubectl get workflow orders -o jsonpath='{.status.webhookURLs[0]}'"
ask_webhook '"order received"'
proved "a workflow was applied and answers its webhook"

chapter "4. Edit it: version 2"
show "kubectl apply -f examples/demo/orders-edited.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s workflow/orders"
ask_webhook '"order received and confirmed"'
history="kubectl get workflow orders -o jsonpath='{range .status.history[*]}version {.version}: {.result}  {.reason}{\"\\n\"}{end}'"
shows "version 2: Good" "$history"
proved "an edit became version 2"

chapter "5. A bad edit: rolled back by itself"
tell "n8n computes its schedule, and that is no cron expression. It notices only while it publishes, and takes the running version offline."
knock
sleep 0.5 # some calls before
show "kubectl apply -f examples/demo/orders-broken.yaml"
show "kubectl wait --for=condition=RolledBack --timeout=90s workflow/orders"
knocks
shows "Invalid cron expression" "kubectl get workflow orders -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'"
shows "version 3: Failed" "$history"
tell "Version 2 serves in its place, and the object says so until somebody corrects it:"
ask_webhook '"order received and confirmed"'
[[ $(condition Stalled status) == True ]] || fail "a rolled back workflow should be Stalled"
show "kubectl apply -f examples/demo/orders-edited.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s workflow/orders"
proved "a bad edit was rolled back and the webhook went on answering"

chapter "6. Somebody edits it in n8n: seen and put right"
[[ $(kubectl get events --field-selector reason=DriftReverted -o name) == "" ]] || fail "drift was reverted before anybody drifted"
tell "(in the n8n editor: another answer, saved and published)"
tell "  $(node examples/demo/n8n.mjs edit "$id" "order received and confirmed" "edited by hand")"
reverted() { [[ -n $(kubectl get events --field-selector reason=DriftReverted -o name) ]] && answers "order received and confirmed"; }
until_true "the edit is put right" 60 reverted
shows "changed in n8n and put right" "kubectl get events --field-selector reason=DriftReverted -o custom-columns=REASON:.reason,MESSAGE:.message"
ask_webhook '"order received and confirmed"'
shows "Kept" "$history"
tell "Nobody lost an edit: what was overwritten is kept as a version."
proved "an edit in n8n was reverted, with an event, and kept"

chapter "7. Pin a version"
show "kubectl annotate workflow orders weirkeeper.dev/pinned-version=1"
says() { [[ $(condition Ready message) == *"$1"* ]]; }
until_true "version 1 serves" 60 says "version 1 is pinned"
ask_webhook '"order received"'
shows "version 1 is pinned" "kubectl get workflow orders"
show "kubectl annotate workflow orders weirkeeper.dev/pinned-version-"
until_true "version 2 serves" 60 says "version 2 serves"
ask_webhook '"order received and confirmed"'
proved "an older version was pinned and let go"

chapter "8. Delete it"
show "kubectl delete workflow orders --timeout=60s"
if command -v curl >/dev/null; then shows "404" "curl -sS -o /dev/null -w '%{http_code}\n' $webhook"; else shows "404" "node examples/demo/n8n.mjs call $webhook"; fi
[[ $(node examples/demo/n8n.mjs exists "$id") == 404 ]] || fail "the workflow is still in n8n"
tell "n8n has no workflow $id any more."
proved "deletion took the workflow out of n8n"
