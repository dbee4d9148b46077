{{/* Names and labels: every object takes them from here. */}}
{{- define "cricket.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cricket.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "cricket" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cricket.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cricket.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "cricket.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cricket.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Pods that serve, as opposed to those that train or test. */}}
{{- define "cricket.serverLabels" -}}
{{ include "cricket.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "cricket.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "cricket.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cricket.serviceAccount" -}}
{{- .Values.serviceAccount.existing | default (include "cricket.fullname" .) -}}
{{- end -}}

{{/* Repository with `global.imageRegistry` in place of the registry's host, where that is set. */}}
{{- define "cricket.repository" -}}
{{- $registry := dig "imageRegistry" "" (.Values.global | default dict) -}}
{{- if $registry -}}
{{- $parts := splitList "/" .Values.image.repository -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) }}{{ $parts = rest $parts }}{{ end -}}
{{ $registry }}/{{ join "/" $parts }}
{{- else -}}
{{ .Values.image.repository }}
{{- end -}}
{{- end -}}

{{- define "cricket.image" -}}
{{- if .Values.image.digest -}}
{{ include "cricket.repository" . }}@{{ .Values.image.digest }}
{{- else -}}
{{ include "cricket.repository" . }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ if .Values.gpu.enabled }}{{ .Values.gpu.imageTagSuffix }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "cricket.trainImage" -}}
{{- .Values.train.image | default (printf "%s:%s-train" (include "cricket.repository" .) (.Values.image.tag | default .Chart.AppVersion)) -}}
{{- end -}}

{{/* Where a pod's Hugging Face token comes from: an env entry, or nothing for public repositories. */}}
{{- define "cricket.tokenEnv" -}}
{{- if or .Values.hf.existingSecret .Values.hf.token }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .Values.hf.existingSecret | default (printf "%s-hf" (include "cricket.fullname" .)) }}
      key: {{ if .Values.hf.existingSecret }}{{ .Values.hf.existingSecretKey }}{{ else }}token{{ end }}
{{- end }}
{{- with .Values.hf.endpoint }}
- name: HF_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Which model: the same for the download and for the server, so that the server finds what was downloaded. */}}
{{- define "cricket.modelEnv" -}}
- name: HF_HOME
  value: /models/.cache/huggingface
{{- if .Values.model.repo }}
- name: MODEL_REPO
  value: {{ .Values.model.repo | quote }}
- name: MODEL_REVISION
  value: {{ .Values.model.revision | quote }}
{{- with .Values.model.file }}
- name: MODEL_FILE
  value: {{ . | quote }}
{{- end }}
{{- else if .Values.model.path }}
- name: MODEL_PATH
  value: {{ printf "/models/%s" .Values.model.path | quote }}
{{- end }}
{{- include "cricket.tokenEnv" . }}
{{- end -}}

{{- define "cricket.threadEnv" -}}
{{- $limit := dig "limits" "cpu" "" (.root.Values.resources | default dict) -}}
{{- if .threads -}}
- name: {{ .name }}
  value: {{ .threads | quote }}
{{- else if $limit -}}
- name: {{ .name }}
  valueFrom:
    resourceFieldRef:
      containerName: server
      resource: limits.cpu
{{- end }}
{{- end -}}

{{- define "cricket.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "cricket.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Grace period: preStop, then the longest answer, then ten seconds to close. */}}
{{- define "cricket.gracePeriod" -}}
{{- if .Values.shutdown.gracePeriodSeconds -}}
{{ int .Values.shutdown.gracePeriodSeconds }}
{{- else -}}
{{ add .Values.shutdown.preStopSeconds .Values.server.deadlineSeconds 10 }}
{{- end -}}
{{- end -}}

{{- define "cricket.manyPods" -}}
{{- if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.maxReplicas) 1 -}}true{{- end -}}
{{- else if gt (int .Values.replicaCount) 1 -}}true{{- end -}}
{{- end -}}

{{/* Names of the values whose claim is a volume that pods of one node alone can mount; empty where there is none. */}}
{{- define "cricket.oneNodeClaims" -}}
{{- $claims := list -}}
{{- if and (or .Values.cache.persistent .Values.cache.existingClaim) (ne .Values.cache.accessMode "ReadWriteMany") (ne .Values.cache.accessMode "ReadOnlyMany") -}}
{{- $claims = append $claims "cache" -}}
{{- end -}}
{{- if .Values.feedback.existingClaim }}{{ $claims = append $claims "feedback.existingClaim" }}{{ end -}}
{{- join " and " $claims -}}
{{- end -}}

{{/* How a pod is placed, on which the server, the training Job and the test agree: `root`, `gpu` (whether it has one). */}}
{{- define "cricket.tolerations" -}}
{{- $all := concat (ternary (.root.Values.gpu.tolerations | default list) list .gpu) (.root.Values.tolerations | default list) -}}
{{- with $all }}{{ toYaml . }}{{- end -}}
{{- end -}}

{{- define "cricket.nodeSelector" -}}
{{- $all := merge (dict) (.root.Values.nodeSelector | default dict) (ternary (.root.Values.gpu.nodeSelector | default dict) dict .gpu) -}}
{{- with $all }}{{ toYaml . }}{{- end -}}
{{- end -}}

{{- define "cricket.placement" -}}
{{- $v := .root.Values -}}
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $v.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if and .gpu $v.gpu.runtimeClassName }}
runtimeClassName: {{ $v.gpu.runtimeClassName }}
{{- end }}
{{- with include "cricket.nodeSelector" . }}
nodeSelector: {{- . | nindent 2 }}
{{- end }}
{{- with include "cricket.tolerations" . }}
tolerations: {{- . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
