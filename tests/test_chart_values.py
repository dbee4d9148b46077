"""What users of the chart override, what is refused, and what the network lets through, as helm renders it.

pytest tests/test_chart_values.py
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
from serve.api.security import HostCheck
from serve.settings import Settings
from tests.test_chart import EVERYTHING, REQUIRED, env, manifests, only, pod, refusal

TRAIN = render.HERE / "tests" / "values" / "train.yaml"
# What AKS leaves to pods of the guide's GPU node, Standard_NC4as_T4_v3: CPUs in thousandths.
ALLOCATABLE_MILLIS = 3860


@pytest.fixture(scope="module", autouse=True)
def real_tools() -> None:
    """Fetch helm once."""
    try:
        tools.helm()
    except tools.ToolUnavailable as error:
        pytest.skip(str(error))


def millis(quantity: Any) -> int:
    """CPUs of a quantity in thousandths."""
    text = str(quantity)
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def test_a_gpu_is_required_unless_the_values_say_otherwise_and_the_chart_s_test_checks_the_offload() -> None:
    documents = manifests("gpu.enabled=true")
    assert env(pod(documents)["containers"][0])["GPU_REQUIRED"] == "true"
    script = only(documents, "Pod")["spec"]["containers"][0]["args"][0]
    compile(script, "the script of the test pod", "exec")
    assert "cricket_gpu_layers_offloaded" in script
    loose = manifests("gpu.enabled=true", "gpu.required=false")
    assert env(pod(loose)["containers"][0])["GPU_REQUIRED"] == "false"
    for documents in (
        loose,
        manifests(),
        manifests("gpu.enabled=true", "server.openaiBaseUrl=http://vllm.models:8000"),
    ):
        assert "cricket_gpu_layers" not in only(documents, "Pod")["spec"]["containers"][0]["args"][0]


def test_a_slice_of_a_gpu_is_asked_for_by_its_own_name() -> None:
    limits = pod(manifests("gpu.enabled=true", "gpu.resourceName=nvidia.com/mig-1g.10gb"))["containers"][0][
        "resources"
    ]["limits"]
    assert limits["nvidia.com/mig-1g.10gb"] == 1 and "nvidia.com/gpu" not in limits


def test_limits_of_tenants_are_set_where_the_values_differ_from_the_service_s_own() -> None:
    variables = env(pod(manifests())["containers"][0])
    assert variables["MAX_TOKENS"] == str(Settings.model_fields["max_tokens"].default)
    assert not {"MAX_RUNNING_PER_KEY", "DETERMINISTIC", "ALLOWED_HOSTS", "FEEDBACK_KEY"} & variables.keys()
    sets = ("server.maxTokens=0", "server.maxRunningPerKey=2", "server.deterministic=true")
    variables = env(pod(manifests(*sets))["containers"][0])
    named = {name: variables[name] for name in ("MAX_TOKENS", "MAX_RUNNING_PER_KEY", "DETERMINISTIC")}
    assert named == {"MAX_TOKENS": "0", "MAX_RUNNING_PER_KEY": "2", "DETERMINISTIC": "true"}


def test_hosts_that_are_named_do_not_shut_out_the_chart_s_own_test_and_canary() -> None:
    documents = manifests("server.allowedHosts={cricket.example.com,*.example.org}", "canary.enabled=true")
    admits = HostCheck(
        Settings(_env_file=None, allowed_hosts=env(pod(documents)["containers"][0])["ALLOWED_HOSTS"])
    ).admits
    inside = set(
        re.findall(r"http://([a-z0-9.-]+)", yaml.safe_dump_all(d for d in documents if d["kind"] in ("Pod", "CronJob")))
    )
    assert inside and all(map(admits, inside)), inside
    assert admits("cricket.example.com:443") and admits("a.example.org") and admits("10.1.2.3:8000")
    assert not admits("evil.example.com")


def notes(*sets: str) -> str:
    """What `helm install` prints for these values."""
    command = [
        str(tools.helm()),
        "install",
        "cricket",
        str(render.CHART),
        "--values",
        str(REQUIRED),
        "--dry-run=client",
    ]
    done = subprocess.run(
        [*command, *(part for value in sets for part in ("--set", value))],
        capture_output=True, text=True, check=True, env=os.environ | {"KUBECONFIG": os.devnull},
    )  # fmt: skip
    return done.stdout.partition("NOTES:")[2]


def test_the_key_of_feedback_comes_from_a_secret_that_all_pods_share() -> None:
    [variable] = [
        v for v in pod(manifests("feedback.keySecret=ids"))["containers"][0]["env"] if v["name"] == "FEEDBACK_KEY"
    ]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "ids", "key": "key"}
    assert "feedback.keySecret" in notes("replicaCount=2")
    assert "feedback.keySecret" not in notes("replicaCount=2", "feedback.keySecret=ids") + notes()


@pytest.mark.parametrize(
    "value", ["server.allowedHosts={http://a.example}", "server.maxTokens=-1", "server.deterministic=1"]
)
def test_a_limit_that_is_none_is_refused_by_name(value: str) -> None:
    assert value.split(".")[1].split("=")[0] in refusal(value)


def egress(*sets: str) -> list[dict[str, Any]]:
    return only(manifests(*sets), "NetworkPolicy")["spec"]["egress"]


def namespaces(rule: dict[str, Any]) -> list[str]:
    return [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["to"]
        if "namespaceSelector" in peer
    ]


def test_dns_is_reached_in_kube_system_and_on_the_node() -> None:
    dns = egress()[0]
    assert namespaces(dns) == ["kube-system"]
    assert {"ipBlock": {"cidr": "169.254.10.0/24"}} in dns["to"], "AKS LocalDNS"
    assert {port["port"] for port in dns["ports"]} == {53}


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        ("http://vllm.models.svc.cluster.local:8000/v1", "models"),
        ("http://vllm.models:8000/v1", "models"),
        ("http://vllm/v1", "default"),
    ],
)
def test_a_model_server_or_mirror_in_the_cluster_is_reached_by_its_namespace(url: str, namespace: str) -> None:
    for value in ("server.openaiBaseUrl", "hf.endpoint"):
        rules = [rule for rule in egress(f"{value}={url}") if "ports" not in rule]
        assert [namespaces(rule) for rule in rules] == [[namespace]], value


def test_a_server_outside_the_cluster_is_reached_on_its_port_and_never_the_metadata_address() -> None:
    def outside(*sets: str) -> list[tuple[int, str]]:
        return [
            (rule["ports"][0]["port"], rule["to"][0]["ipBlock"]["cidr"])
            for rule in egress(*sets)
            if "ipBlock" in rule["to"][0]
        ]

    assert outside() == [(443, "0.0.0.0/0")]
    assert outside("server.openaiBaseUrl=https://api.example.com/v1") == [(443, "0.0.0.0/0")], "the hub's rule has it"
    alone = ("model.repo=", "server.openaiBaseUrl=https://api.example.com/v1")
    assert outside(*alone) == [(443, "0.0.0.0/0")]
    assert "169.254.0.0/16" in egress(*alone)[-1]["to"][0]["ipBlock"]["except"]
    assert outside("server.openaiBaseUrl=http://10.1.2.3:8000/v1")[1] == (8000, "10.1.2.3/32")


def test_prometheus_may_scrape_where_callers_are_named() -> None:
    peers = only(manifests(values=(EVERYTHING,)), "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}} in peers
    assert "from" not in only(manifests(), "NetworkPolicy")["spec"]["ingress"][0]


def test_the_training_job_fits_the_guide_s_own_node_and_writes_only_where_it_may() -> None:
    spec = pod(manifests(values=(TRAIN,)), "Job")
    volumes = [m["mountPath"] for m in spec["initContainers"][0]["volumeMounts"]]
    for stage in [*spec["initContainers"], *spec["containers"]]:
        assert millis(stage["resources"]["requests"]["cpu"]) <= ALLOCATABLE_MILLIS - 500, "system pods have the rest"
        assert stage["resources"]["requests"]["ephemeral-storage"]
        variables = env(stage)
        for name in ("HF_HOME", "HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TRITON_CACHE_DIR"):
            assert any(variables[name].startswith(f"{mount}") for mount in volumes), name


def test_the_training_job_is_placed_as_the_server_is() -> None:
    values = (EVERYTHING, TRAIN)
    documents = manifests(values=values)
    server, job = pod(documents), pod(documents, "Job")
    for field in ("priorityClassName", "schedulerName", "affinity", "imagePullSecrets"):
        assert server[field] == job[field], field


def test_the_training_image_has_its_requirements_by_hash_and_the_package_that_qlora_needs() -> None:
    root = render.HERE.parent
    lock = (root / "requirements-train.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", lock, flags=re.M))
    for name in ("requirements.txt", "requirements-train.txt", "k8s/train-image.txt"):
        for package, version in re.findall(r"^([\w.-]+)==(\S+)", (root / name).read_text(), flags=re.M):
            assert locked[package.lower().replace("_", "-")] == version, f"{package} of {name}: run make lock"
    assert "bitsandbytes" in locked
    assert "--require-hashes --requirement requirements-train.lock" in (root / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (["cache.existingClaim=models", "replicaCount=2"], "cache.accessMode"),
        (["feedback.existingClaim=kept", "replicaCount=2"], "feedback.existingClaim"),
        (["feedback.existingClaim=kept", "autoscaling.enabled=true"], "feedback.existingClaim"),
        (["autoscaling.enabled=true", "autoscaling.minReplicas=0"], "autoscaling.minReplicas"),
        (
            ["autoscaling.enabled=true", "autoscaling.minReplicas=0", "autoscaling.metric=queue"],
            "autoscaling.extraTriggers",
        ),
        (
            ["monitoring.prometheusRule=true", "monitoring.apiGroup=azmonitoring.coreos.com"],
            "az-prom-rules-converter",
        ),
        (["gpu.resourceName=gpu"], "resourceName"),
        (["ingress.hosts[0].paths[0].path=/"], "host"),
        (["resources.limits.amd\\.com/gpu=1", "gpu.resourceName=amd.com/gpu"], "amd.com/gpu"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_values_that_cannot_work_are_refused_with_their_names(sets: list[str], named: str) -> None:
    for major in tools.HELM_MAJORS:
        assert named in refusal(*sets, major=major)


def test_an_existing_claim_holds_a_new_pod_back_unless_many_nodes_can_mount_it() -> None:
    def surge(*sets: str) -> int:
        return only(manifests(*sets), "Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]

    assert surge("cache.existingClaim=models") == 0
    assert surge("cache.existingClaim=models", "cache.accessMode=ReadWriteMany") == 1
    many = ("model.repo=", "model.path=demo", "cache.existingClaim=models", "cache.accessMode=ReadOnlyMany")
    assert surge(*many, "replicaCount=2") == 1


def test_the_container_that_downloads_asks_for_the_disk_that_the_model_needs() -> None:
    def asked(*sets: str) -> list[str | None]:
        spec = pod(manifests(*sets))
        containers = [*spec.get("initContainers", []), *spec["containers"]]
        return [c["resources"]["requests"].get("ephemeral-storage") for c in containers]

    assert asked() == ["2Gi", None]
    assert asked("model.download=server", "cache.ephemeralRequest=6Gi") == ["6Gi"]
    assert asked("cache.persistent=true") == [None, None], "the model is on the claim"


def test_lists_and_maps_that_are_taken_away_render_without_them() -> None:
    spec = pod(
        manifests("resources=null", "tolerations=null", "nodeSelector=null", "gpu.enabled=true", "gpu.tolerations=null")
    )
    assert "tolerations" not in spec
    assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 1}}
    assert "N_THREADS" not in env(spec["containers"][0])


def test_what_a_pod_may_be_given_besides_is_in_it() -> None:
    documents = manifests(values=(EVERYTHING,))
    template = only(documents, "Deployment")["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    spec, server = template["spec"], template["spec"]["containers"][0]
    assert [c["name"] for c in spec["containers"]] == ["server", "sidecar"]
    assert [c["name"] for c in spec["initContainers"]] == ["wait"]
    assert server["args"] == ["--prefix-cache-mb", "256"] and server["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert {"name": "vault", "mountPath": "/vault", "readOnly": True} in server["volumeMounts"]
    assert "vault" in [volume["name"] for volume in spec["volumes"]]
    assert next(m for m in server["volumeMounts"] if m["name"] == "models")["subPath"] == "cricket"
    assert server["readinessProbe"]["successThreshold"] == 2, "a probe can be replaced as a whole"
    assert server["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert spec["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
    assert only(documents, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert server["image"].startswith("registry.example.com/cricket-inference/cricket-inference:")
    made = only(documents, "Secret")
    assert made["metadata"]["name"] == "cricket-more" and made["stringData"] == {"MADE_BY": "cricket-inference"}
    assert all(d["metadata"]["labels"]["example.com/team"] == "stats" for d in documents if d is not made)


def test_an_init_container_of_the_user_runs_before_the_download() -> None:
    spec = pod(manifests("extraInitContainers[0].name=first", "extraInitContainers[0].image=busybox:1"))
    assert [c["name"] for c in spec["initContainers"]] == ["first", "download"]


def test_scheduled_jobs_are_valid_and_made_only_on_demand() -> None:
    assert "CronJob" not in {d["kind"] for d in manifests()}
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for job in (d for d in manifests(values=(EVERYTHING,)) if d["kind"] == "CronJob"):
        validate.validate(job, "1.36", strict=True)


def test_all_objects_go_to_the_namespace_that_is_given() -> None:
    documents = manifests("namespaceOverride=elsewhere", "monitoring.prometheusRule=true", "cache.persistent=true")
    assert {d["metadata"]["namespace"] for d in documents} == {"elsewhere"}
    assert 'namespace=\\"elsewhere\\"' in json.dumps(only(documents, "PrometheusRule"))


def test_several_hosts_and_paths_reach_the_service_and_share_the_certificate() -> None:
    ingress = only(manifests(values=(EVERYTHING,)), "Ingress")["spec"]
    assert [(r["host"], [p["path"] for p in r["http"]["paths"]]) for r in ingress["rules"]] == [
        ("cricket.example.com", ["/"]),
        ("api.example.com", ["/infer"]),
    ]
    assert ingress["tls"][0]["hosts"] == ["cricket.example.com", "api.example.com"]


def test_a_canary_gets_its_weight_by_the_route() -> None:
    rule = only(manifests(values=(EVERYTHING,)), "HTTPRoute")["spec"]["rules"][0]
    assert [(b["name"], b["weight"]) for b in rule["backendRefs"]] == [("cricket", 95), ("cricket-canary", 5)]
    assert rule["filters"] and rule["timeouts"] == {"request": "90s"}


def test_autoscalers_take_memory_and_other_triggers() -> None:
    metrics = only(manifests("autoscaling.enabled=true", "autoscaling.memoryPercent=80"), "HorizontalPodAutoscaler")[
        "spec"
    ]["metrics"]
    assert [m["resource"]["name"] for m in metrics] == ["cpu", "memory"]
    scaled = only(manifests(values=(EVERYTHING,)), "ScaledObject")["spec"]
    assert scaled["minReplicaCount"] == 0 and [t["type"] for t in scaled["triggers"]] == ["prometheus", "cron"]
    assert scaled["triggers"][0]["authenticationRef"] == {"name": "azure-managed-prometheus"}


def test_azure_s_managed_prometheus_has_its_own_api_group() -> None:
    monitor = only(
        manifests("monitoring.serviceMonitor=true", "monitoring.apiGroup=azmonitoring.coreos.com"), "ServiceMonitor"
    )
    assert monitor["apiVersion"] == "azmonitoring.coreos.com/v1"


@pytest.mark.parametrize("path", sorted((render.CHART / "ci").glob("*-values.yaml")), ids=lambda path: path.name)
def test_values_for_chart_testing_render(path: Path) -> None:
    assert only(manifests(values=(path,)), "Deployment")


def test_the_chart_says_whose_it_is_and_where_it_comes_from() -> None:
    chart = yaml.safe_load((render.CHART / "Chart.yaml").read_text())
    assert chart["icon"] and chart["sources"] and chart["maintainers"]
    assert "ARTIFACT" not in json.dumps(chart) and "artifacthub.io/changes" in chart["annotations"]
    assert list((render.CHART / "ci").glob("*-values.yaml")), "ct install needs values"
    assert REQUIRED.is_file()
