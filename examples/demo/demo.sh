#!/usr/bin/env bash
# Demonstrates the life of a workflow from creation to deletion, with the kubectl commands that a user would type and their output. Each
# step checks its output; the first unexpected one ends the demo with exit code 1.
#
# `make demo` runs it after validate.sh. With the argument --own-stack the API server runs on this machine and reaches the admission webhook; the
# API server of another cluster does not. It requires KUBECONFIG, N8N_URL and N8N_API_KEY (the Makefile's own stack sets them), kubectl, helm
# and node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

namespace=weirkeeper-demo
part_of=app.kubernetes.io/part-of=weirkeeper-demo
release=weirkeeper-demo
webhook="" # known once the workflow is Ready
work=$(mktemp -d "${TMPDIR:-/tmp}/weirkeeper-demo-XXXXXX")
operator=() # the process id, while it runs
knocker=()
installed=() # objects that the demo created and deletes at the end
admission=() # address of the admission webhook, if it is installed
released="" # set once the release may exist
started=$SECONDS
results=()

source examples/demo/telling.sh

# Waits until a function succeeds, and prints a line every ten seconds.
until_true() {
  local what=$1 bound=$2 from=$SECONDS told=$SECONDS
  shift 2
  until "$@"; do
    ((SECONDS - from < bound)) || fail "timed out after $bound s: $what"
    [[ ${#operator[@]} -eq 0 ]] || kill -0 "${operator[0]}" 2>/dev/null || fail "the operator exited"
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
condition() { kubectl get nwf orders -o jsonpath="{.status.conditions[?(@.type==\"$1\")].$2}"; }
says() { [[ $(condition Ready message) == *"$1"* ]]; }

# Applies a manifest that Weirkeeper denies. kubectl prints why if the API server reaches the admission webhook; otherwise the condition says it.
denies() {
  local wanted=$1 object=$2
  shift 2
  if [[ ${#admission[@]} -gt 0 ]]; then
    refuses "$wanted" "$*"
    return
  fi
  show "$*"
  local message="kubectl get nwf $object -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'"
  denied() { [[ $(eval "$message") == *"$wanted"* ]]; }
  until_true "the Workflow $object is denied" 60 denied
  shows "$wanted" "$message"
}

# Starts to call the webhook continuously.
knock() {
  node examples/demo/n8n.mjs knock "$webhook" >"$work/knocks" &
  knocker=("$!")
  knocking() { [[ -s $work/knocks ]]; }
  until_true "the webhook is being called" 30 knocking
}

# Stops the calls and prints their results; an outage of 30 s or more is a failure.
knocks() {
  local code=0
  kill -TERM "${knocker[0]}"
  wait "${knocker[0]}" || code=$?
  knocker=()
  sed 1d "$work/knocks"
  ((code == 0)) || fail "the calls above should have been answered before and after, and the webhook unavailable for less than 30 s"
}

clean_up() {
  local code=$?
  trap - EXIT INT TERM
  set +e
  [[ ${#knocker[@]} -eq 0 ]] || kill "${knocker[0]}" 2>/dev/null
  if [[ -n $released ]]; then
    tell ""
    tell "Cleaning up: Helm release $release, ${installed[*]}"
    # Delete the Workflows first, while the operator can still apply their deletion policy in n8n.
    if [[ " ${installed[*]} " == *" Namespace/$namespace "* ]]; then
      kubectl delete nwf --all -n "$namespace" --timeout=60s >>"$work/clean-up.log" 2>&1
      kubectl delete "namespace/$namespace" --timeout=90s >>"$work/clean-up.log" 2>&1 || { tail -n 5 "$work/clean-up.log" >&2; code=$((code ? code : 1)); }
    fi
    helm uninstall "$release" --namespace "$home" --ignore-not-found >>"$work/clean-up.log" 2>&1 || code=$((code ? code : 1))
    local one
    for one in "${installed[@]}"; do
      kubectl delete "$one" --ignore-not-found --timeout=60s >>"$work/clean-up.log" 2>&1
    done
    for one in "${installed[@]}"; do
      if [[ -n $(kubectl get "$one" --ignore-not-found -o name 2>>"$work/clean-up.log") ]]; then
        printf 'demo: %s is still there\n' "$one" >&2
        code=$((code ? code : 1))
      fi
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
for tool in kubectl helm node; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

# The commands below are short because the kubeconfig of the demo sets the namespace.
if kubectl get namespace "$namespace" >/dev/null 2>&1; then
  fail "the namespace $namespace exists already, perhaps from an earlier demo; delete it first"
fi
kubectl config view --raw --flatten >"$work/kubeconfig"
chmod 600 "$work/kubeconfig"
export KUBECONFIG=$work/kubeconfig

chapter "2. Install the chart"
home=weirkeeper-system
port() { node -e 'require("node:net").createServer().listen(0, "127.0.0.1", function () { console.log(this.address().port); this.close(); })'; }
metrics=127.0.0.1:$(port)
# Without pods: the operator runs outside the cluster.
settings=(replicas=0 operator.allowLoopback=true operator.logFormat=text "scope.labels.${part_of//./\\.}" "metrics.port=${metrics#*:}" uninstall.releaseFinalizers=false)
if [[ ${1:-} == --own-stack ]]; then
  admission=("127.0.0.1:$(port)")
  settings+=("webhook.url=https://${admission[0]}" "webhook.port=${admission[0]#*:}")
else
  settings+=(webhook.enabled=false)
fi
if [[ -n $(kubectl get crd workflows.weirkeeper.dev --ignore-not-found -o name) ]]; then
  tell "(the CRDs exist already; an operator in this cluster may reconcile the objects of the demo, too)"
  settings+=(crds.install=false admissionPolicies.install=false scope.allowOverlap=true)
else
  while read -r crd; do installed+=("CustomResourceDefinition/$crd"); done < <(kubectl create --dry-run=client -f crds/ -o name | sed -n 's|^customresourcedefinition[^/]*/||p')
fi
[[ -n $(kubectl get namespace "$home" --ignore-not-found -o name) ]] || installed+=("Namespace/$home")
released=1
show "helm install $release charts/weirkeeper --namespace $home --create-namespace $(printf ' \\\n    --set '"'%s'" "${settings[@]}") | sed -n '1,/^STATUS/p'"
show "kubectl wait --for=condition=Established --timeout=60s crd/workflows.weirkeeper.dev crd/n8ninstances.weirkeeper.dev"
installed+=("Namespace/$namespace")
show "kubectl create namespace $namespace"
kubectl config set-context --current --namespace="$namespace" >/dev/null
tell "The operator runs outside the cluster, with the arguments and the service account of the chart's Deployment:"
(umask 077 && cp "$work/kubeconfig" "$work/operator-kubeconfig")
token=$(kubectl create token "$release" -n "$home" --duration=2h)
KUBECONFIG=$work/operator-kubeconfig kubectl config set-credentials weirkeeper --token="$token" >/dev/null
KUBECONFIG=$work/operator-kubeconfig kubectl config set-context --current --user=weirkeeper >/dev/null
identity='{.status.userInfo.username}{"\n"}'
shows "system:serviceaccount:$home:$release" "KUBECONFIG=$work/operator-kubeconfig kubectl auth whoami -o jsonpath='$identity'"
mapfile -t arguments < <(kubectl get deployment "$release" -n "$home" -o jsonpath='{range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}' | sed 's/=0\.0\.0\.0:/=127.0.0.1:/')
[[ ${arguments[0]:-} == operator ]] || fail "the Deployment has no arguments for the operator: ${arguments[*]}"
typed "weirkeeper ${arguments[*]}"
: >"$work/operator.log"
KUBECONFIG=$work/operator-kubeconfig WEIRKEEPER_LEASE_NAMESPACE=$home "${CARGO:-cargo}" run --quiet --locked -- "${arguments[@]}" </dev/null >/dev/null 2>"$work/operator.log" &
operator=("$!")
operator_ready() { [[ $(node examples/demo/n8n.mjs call "http://$metrics/readyz") == ok ]]; }
until_true "the operator becomes ready" 60 operator_ready
tell "  /readyz: ok"
proved "the chart is installed, and the operator is ready"

chapter "3. Connect an n8n with its API key"
typed "kubectl create secret generic n8n-api-key --from-literal=apiKey=..."
# Through a file, so that the key is not in the list of processes.
(umask 077 && printf '%s' "$N8N_API_KEY" >"$work/key")
kubectl create secret generic n8n-api-key --from-file=apiKey="$work/key" | indent
rm -f "$work/key"
typed "kubectl apply -f examples/demo/instance.yaml"
sed "s|^  url: .*|  url: $N8N_URL|" examples/demo/instance.yaml | kubectl apply -f - | indent
show "kubectl wait --for=condition=Ready --timeout=60s n8ni/main"
show "kubectl get n8ni main"
proved "n8n answers and accepts the key"

chapter "4. Apply a workflow"
show "kubectl apply -f examples/demo/orders.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s nwf/orders"
show "kubectl get nwf orders"
says "version 1 is published" || fail "the condition Ready should say that version 1 is published: $(condition Ready message)"
id=$(kubectl get nwf orders -o jsonpath='{.status.n8nWorkflowId}')
webhook=$(kubectl get nwf orders -o jsonpath='{.status.webhookURLs[0]}')
[[ -n $id && -n $webhook ]] || fail "the status names no n8n workflow or no webhook URL"
[[ $(node examples/demo/n8n.mjs exists "$id") == 200 ]] || fail "n8n has no workflow $id"
tell "It is workflow $id in n8n, and its webhook answers:"
show "kubectl get nwf orders -o jsonpath='{.status.webhookURLs[0]}'"
ask_webhook '"order received"'
proved "a workflow was applied and answers its webhook"

chapter "5. Give the namespace limits and rules"
show "kubectl apply -f examples/demo/rules.yaml"
ready_policy() { [[ $(kubectl get n8np demo -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}') == True ]]; }
until_true "the policy is enforced" 60 ready_policy
counted() { [[ $(kubectl get n8nq demo -o jsonpath='{.status.used.workflows}') == 1 ]]; }
until_true "the quota counts the workflow" 60 counted
show "kubectl get n8nq,n8np"
tell "A second workflow is one too many:"
denies "exceeded quota: demo, requested: workflows=1, used: 1, limited: 1" returns "sed 's/orders/returns/' examples/demo/orders.yaml | kubectl apply -f -"
kubectl delete nwf returns --ignore-not-found | indent
tell "An edit of the first one breaks the rules:"
denies "weirkeeper-demo" orders "sed 's|path: weirkeeper-demo/orders|path: other/orders|' examples/demo/orders.yaml | kubectl replace -f -"
show "kubectl apply -f examples/demo/orders.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s nwf/orders"
ask_webhook '"order received"'
proved "what exceeds the quota or breaks the rules is denied, and nothing else is affected"

chapter "6. Edit it: version 2"
show "kubectl apply -f examples/demo/orders-edited.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s nwf/orders"
ask_webhook '"order received and confirmed"'
history="kubectl get nwf orders -o jsonpath='{range .status.history[*]}version {.version}: {.result}  {.reason}{\"\\n\"}{end}'"
shows "version 2: Good" "$history"
proved "an edit became version 2"

chapter "7. Apply a bad edit: automatic rollback"
tell "n8n computes its schedule, and the result is not a cron expression. This is detected only when n8n publishes the workflow."
knock
show "kubectl apply -f examples/demo/orders-broken.yaml"
show "kubectl wait --for=condition=RolledBack --timeout=90s nwf/orders"
knocks
shows "Invalid cron expression" "kubectl get nwf orders -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'"
shows "version 3: Failed" "$history"
says "version 2 is published" || fail "the condition Ready should say that version 2 is published: $(condition Ready message)"
tell "Version 2 is published instead:"
ask_webhook '"order received and confirmed"'
[[ $(condition Stalled status) == True ]] || fail "a rolled back workflow should be Stalled"
tell "The object is Stalled until somebody corrects it:"
show "kubectl apply -f examples/demo/orders-edited.yaml"
show "kubectl wait --for=condition=Ready --timeout=90s nwf/orders"
[[ $(condition Stalled status) != True ]] || fail "a corrected workflow should not be Stalled"
proved "a bad edit was rolled back, and the webhook answered before and after"

chapter "8. Edit it in n8n: the change is detected and reverted"
[[ $(kubectl get events --field-selector reason=DriftReverted -o name) == "" ]] || fail "a change was reverted before there was one"
tell "(in the n8n editor: another answer, saved and published)"
tell "  $(node examples/demo/n8n.mjs edit "$id" "order received and confirmed" "edited by hand")"
reverted() { [[ -n $(kubectl get events --field-selector reason=DriftReverted -o name) ]] && answers "order received and confirmed"; }
until_true "the edit is reverted" 60 reverted
shows "reverted a change in n8n" "kubectl get events --field-selector reason=DriftReverted -o custom-columns=REASON:.reason,MESSAGE:.message"
ask_webhook '"order received and confirmed"'
shows "Kept" "$history"
kept=$(kubectl get nwf orders -o jsonpath='{.status.history[?(@.result=="Kept")].version}')
[[ $kept =~ ^[0-9]+$ ]] || fail "exactly one version should have the result Kept: $kept"
tell "No edit is lost: the overwritten content is stored as version $kept."
proved "an edit in n8n was reverted, with an event, and stored as a version"

chapter "9. Pin a version: the stored edit"
show "kubectl annotate nwf orders weirkeeper.dev/pinned-version=$kept"
until_true "version $kept is published" 60 says "version $kept is pinned"
ask_webhook '"edited by hand"'
show "kubectl get nwf orders"
show "kubectl annotate nwf orders weirkeeper.dev/pinned-version-"
until_true "version 2 is published" 60 says "version 2 is published"
ask_webhook '"order received and confirmed"'
proved "the stored edit was pinned, published unchanged, and unpinned"

chapter "10. Delete it"
show "kubectl delete nwf orders --timeout=60s"
if command -v curl >/dev/null; then shows "404" "curl -sS -o /dev/null -w '%{http_code}\n' $webhook"; else shows "404" "node examples/demo/n8n.mjs call $webhook"; fi
[[ $(node examples/demo/n8n.mjs exists "$id") == 404 ]] || fail "the workflow is still in n8n"
tell "n8n has no workflow $id any more."
proved "deleting the object deleted the workflow in n8n"

chapter "11. From a sentence to a workflow"
show "cat examples/demo/prompt.yaml"
show "kubectl apply -f examples/demo/prompt.yaml"
prompt() { kubectl get nwfp status -o jsonpath="{.status.$1}"; }
proposed() { [[ $(prompt stage) == WaitingForApproval ]]; }
until_true "a workflow is proposed" 90 proposed
show "kubectl get nwfp status"
tell "The plan, and what it does:"
shows "Webhook" "kubectl get nwfp status -o jsonpath='{range .status.plan[*]}{@}{\"\\n\"}{end}'"
shows "It is started by" "kubectl get nwfp status -o jsonpath='{.status.proposal.summary}{\"\\n\"}'"
[[ -z $(kubectl get nwf status --ignore-not-found -o name) ]] || fail "nothing may be deployed before the approval"
tell "Nothing is deployed before somebody approves it, by its digest:"
show "kubectl annotate nwfp status weirkeeper.dev/approved-digest=\$(kubectl get nwfp status -o jsonpath='{.status.proposal.digest}')"
show "kubectl wait --for=condition=Ready --timeout=90s nwfp/status"
show "kubectl get nwfp,nwf status"
webhook=$(kubectl get nwf status -o jsonpath='{.status.webhookURLs[0]}')
ask_webhook '"status":"ok"'
show "kubectl delete nwfp status --timeout=60s"
gone() { [[ -z $(kubectl get nwf status --ignore-not-found -o name) ]]; }
until_true "its Workflow is deleted" 60 gone
proved "a sentence became a workflow that answers its webhook"
