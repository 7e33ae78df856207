{{/* Milliseconds of a duration such as 1m30s. */}}
{{- define "weirkeeper.milliseconds" -}}
{{- $sum := 0 }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | int64) (get $units (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Refuses values that the schema accepts and with which pods would not start, or nodes could not be drained. */}}
{{- define "weirkeeper.check" -}}
{{- $values := .Values }}
{{- $certificates := $values.webhook.certificates }}
{{- /* The bounds of the operator's flags: tests/cli/operator.rs compares them. */}}
{{- $bounds := list
  (list "operator.fullInterval" "--full-interval" $values.operator.fullInterval "10s" "24h")
  (list "operator.deletionBound" "--deletion-bound" $values.operator.deletionBound "1s" "168h")
  (list "operator.reconcileTimeout" "--reconcile-timeout" $values.operator.reconcileTimeout "10s" "1h")
  (list "operator.livenessBound" "--liveness-bound" $values.operator.livenessBound "10s" "24h")
  (list "leaderElection.leaseDuration" "--lease-duration" $values.leaderElection.leaseDuration "5s" "10m")
  (list "webhook.certificates.lifetime" "--webhook-certificate-lifetime" $certificates.lifetime "10s" "87600h") }}
{{- range $bounds }}
{{- $found := include "weirkeeper.milliseconds" (index . 2) | int64 }}
{{- if or (lt $found (include "weirkeeper.milliseconds" (index . 3) | int64)) (gt $found (include "weirkeeper.milliseconds" (index . 4) | int64)) }}
{{- fail (printf "%s: %s is not from %s to %s, so that the operator would not start" (index . 0) (index . 2) (index . 3) (index . 4)) }}
{{- end }}
{{- end }}
{{- if and $values.webhook.enabled (eq (int $values.webhook.port) (int $values.metrics.port)) }}
{{- fail (printf "webhook.port and metrics.port are both %d, so that the operator would not start; choose different ports" (int $values.webhook.port)) }}
{{- end }}
{{- $renewals := $certificates.certManager }}
{{- if le (include "weirkeeper.milliseconds" $renewals.duration | int64) (include "weirkeeper.milliseconds" $renewals.renewBefore | int64) }}
{{- fail (printf "webhook.certificates.certManager.renewBefore: %s is not shorter than the duration %s, so that cert-manager would refuse the Certificate" $renewals.renewBefore $renewals.duration) }}
{{- end }}
{{- $least := $values.podDisruptionBudget.minAvailable | toString }}
{{- if and $values.podDisruptionBudget.enabled (gt (int $values.replicas) 1) }}
{{- $share := trimSuffix "%" $least | int }}
{{- /* Kubernetes rounds up. */}}
{{- $needed := hasSuffix "%" $least | ternary (div (add (mul $share $values.replicas) 99) 100) $share }}
{{- if ge (int $needed) (int $values.replicas) }}
{{- fail (printf "podDisruptionBudget.minAvailable: %s of %d replicas leaves none that may be evicted, so that no node with one could be drained; set at most %d" $least (int $values.replicas) (sub (int $values.replicas) 1)) }}
{{- end }}
{{- end }}
{{- $grace := add 25 $values.preStopSeconds }}
{{- if lt (int $values.terminationGracePeriodSeconds) (int $grace) }}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short: running reconciliations have 20 s, after preStopSeconds; set at least %d" (int $values.terminationGracePeriodSeconds) $grace) }}
{{- end }}
{{- end }}
