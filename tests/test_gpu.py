"""A GPU that is asked for is used, or the service says why not: libraries, readiness, metrics, the CUDA image's stages.

No GPU is needed: libraries that lack something are compiled here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from serve import check_libraries
from serve.engine import bindings, native_libraries
from serve.process import StartError
from tests.conftest import Launch

ROOT = Path(__file__).parent.parent


def compiled(folder: Path, name: str, needs: str | None = None) -> Path:
    """A shared library, linked to another one that is then taken away."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler")
    source, library = folder / "source.c", folder / name
    source.write_text(f"int {re.sub(r'[^a-z]', '_', name)}(void) {{ return 1; }}\n")
    link = []
    if needs:
        gone = compiled(folder, needs)
        link = ["-Wl,--no-as-needed", str(gone)]
    subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", library, source, *link], check=True)
    if needs:
        gone.unlink()
    return library


def test_a_library_that_lacks_another_is_found_without_loading_it(tmp_path: Path) -> None:
    library = compiled(tmp_path, "libggml-cuda.so", needs="libnccl.so.2")
    assert native_libraries.lacking(library) == ["libnccl.so.2"]
    compiled(tmp_path, "libnccl.so.2")
    assert native_libraries.lacking(library) == [], "a library in the same folder is loaded before it"


def test_the_build_s_check_fails_on_any_library_but_the_driver_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = compiled(tmp_path, "libggml-cuda.so", needs="libcuda.so.1")
    nccl = compiled(tmp_path, "libggml-other.so", needs="libnccl.so.2")
    monkeypatch.setattr(check_libraries, "installed", lambda: [driver])
    assert check_libraries.main(["--allow", "libcuda.so.1"]) == 0
    assert check_libraries.main([]) == 1
    monkeypatch.setattr(check_libraries, "installed", lambda: [driver, nccl])
    assert check_libraries.main(["--allow", "libcuda.so.1"]) == 1
    assert "libggml-other.so needs libnccl.so.2" in capsys.readouterr().err


def test_the_installed_libraries_have_all_that_they_need() -> None:
    assert native_libraries.installed()
    assert check_libraries.main(["--allow", "libcuda.so.1"]) == 0


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ("libcuda.so.1", "libcuda.so.1.*the NVIDIA driver is not visible"),
        ("libnccl.so.2", "libnccl.so.2.*the image lacks"),
        (None, "finds no GPU.*nvidia-smi"),
    ],
)
def test_why_there_is_no_gpu_names_what_is_missing(tmp_path: Path, needs: str | None, said: str) -> None:
    # A name of its own for each: the loader keeps what it has loaded once.
    backend = compiled(tmp_path, "libggml-cuda.so", needs=needs)
    assert re.search(said, native_libraries.why_no_gpu([backend]))


def test_a_build_without_a_gpu_backend_is_told_apart(tmp_path: Path) -> None:
    said = native_libraries.why_no_gpu([compiled(tmp_path, "libggml-cpu-haswell.so")])
    assert "built without a GPU backend" in said and "-cuda" in said


def test_llama_cpp_s_own_report_of_offloaded_layers_is_read() -> None:
    library = next(path for path in native_libraries.installed() if path.name.startswith("libllama.so"))
    formats = re.findall(rb"[^\x00]*offloaded %d/%d layers to GPU", library.read_bytes())
    assert formats, "llama.cpp's words have changed: bindings.OFFLOADED reads none"
    line = formats[0].replace(b"%s", b"load_tensors").replace(b"%d", b"30", 1).replace(b"%d", b"31")
    bindings.take_offloaded()
    bindings._log_native(2, line, 0)
    assert bindings.take_offloaded() == 30
    assert bindings.take_offloaded() == 0, "what an earlier model had says nothing about the next"


def test_a_service_that_is_to_use_a_gpu_is_not_ready_without_one_and_says_what_is_missing(
    launch: Launch, random_model: Path
) -> None:
    service = launch(MODEL_PATH=random_model, N_GPU_LAYERS=-1)
    with pytest.raises(StartError, match="N_GPU_LAYERS=-1.*GPU.*GPU_REQUIRED=false"):
        service.wait_ready()
    with service.client() as client:
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200, "the pod's log is to be read, not restarted away"


def test_without_a_gpu_the_cpu_serves_where_that_is_allowed_and_the_metrics_tell(
    launch: Launch, random_model: Path
) -> None:
    service = launch(MODEL_PATH=random_model, N_GPU_LAYERS=-1, GPU_REQUIRED="false")
    service.wait_ready()
    with service.client() as client:
        text = client.get("/metrics").text
    figures = {name: float(value) for name, value in re.findall(r"^(cricket_gpu_layers_\w+) (\S+)$", text, flags=re.M)}
    assert figures["cricket_gpu_layers_offloaded"] == 0
    assert figures["cricket_gpu_layers_wanted"] > 1


def stages() -> dict[str, str]:
    """Instructions of the Dockerfile by stage, in order."""
    parts = re.split(r"^FROM \S+ AS (\S+)\n", (ROOT / "Dockerfile").read_text(), flags=re.M)
    without_comments = [re.sub(r"^#.*\n", "", part, flags=re.M).strip() for part in parts]
    return dict(zip(without_comments[1::2], without_comments[2::2], strict=True))


def test_cuda_is_built_without_nccl_and_for_every_architecture_of_its_toolkit() -> None:
    build = stages()["compile-cuda"]
    assert "-DGGML_CUDA_NCCL=OFF" in build
    architectures = re.search(r"^ARG CUDA_ARCHITECTURES=(\S+)$", build, flags=re.M)[1].split(";")
    assert [a.removesuffix("-real") for a in architectures] == ["75", "80", "86", "89", "90", "100", "120"]
    assert not architectures[-1].endswith("-real"), "PTX of the last one, for GPUs to come"


def test_every_image_that_serves_checks_its_libraries_while_it_is_built() -> None:
    check = '"-m", "serve.check_libraries"'
    assert check in stages()["cpu"] and check in stages()["cuda"]
    assert '"--allow", "libcuda.so.1"' in stages()["cuda"]
    environment, _, _ = stages()["cuda"].partition(check)
    assert "LD_LIBRARY_PATH" in environment, "the check needs to find CUDA's libraries"


def test_a_builder_without_buildkit_builds_the_cpu_image_without_cuda_and_torch() -> None:
    names = list(stages())
    assert stages()["serve"] == stages()["cpu"]
    assert not {"compile-cuda", "cuda", "train"} & set(names[: names.index("serve")])
    assert names.index("cuda") < names.index("train"), "training is not on CUDA's way"
    text = (ROOT / "Dockerfile").read_text()
    assert "--mount" not in text and "<<" not in text, "BuildKit's own syntax"


def test_compose_pins_images_by_digest_limits_memory_and_has_a_gpu_profile() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    for name, service in services.items():
        assert "build" in service or re.search(r":[\w.]+@sha256:[0-9a-f]{64}$", service["image"]), name
        assert service["deploy"]["resources"]["limits"]["memory"], name
    on_gpu = services["cricket-gpu"]
    assert on_gpu["profiles"] == ["gpu"] and on_gpu["build"]["target"] == "cuda"
    assert on_gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert on_gpu["networks"]["default"]["aliases"] == ["cricket"], "the name that Prometheus scrapes"
    for field in ("read_only", "cap_drop", "security_opt", "environment", "ports"):
        assert on_gpu[field] == services["cricket"][field], field
    assert all(service["build"]["target"] in stages() for service in services.values() if "build" in service)
