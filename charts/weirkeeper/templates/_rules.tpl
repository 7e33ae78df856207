{{- /* Permissions of the operator for the objects of its namespaces, with the reason above each rule. */ -}}
{{- define "weirkeeper.rules.objects" -}}
# Objects that users apply: read and watched. `patch` is used for finalizers, and to change the Workflows that WorkflowPrompts make; spec,
# labels and annotations of what users apply are never written.
- apiGroups: [weirkeeper.dev]
  resources: [workflows, n8ninstances, n8ncredentials]
  verbs: [get, list, watch, patch]
# Workflows that WorkflowPrompts make.
- apiGroups: [weirkeeper.dev]
  resources: [workflows]
  verbs: [create]
# Prompts: watched, and read before they are worked on.
- apiGroups: [weirkeeper.dev]
  resources: [workflowprompts]
  verbs: [get, list, watch]
# Sources of generated workflows: watched, and read before they are checked.
- apiGroups: [weirkeeper.dev]
  resources: [modelproviders]
  verbs: [get, list, watch]
# Templates of Workflows: watched, and read before a Workflow is made from one.
- apiGroups: [weirkeeper.dev]
  resources: [workflowtemplates]
  verbs: [get, list, watch]
# Rules for the definitions of a namespace: watched.
- apiGroups: [weirkeeper.dev]
  resources: [workflowpolicies]
  verbs: [list, watch]
# Its limits: watched, and read before an amount is reserved.
- apiGroups: [weirkeeper.dev]
  resources: [workflowquotas]
  verbs: [get, list, watch]
# Observed state; written only if it differs.
- apiGroups: [weirkeeper.dev]
  resources: [workflows/status, n8ninstances/status, n8ncredentials/status, workflowpolicies/status, workflowquotas/status, workflowprompts/status, modelproviders/status, workflowtemplates/status]
  verbs: [patch]
# Owner references of stored versions set blockOwnerDeletion, which requires this if the admission plugin
# OwnerReferencesPermissionEnforcement is enabled.
- apiGroups: [weirkeeper.dev]
  resources: [workflows/finalizers, workflowprompts/finalizers]
  verbs: [update]
# Stored contents of versions, proposals and answers of language models: written once, read when they are needed, deleted by the history
# limit. `patch` makes a prompt that uses the answer to another one's question an owner of it; `list` finds answers that are too old.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, patch, delete]
# API keys, probe headers and values of credentials: read one at a time by name; never listed or watched.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Definitions and catalogues of node types; only metadata is watched, to notice edits.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
# Events on transitions.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* Permissions of the operator for objects without a namespace. */ -}}
{{- define "weirkeeper.rules.cluster" -}}
{{- if .Values.scope.namespaces }}
# The UID of kube-system identifies the cluster.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
# Labels select the namespaces that may use an instance, and nothing is denied in a namespace that is being deleted; only metadata is
# watched.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: {{ .Values.scope.namespaces | uniq | sortAlpha | toJson }}
  verbs: [get, list, watch]
{{- else }}
# The UID of kube-system identifies the cluster. Labels select the namespaces that may use an instance, and nothing is denied in a namespace
# that is being deleted; only metadata is watched.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end }}
{{- if .Values.webhook.enabled }}
# The caBundle of the webhook's own configuration, so that the API server trusts a renewed certificate. No other configuration, and no
# other field, is written.
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations]
  resourceNames: [{{ include "weirkeeper.clusterName" . }}]
  verbs: {{ eq .Values.webhook.certificates.mode "cert-manager" | ternary "[get]" "[get, patch]" }}
{{- end }}
{{- end }}

{{- /* Permissions of the operator in the namespace of the release. */ -}}
{{- define "weirkeeper.rules.own" -}}
# The lease for leader election: created once, renewed every few seconds, taken over when it has expired.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
# The Secret with the key of the hashes by which changed values of credentials are noticed, and that with the webhook's certificate if the
# operator makes it (--webhook-certificates self-signed). Creation cannot be restricted by name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
# The key of the hashes: read when it is needed first.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [weirkeeper-hash-key]
  verbs: [get]
{{- if .Values.webhook.enabled }}
{{- if eq .Values.webhook.certificates.mode "self-signed" }}
# Renewal of the certificate in that Secret, and in no other one.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "weirkeeper.certificateSecret" . }}]
  verbs: [get, update]
{{- if .Values.scope.namespaces }}
# The certificate was damaged and written again.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- else }}
# The Secret with the webhook's certificate, which somebody else keeps.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "weirkeeper.certificateSecret" . }}]
  verbs: [get]
{{- end }}
{{- end }}
{{- end }}
