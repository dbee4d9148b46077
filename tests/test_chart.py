"""The helm chart, checked by the real helm 3 and 4, Kubernetes' own schemas and a simulated API server.

pytest tests/test_chart.py
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s import render, tools
from tests.support.kube_api import KubeApi

REQUIRED = render.HERE / "tests" / "values" / "required.yaml"
EVERYTHING = render.HERE / "tests" / "values" / "everything.yaml"
CASES = render.cases()
CASE_NAMES = [case.name for case in CASES]
CUSTOM_KINDS = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}

Manifest = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def real_tools() -> None:
    """Fetch helm and kubectl once; without them nothing here can be shown."""
    try:
        for major in tools.HELM_MAJORS:
            tools.helm(major)
    except tools.ToolUnavailable as error:
        pytest.skip(str(error))


def manifests(*sets: str, values: tuple[Path, ...] = (REQUIRED,), **options: str) -> list[Manifest]:
    """Parsed render with these `--set` values."""
    return [d for d in yaml.safe_load_all(render.render(values, sets, **options)) if d]


def only(documents: list[Manifest], kind: str) -> Manifest:
    """The one object of that kind."""
    found = [d for d in documents if d["kind"] == kind]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} among {[d['kind'] for d in documents]}"
    return found[0]


def pod(documents: list[Manifest], kind: str = "Deployment") -> Manifest:
    """Pod spec of the one Deployment or Job."""
    return only(documents, kind)["spec"]["template"]["spec"]


def env(container: Manifest) -> dict[str, Any]:
    """Environment by name: the value, or where it comes from."""
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container["env"]}


def refusal(*sets: str, values: tuple[Path, ...] = (REQUIRED,), major: str = "4") -> str:
    """Helm's message for values that must not render."""
    with pytest.raises(subprocess.CalledProcessError) as error:
        render.render(values, sets, helm_major=major)
    return error.value.stderr


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
@pytest.mark.parametrize("major", tools.HELM_MAJORS)
def test_helm_lints_every_preset_strictly(case: render.Case, major: str) -> None:
    values = [part for path in case.values for part in ("--values", str(path))]
    done = subprocess.run(
        [tools.helm(major), "lint", "--strict", render.CHART, *values], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_both_majors_of_helm_render_the_golden_manifests(case: render.Case) -> None:
    golden = (render.GOLDEN / f"{case.name}.yaml").read_text()
    for major in tools.HELM_MAJORS:
        rendered = render.normalised(render.render(case.values, helm_major=major))
        assert rendered == golden, (
            f"helm {major} renders {case.name} differently: run `python -m k8s.render`, review the diff"
        )


def test_no_golden_file_is_left_over() -> None:
    assert {p.stem for p in render.GOLDEN.glob("*.yaml")} == set(CASE_NAMES)


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
@pytest.mark.parametrize("version", ["1.33", "1.34", "1.37"])
def test_what_renders_is_valid_by_kubernetes_own_schemas(case: render.Case, version: str) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed: make test installs it"
    )
    for document in manifests(values=case.values, kube_version=f"{version}.0"):
        if document["kind"] not in CUSTOM_KINDS:
            validate.validate(document, version, strict=True)


def test_the_schema_check_notices_a_misspelt_field() -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed: make test installs it"
    )
    deployment = only(manifests(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(deployment, "1.37", strict=True)


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (["replicaCount=-1"], "replicaCount"),
        (["replicas=3"], "replicas"),
        (["gpu.enable=true"], "enable"),
        (["gpu.enabled=true", "gpu.count=0"], "gpu/count|gpu.count"),
        (["gpu.enabled=true", "gpu.count=null"], "gpu.count"),
        (["model.repo="], "model.repo"),
        (["model.repo=not a repository"], "model/repo|model.repo"),
        (["model.path=default"], "model.repo and model.path"),
        (["model.repo=", "model.path=default"], "cache.existingClaim"),
        (["hf.token=abc"], "hf.existingSecret and hf.token"),
        (["image.pullPolicy=Sometimes"], "pullPolicy"),
        (["image.digest=sha256:12"], "digest"),
        (["server.deadlineSeconds=0"], "deadlineSeconds"),
        (["server.contextTokens=100"], "contextTokens"),
        (["server.deadlineSeconds=60", "shutdown.gracePeriodSeconds=30"], "shutdown.gracePeriodSeconds"),
        (["service.port=70000"], "port"),
        (["autoscaling.enabled=true", "autoscaling.minReplicas=9"], "autoscaling.minReplicas"),
        (["autoscaling.enabled=true", "autoscaling.metric=memory"], "metric"),
        (["autoscaling.enabled=true", "gpu.enabled=true"], "autoscaling.metric"),
        (["autoscaling.enabled=true", "resources.requests.cpu=null"], "resources.requests.cpu"),
        (["resources.limits.cpu=two"], "resources/limits|resources.limits"),
        (["resources.limits.nvidia\\.com/gpu=1"], "nvidia.com/gpu"),
        (["httpRoute.enabled=true"], "httpRoute.parentRefs"),
        (["cache.persistent=true", "replicaCount=2"], "cache.accessMode"),
        (["train.enabled=true"], "train.repo"),
        (["train.enabled=true", "train.repo=o/n", "hf.existingSecret="], "hf.existingSecret"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_a_bad_value_is_refused_with_its_name(sets: list[str], named: str) -> None:
    for major in tools.HELM_MAJORS:
        message = refusal(*sets, major=major)
        assert re.search(named, message), f"helm {major}: {message}"


def test_without_gpu_no_field_of_a_gpu_renders() -> None:
    for case in CASES:
        if "gpu" not in case.name:
            server = json.dumps([d for d in manifests(values=case.values) if d["kind"] != "Job"])
            for trace in ("nvidia", "N_GPU_LAYERS", "-cuda", "sku", "runtimeClassName"):
                assert trace not in server, f"{case.name} renders {trace}"


def test_gpu_enabled_alone_sets_image_limit_selector_tolerations_and_layers() -> None:
    spec = pod(manifests("gpu.enabled=true", "gpu.count=2"))
    server = spec["containers"][0]
    assert server["image"].endswith("-cuda")
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert "nvidia.com/gpu" not in server["resources"]["requests"]
    assert spec["nodeSelector"] == {"kubernetes.azure.com/accelerator": "nvidia"}
    assert {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"} in spec["tolerations"]
    assert env(server)["N_GPU_LAYERS"] == "-1"
    assert "runtimeClassName" not in spec, "a class named nvidia does not exist on a stock AKS"
    assert "nvidia.com/gpu" not in json.dumps(spec["initContainers"]), "the download must not hold a GPU"


def test_the_gpu_selector_can_be_taken_away_and_a_runtime_class_given() -> None:
    spec = pod(manifests("gpu.enabled=true", "gpu.nodeSelector=null", "gpu.runtimeClassName=nvidia"))
    assert "nodeSelector" not in spec
    assert spec["runtimeClassName"] == "nvidia"


def test_an_existing_secret_is_referenced_and_never_made() -> None:
    documents = manifests()
    reference = {"secretKeyRef": {"name": "hf-token", "key": "token"}}
    assert not [d for d in documents if d["kind"] == "Secret"]
    assert env(pod(documents)["initContainers"][0])["HF_TOKEN"] == reference
    assert env(pod(documents)["containers"][0])["HF_TOKEN"] == reference


def test_a_token_given_as_value_is_found_in_the_secret_only() -> None:
    documents = manifests("hf.token=hf_SeCrEt", "hf.existingSecret=")
    secret = only(documents, "Secret")
    rest = json.dumps([d for d in documents if d is not secret])
    assert secret["data"] == {"token": "aGZfU2VDckV0"}
    assert "hf_SeCrEt" not in rest and "aGZfU2VDckV0" not in rest
    reference = {"secretKeyRef": {"name": secret["metadata"]["name"], "key": "token"}}
    assert env(pod(documents)["containers"][0])["HF_TOKEN"] == reference


def test_a_public_repository_needs_no_token() -> None:
    assert "HF_TOKEN" not in json.dumps(manifests("hf.existingSecret="))


def test_the_revision_reaches_download_and_server_alike() -> None:
    spec = pod(manifests("model.file=model-q8_0.gguf"))
    names = ("MODEL_REPO", "MODEL_REVISION", "MODEL_FILE", "HF_HOME")
    download, server = env(spec["initContainers"][0]), env(spec["containers"][0])
    assert [download[n] for n in names] == [server[n] for n in names]
    assert re.fullmatch("[0-9a-f]{40}", server["MODEL_REVISION"])


def test_a_download_by_the_server_has_no_init_container_and_a_longer_start() -> None:
    def start_seconds(spec: Manifest) -> int:
        probe = spec["containers"][0]["startupProbe"]
        return probe["periodSeconds"] * probe["failureThreshold"]

    in_process = pod(manifests("model.download=server"))
    assert "initContainers" not in in_process
    assert start_seconds(pod(manifests())) == 120
    assert start_seconds(in_process) == 120 + 900


def test_a_model_on_a_volume_is_mounted_read_only() -> None:
    spec = pod(manifests("model.repo=", "model.path=default", "cache.existingClaim=models"))
    mounts = {m["mountPath"]: m for m in spec["containers"][0]["volumeMounts"]}
    assert mounts["/models"]["readOnly"] is True
    assert env(spec["containers"][0])["MODEL_PATH"] == "/models/default"
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models"}} in spec["volumes"]


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_every_container_is_locked_down(case: render.Case) -> None:
    for document in manifests(values=case.values):
        spec = (
            document["spec"]["template"]["spec"] if document["kind"] in ("Deployment", "Job") else document.get("spec")
        )
        if document["kind"] not in ("Deployment", "Job", "Pod"):
            continue
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{document['kind']} {container['name']}"
            assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]


def test_threads_follow_the_cpu_limit_unless_they_are_given() -> None:
    of_limit = {"resourceFieldRef": {"containerName": "server", "resource": "limits.cpu"}}
    assert env(pod(manifests())["containers"][0])["N_THREADS"] == of_limit
    assert env(pod(manifests("server.threads=3"))["containers"][0])["N_THREADS"] == "3"
    assert "N_THREADS" not in env(pod(manifests("resources.limits.cpu=null"))["containers"][0])


def test_the_grace_period_outlasts_the_longest_answer() -> None:
    assert pod(manifests("server.deadlineSeconds=90"))["terminationGracePeriodSeconds"] == 5 + 90 + 10
    assert pod(manifests("shutdown.gracePeriodSeconds=300"))["terminationGracePeriodSeconds"] == 300


@pytest.mark.parametrize(
    ("sets", "surge"),
    [
        ((), 1),
        (("cache.persistent=true",), 0),
        (("cache.persistent=true", "cache.accessMode=ReadWriteMany"), 1),
        (("cache.persistent=true", "cache.accessMode=ReadWriteMany", "replicaCount=2"), 1),
        (("feedback.existingClaim=kept",), 0),
        (("gpu.enabled=true",), 0),
    ],
)
def test_the_old_pod_goes_first_where_the_new_one_could_not_have_what_it_holds(sets: tuple[str, ...], surge: int):
    strategy = only(manifests(*sets), "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": surge, "maxUnavailable": 1 - surge}


def test_replicas_are_left_to_the_autoscaler() -> None:
    assert only(manifests("replicaCount=3"), "Deployment")["spec"]["replicas"] == 3
    on_cpu = manifests("autoscaling.enabled=true")
    assert "replicas" not in only(on_cpu, "Deployment")["spec"]
    assert only(on_cpu, "HorizontalPodAutoscaler")["spec"]["maxReplicas"] == 4
    on_queue = manifests("autoscaling.enabled=true", "autoscaling.metric=queue", "gpu.enabled=true")
    trigger = only(on_queue, "ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert 'llamacpp:requests_deferred{job="cricket",namespace="default"}' in trigger["query"]


def test_a_disruption_budget_is_made_only_where_a_pod_can_be_spared() -> None:
    assert "PodDisruptionBudget" not in [d["kind"] for d in manifests()]
    assert only(manifests("replicaCount=2"), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_pods_reach_only_dns_the_hub_and_the_collector() -> None:
    def ports(*sets: str) -> list[list[int]]:
        egress = only(manifests(*sets), "NetworkPolicy")["spec"]["egress"]
        return [[port["port"] for port in rule["ports"]] for rule in egress]

    assert ports() == [[53, 53], [8000], [443]]
    assert ports("server.otlpEndpoint=http://collector.monitoring:4318") == [
        [53, 53],
        [8000],
        [443],
        [4317, 4318],
    ]
    assert ports("model.repo=", "model.path=x", "cache.existingClaim=c") == [[53, 53], [8000]]
    hub = only(manifests(), "NetworkPolicy")["spec"]["egress"][2]["to"][0]["ipBlock"]
    assert "169.254.0.0/16" in hub["except"], "the cloud's metadata address hands out credentials"


def test_services_select_the_server_and_not_the_training_pod() -> None:
    documents = manifests(values=(render.HERE / "tests" / "values" / "train.yaml",))
    selector = only(documents, "Service")["spec"]["selector"].items()
    assert selector <= only(documents, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert not selector <= only(documents, "Job")["spec"]["template"]["metadata"]["labels"].items()


def test_the_training_job_runs_the_three_stages_in_order_and_only_training_holds_the_gpu() -> None:
    spec = pod(manifests(values=(render.HERE / "tests" / "values" / "train.yaml",)), "Job")
    stages = [*spec["initContainers"], *spec["containers"]]
    assert [s["command"][:3] for s in stages] == [
        ["python", "-m", "train"],
        ["python", "-m", "convert"],
        ["python", "-m", "convert"],
    ]
    assert stages[2]["command"][3] == "push"
    assert [s["resources"]["limits"].get("nvidia.com/gpu") for s in stages] == [1, None, None]
    assert spec["nodeSelector"] == {"kubernetes.azure.com/accelerator": "nvidia"}


def test_the_training_job_is_replaced_only_when_its_values_change() -> None:
    def name(*sets: str) -> str:
        return only(manifests(*sets, values=(render.HERE / "tests" / "values" / "train.yaml",)), "Job")["metadata"][
            "name"
        ]

    assert name() == name("replicaCount=3")
    assert name() != name("train.version=v3")
    assert len(name("fullnameOverride=" + "a" * 60)) <= 63


def test_every_value_is_documented_and_known_to_the_schema() -> None:
    defaults = yaml.safe_load((render.CHART / "values.yaml").read_text())
    schema = json.loads((render.CHART / "values.schema.json").read_text())
    documented = {value.key for value in render.documented_values()}
    for section, value in defaults.items():
        known = schema["properties"][section]
        if "properties" in known:
            assert known["additionalProperties"] is False
            assert set(value) == set(known["properties"]), f"values.yaml and the schema differ in {section}"
            assert {f"{section}.{key}" for key in value} <= documented, f"undocumented values in {section}"
        else:
            assert section in documented, f"{section} has no '# --' line in values.yaml"


def test_the_settings_the_chart_passes_are_settings_of_the_service() -> None:
    settings = pytest.importorskip("serve.settings", reason="serve/settings.py is not there yet")
    known = {name.upper() for name in settings.Settings.model_fields}
    # Read by huggingface_hub, OpenTelemetry and the test pod themselves.
    theirs = {
        "HF_ENDPOINT",
        "HF_HOME",
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    }
    everything = env(pod(manifests(values=(EVERYTHING,)))["containers"][0])
    on_gpu = env(
        pod(
            manifests(
                "gpu.enabled=true", "server.openaiBaseUrl=http://x", "server.openaiModel=m", "server.openaiKeySecret=k"
            )
        )["containers"][0]
    )
    assert set(everything) | set(on_gpu) <= known | theirs


def dashboard_and_rules() -> tuple[Manifest, Manifest]:
    """Dashboard and rules as rendered."""
    documents = manifests(values=(EVERYTHING,))
    return json.loads(only(documents, "ConfigMap")["data"]["cricket-inference.json"]), only(documents, "PrometheusRule")


METRICS = {
    "gen_ai_server_request_duration_seconds",
    "gen_ai_server_time_to_first_token_seconds",
    "gen_ai_server_time_per_output_token_seconds",
    "http_server_request_duration_seconds",
    "llamacpp:requests_processing",
    "llamacpp:requests_deferred",
    "llamacpp:prompt_tokens_total",
    "llamacpp:tokens_predicted_total",
    "cricket_answers_total",
    "cricket_feedback_total",
    "cricket_gpu_layers_offloaded",
    "cricket_gpu_layers_wanted",
    "up",
}


def test_dashboard_and_alerts_use_metrics_of_the_service_only() -> None:
    dashboard, rules = dashboard_and_rules()
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    expressions += [rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert len(expressions) > 20
    for expression in expressions:
        for name in re.findall(r"([a-z][a-z_:]*)\{", expression):
            assert re.sub("_(bucket|count|sum)$", "", name) in METRICS, f"{name} in {expression}"


def test_alerts_watch_the_release_and_not_the_file_s_own_job() -> None:
    rules = dashboard_and_rules()[1]
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            assert 'job="cricket",namespace="default"' in rule["expr"]
            assert 'cricket-inference"' not in rule["expr"]
            assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("warning", "critical")


def test_alert_annotations_keep_prometheus_own_templates() -> None:
    rules = dashboard_and_rules()[1]
    assert "{{ $value" in json.dumps(rules)


class Helm:
    """The real helm and kubectl on a simulated API."""

    def __init__(self, api: KubeApi, folder: Path, major: str) -> None:
        self.environment = os.environ | api.environment(folder)
        self.major = major

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run(tools.helm(self.major), arguments, check)

    def kubectl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run(tools.kubectl(self.major), arguments, check)

    def _run(self, tool: Path, arguments: tuple[str, ...], check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([tool, *arguments], env=self.environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{tool.name} {' '.join(arguments)}: {done.stderr}"
        return done


@pytest.mark.parametrize("major", tools.HELM_MAJORS)
def test_a_release_installs_upgrades_rolls_back_and_goes_away(tmp_path: Path, major: str) -> None:
    chart, values = str(render.CHART), ["--values", str(REQUIRED)]
    with KubeApi() as api:
        helm = Helm(api, tmp_path, major)
        notes = helm("install", "cricket", chart, *values).stdout
        assert "helm test cricket" in notes
        assert api.store.kinds() == {
            "NetworkPolicy": ["cricket"],
            "ServiceAccount": ["cricket"],
            "Service": ["cricket"],
            "Deployment": ["cricket"],
        }
        helm("upgrade", "cricket", chart, *values, "--set", "gpu.enabled=true", "--set", "replicaCount=2")
        image = api.store.get("Deployment", "cricket")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image.endswith("-cuda") and "PodDisruptionBudget" in api.store.kinds()
        helm("rollback", "cricket", "1")
        deployment = api.store.get("Deployment", "cricket")
        assert deployment["spec"]["replicas"] == 1 and "nvidia" not in json.dumps(deployment["spec"])
        assert "PodDisruptionBudget" not in api.store.kinds()
        history = json.loads(helm("history", "cricket", "--output", "json").stdout)
        assert [entry["status"] for entry in history] == ["superseded", "superseded", "deployed"]
        helm("uninstall", "cricket")
        assert api.store.kinds() == {}


@pytest.mark.parametrize("major", tools.HELM_MAJORS)
def test_helm_test_asks_the_service_a_question(tmp_path: Path, major: str) -> None:
    with KubeApi() as api:
        helm = Helm(api, tmp_path, major)
        helm("install", "cricket", str(render.CHART), "--values", str(REQUIRED), "--set", "server.apiKeysSecret=keys")
        done = helm("test", "cricket", "--logs", "--timeout", "30s")
        asking = api.store.get("Pod", "cricket-ask")["spec"]["containers"][0]
    assert re.search(r"Phase:\s+Succeeded", done.stdout)
    compile(asking["args"][0], "the script of the test pod", "exec")
    assert env(asking)["SERVICE_URL"] == "http://cricket:80"
    assert env(asking)["API_KEYS"] == {"secretKeyRef": {"name": "keys", "key": "keys"}}


@pytest.mark.parametrize("major", tools.HELM_MAJORS)
def test_a_bad_upgrade_leaves_the_running_release_alone(tmp_path: Path, major: str) -> None:
    with KubeApi() as api:
        helm = Helm(api, tmp_path, major)
        helm("install", "cricket", str(render.CHART), "--values", str(REQUIRED))
        before = len(api.store.changes)
        done = helm(
            "upgrade",
            "cricket",
            str(render.CHART),
            "--values",
            str(REQUIRED),
            "--set",
            "replicaCount=-1",
            check=False,
        )
        assert done.returncode != 0 and "replicaCount" in done.stderr
        assert len(api.store.changes) == before


def test_notes_warn_of_a_token_in_the_values_and_of_a_moving_revision(tmp_path: Path) -> None:
    with KubeApi() as api:
        helm = Helm(api, tmp_path, "4")
        loose = helm("install", "loose", str(render.CHART), "--set", "model.repo=o/n,hf.token=hf_SeCrEt").stdout
        strict = helm("install", "strict", str(render.CHART), "--values", str(REQUIRED)).stdout
        on_gpu = helm(
            "install", "gpu", str(render.CHART), "--values", str(REQUIRED), "--set", "gpu.enabled=true"
        ).stdout
    assert "WARNING: hf.token" in loose and 'model.revision is "main"' in loose and "hf_SeCrEt" not in loose
    assert "WARNING" not in strict
    assert "nvidia-device-plugin" in on_gpu and "nvidia-device-plugin" not in strict


def test_kubectl_applies_the_golden_manifests_server_side(tmp_path: Path) -> None:
    with KubeApi() as api:
        helm = Helm(api, tmp_path, "4")
        for name in CASE_NAMES:
            helm.kubectl("apply", "--server-side", "--filename", str(render.GOLDEN / f"{name}.yaml"))
        assert (
            api.store.get("Deployment", "cricket")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
        )
        assert {"ScaledObject", "HTTPRoute", "Ingress", "Job"} <= set(api.store.kinds())


def test_the_chart_packages(tmp_path: Path) -> None:
    subprocess.run([tools.helm(), "package", render.CHART, "--destination", tmp_path], check=True, capture_output=True)
    package = next(tmp_path.glob("cricket-inference-*.tgz"))
    listed = subprocess.run(["tar", "tzf", package], capture_output=True, text=True, check=True).stdout
    assert {"values.schema.json", "files/alerts.yaml", "files/dashboard.json", "values-aks-gpu.yaml"} <= {
        line.removeprefix("cricket-inference/") for line in listed.splitlines()
    }
