{{- define "weirkeeper.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Name of the objects of a release. It leaves room for suffixes. */ -}}
{{- define "weirkeeper.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "weirkeeper.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "weirkeeper.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /*
Name of objects without a namespace. A release for the whole cluster always uses the same one, so that a second such release fails at once: both
would write to the same objects.
*/ -}}
{{- define "weirkeeper.clusterName" -}}
{{- if or .Values.scope.namespaces .Values.scope.labels .Values.scope.allowOverlap }}
{{- printf "%s-%s" (include "weirkeeper.fullname" .) .Release.Namespace }}
{{- else }}
{{- print "weirkeeper" }}
{{- end }}
{{- end }}

{{- define "weirkeeper.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "weirkeeper.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "weirkeeper.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "weirkeeper.webhookName" -}}
{{- printf "%s-webhook" (include "weirkeeper.fullname" .) }}
{{- end }}

{{- define "weirkeeper.certificateSecret" -}}
{{- .Values.webhook.certificates.secretName | default (include "weirkeeper.webhookName" .) }}
{{- end }}

{{- /* Name of the Lease: operators that divide objects have one each, even in one namespace. */ -}}
{{- define "weirkeeper.leaseName" -}}
{{- include "weirkeeper.fullname" . }}
{{- end }}

{{- define "weirkeeper.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weirkeeper.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weirkeeper.labels" -}}
{{ include "weirkeeper.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: weirkeeper
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Annotations of an object: those of `.own`, over those of every object. */ -}}
{{- define "weirkeeper.annotations" -}}
{{- with merge (dict) (.own | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Metadata of an object: `name`, `namespace` (unless it has none), labels, annotations. */ -}}
{{- define "weirkeeper.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "weirkeeper.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "weirkeeper.annotations" (dict "root" .root "own" .annotations) }}
{{- end }}

{{- define "weirkeeper.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "weirkeeper.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* Subject of every binding of the operator. */ -}}
{{- define "weirkeeper.subjects" -}}
- kind: ServiceAccount
  name: {{ include "weirkeeper.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* Objects that a release manages: `cluster` (all), `namespaces` (those of the list) or `labels` (those with the labels). */ -}}
{{- define "weirkeeper.scope" -}}
{{- if .Values.scope.labels }}labels{{ else if .Values.scope.namespaces }}namespaces{{ else }}cluster{{ end }}
{{- end }}
