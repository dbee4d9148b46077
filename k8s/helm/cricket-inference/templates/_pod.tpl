{{/* Parts of the server's pod that would hide its outline in deployment.yaml. */}}
{{- define "cricket.serverEnv" -}}
{{- $s := .Values.server -}}
- {name: SEASON, value: {{ $s.season | quote }}}
- {name: QUEUE_SIZE, value: {{ $s.queueSize | quote }}}
- {name: DEADLINE_S, value: {{ $s.deadlineSeconds | quote }}}
- {name: LOG_LEVEL, value: {{ $s.logLevel | quote }}}
- {name: LOG_TEXTS, value: {{ $s.logTexts | quote }}}
- {name: FEEDBACK_DB, value: /state/feedback.sqlite}
{{- if $s.contextTokens }}
- {name: N_CTX, value: {{ $s.contextTokens | quote }}}
{{- end }}
{{- if $s.slots }}
- {name: N_SLOTS, value: {{ $s.slots | quote }}}
{{- end }}
{{- if .Values.gpu.enabled }}
- {name: N_GPU_LAYERS, value: {{ .Values.gpu.layers | quote }}}
- {name: GPU_REQUIRED, value: {{ .Values.gpu.required | quote }}}
{{- end }}
{{- if $s.rateLimitPerMinute }}
- {name: RATE_LIMIT_PER_MINUTE, value: {{ $s.rateLimitPerMinute | quote }}}
{{- end }}
- {name: MAX_TOKENS, value: {{ $s.maxTokens | int64 | quote }}}
{{- if $s.maxRunningPerKey }}
- {name: MAX_RUNNING_PER_KEY, value: {{ $s.maxRunningPerKey | quote }}}
{{- end }}
{{- if $s.deterministic }}
- {name: DETERMINISTIC, value: "true"}
{{- end }}
{{- if $s.allowedHosts }}
- {name: ALLOWED_HOSTS, value: {{ concat $s.allowedHosts (include "cricket.serviceNames" . | fromJsonArray) | uniq | join "," | quote }}}
{{- end }}
{{- with .Values.feedback.keySecret }}
- name: FEEDBACK_KEY
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $.Values.feedback.keySecretKey }}}
{{- end }}
{{- if $s.apiKeysSecret }}
- name: API_KEYS
  valueFrom:
    secretKeyRef: {name: {{ $s.apiKeysSecret }}, key: {{ $s.apiKeysSecretKey }}}
{{- end }}
{{- with $s.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
- {name: OTEL_SERVICE_NAME, value: {{ include "cricket.fullname" $ | quote }}}
{{- end }}
{{- with $s.openaiBaseUrl }}
- {name: OPENAI_BASE_URL, value: {{ . | quote }}}
{{- end }}
{{- with $s.openaiModel }}
- {name: OPENAI_MODEL, value: {{ . | quote }}}
{{- end }}
{{- if $s.openaiKeySecret }}
- name: OPENAI_API_KEY
  valueFrom:
    secretKeyRef: {name: {{ $s.openaiKeySecret }}, key: {{ $s.openaiKeySecretKey }}}
{{- end }}
{{- with $s.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Under which names pods of the cluster ask the Service: the chart's own test and canary do too. */}}
{{- define "cricket.serviceNames" -}}
{{- $name := include "cricket.fullname" . -}}
{{- $in := printf "%s.%s" $name (include "cricket.namespace" .) -}}
{{ list $name $in (printf "%s.svc" $in) (printf "%s.svc.cluster.local" $in) | toJson }}
{{- end -}}

{{/* Checks five seconds apart that fit into the time a start may take. */}}
{{- define "cricket.startupFailures" -}}
{{- $seconds := int .Values.probes.startupSeconds -}}
{{- if and .Values.model.repo (eq .Values.model.download "server") -}}
{{- $seconds = add $seconds .Values.probes.downloadSeconds | int -}}
{{- end -}}
{{ div (add $seconds 4) 5 }}
{{- end -}}

{{/* Resources with GPUs as a limit; Kubernetes takes the request from it. `name` is what the device plugin calls them. */}}
{{- define "cricket.resources" -}}
{{- $resources := deepCopy (.resources | default dict) -}}
{{- $requests := get $resources "requests" | default dict -}}
{{- if and .ephemeral (not (hasKey $requests "ephemeral-storage")) -}}
{{- $_ := set $resources "requests" (merge (dict "ephemeral-storage" .ephemeral) $requests) -}}
{{- end -}}
{{- if .gpus -}}
{{- $limits := merge (dict .name (int .gpus)) (get $resources "limits" | default dict) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{ toYaml $resources }}
{{- end -}}

{{/* Disk of the node that the container which downloads asks for; none where the models are on a claim. */}}
{{- define "cricket.ephemeral" -}}
{{- if not (or .Values.cache.persistent .Values.cache.existingClaim) }}{{ .Values.cache.ephemeralRequest }}{{ end -}}
{{- end -}}

{{- define "cricket.modelVolume" -}}
{{- if .Values.cache.existingClaim -}}
persistentVolumeClaim:
  claimName: {{ .Values.cache.existingClaim }}
{{- else if .Values.cache.persistent -}}
persistentVolumeClaim:
  claimName: {{ include "cricket.fullname" . }}-models
{{- else -}}
emptyDir:
  sizeLimit: {{ .Values.cache.size }}
{{- end -}}
{{- end -}}

{{/* One stage of the training Job. The image's code is read-only; runs and models are folders of the work volume. */}}
{{- define "cricket.trainStep" -}}
name: {{ .name }}
image: {{ include "cricket.trainImage" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: {{- toYaml .command | nindent 2 }}
env:
  - {name: SEASON, value: {{ .root.Values.server.season | quote }}}
  - {name: HF_HOME, value: /work/huggingface}
  # The root file system is read-only: everything that libraries write beside their results.
  - {name: HOME, value: /tmp}
  - {name: MPLCONFIGDIR, value: /tmp/matplotlib}
  - {name: XDG_CACHE_HOME, value: /work/cache}
  - {name: TRITON_CACHE_DIR, value: /work/cache/triton}
  - {name: TORCHINDUCTOR_CACHE_DIR, value: /work/cache/inductor}
  {{- include "cricket.tokenEnv" .root | nindent 2 }}
securityContext: {{- include "cricket.containerSecurity" .root | nindent 2 }}
resources: {{- include "cricket.resources" (dict "resources" .root.Values.train.resources "gpus" .gpus "name" .root.Values.gpu.resourceName) | nindent 2 }}
volumeMounts:
  - {name: work, mountPath: /app/runs, subPath: runs}
  - {name: work, mountPath: /app/models, subPath: models}
  - {name: work, mountPath: /work}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* One probe: an override as it stands, or the chart's own with a path. */}}
{{- define "cricket.probe" -}}
{{- if .override -}}
{{ toYaml .override }}
{{- else -}}
httpGet: {path: {{ .path }}, port: http}
periodSeconds: {{ .period }}
timeoutSeconds: {{ .timeout }}
failureThreshold: {{ .failures }}
{{- end -}}
{{- end -}}

{{/* Where the models are; `cache.subPath` is a folder of a claim that holds other things too. */}}
{{- define "cricket.modelMount" -}}
name: models
mountPath: /models
{{- with .Values.cache.subPath }}
subPath: {{ . }}
{{- end }}
{{- end -}}
