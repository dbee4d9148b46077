"""Each command of the deployment guide, k8s/README.md, against chart, Dockerfile, and helm's and kubectl's own flags.

pytest tests/test_guide.py
"""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from k8s import render, tools

ROOT = render.HERE.parent
GUIDE = render.HERE / "README.md"
REQUIRED = render.HERE / "tests" / "values" / "required.yaml"
CHART = "k8s/helm/cricket-inference"
SHELL = {"ACR": "acr", "RG": "group", "COMMIT": "0" * 40, "LOCATION": "here", "HF_TOKEN": "hf", "NEW_TOKEN": "hf"}


def fences() -> list[list[list[str]]]:
    """The guide's commands by fenced block, as words; the shell's variables have values."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```", GUIDE.read_text(), flags=re.M | re.S):
        commands: list[list[str]] = []
        for line in block.replace("\\\n", " ").splitlines():
            text = re.sub(r"\$\{?([A-Z_]+)\}?", lambda m: SHELL.get(m[1], "x"), line)
            lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;")
            lexer.whitespace_split, lexer.commenters = True, "#"
            words: list[str] = []
            for word in [*lexer, ";"]:
                if re.fullmatch(r"[|&;]+", word):
                    commands += [words] if words else []
                    words = []
                else:
                    words.append(word)
        found.append(commands)
    return found


def commands(*start: str) -> list[list[str]]:
    """All commands that begin with these words."""
    return [command for fence in fences() for command in fence if command[: len(start)] == list(start)]


def option(command: list[str], *names: str) -> list[str]:
    """Values of an option, each time it is given."""
    return [command[i + 1] for i, word in enumerate(command) if word in names]


def label(command: list[str]) -> str:
    return " ".join(command)[:60]


@pytest.fixture(scope="module", autouse=True)
def real_tools() -> None:
    """Fetch helm and kubectl once."""
    try:
        tools.helm()
    except tools.ToolUnavailable as error:
        pytest.skip(str(error))


def test_the_guide_s_commands_are_read() -> None:
    programs = {command[0] for fence in fences() for command in fence}
    assert {"az", "docker", "helm", "kubectl", "curl"} <= programs, "the blocks or their shell have changed"


OURS = [c for c in commands("helm") if CHART in c]


@pytest.mark.parametrize("command", OURS, ids=label)
def test_every_release_that_the_guide_makes_renders(command: list[str]) -> None:
    values = (REQUIRED, *(ROOT / name for name in option(command, "--values")))
    assert all(path.is_file() for path in values)
    sets = tuple(option(command, "--set"))
    as_json = [part for value in option(command, "--set-json") for part in ("--set-json", value)]
    rendered = subprocess.run(
        [tools.helm(), "template", "cricket", ROOT / CHART, "--namespace", option(command, "--namespace")[0],
         *(part for path in values for part in ("--values", path)),
         *(part for setting in sets for part in ("--set", setting)), *as_json],
        capture_output=True, text=True,
    )  # fmt: skip
    assert rendered.returncode == 0, rendered.stderr
    assert "Deployment" in {document["kind"] for document in yaml.safe_load_all(rendered.stdout) if document}


def test_the_images_that_the_guide_pushes_are_those_that_the_chart_pulls() -> None:
    pushed = {word for command in commands("docker", "push") for word in command[2:]}
    pulled = set()
    for sets in ((), ("gpu.enabled=true",), ("train.enabled=true", "train.repo=o/n")):
        rendered = render.render((REQUIRED,), ("image.repository=acr.azurecr.io/cricket-inference", *sets))
        pulled |= set(re.findall(r"image: (\S+)", rendered))
    assert pushed <= pulled and any(tag.endswith("-cuda") for tag in pushed)


def test_what_is_pushed_was_built_under_that_name_after_logging_in() -> None:
    built: set[str] = set()
    logged_in = False
    for command in (command for fence in fences() for command in fence):
        built |= set(option(command, "-t", "--tag")) if command[:2] == ["docker", "build"] else set()
        logged_in |= command[:3] == ["az", "acr", "login"]
        if command[:2] == ["docker", "push"]:
            assert command[2] in built, f"{command[2]} is pushed and was not built"
            assert logged_in, "docker push before az acr login is refused"


def test_targets_are_stages_and_the_registry_s_builder_is_given_one() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.M))
    builds = [*commands("docker", "build"), *commands("az", "acr", "build")]
    for command in builds:
        assert set(option(command, "--target")) <= stages, command
    in_registry = commands("az", "acr", "build")
    assert in_registry and all(option(c, "--target") and int(option(c, "--timeout")[0]) > 3600 for c in in_registry)


def test_files_that_commands_name_exist() -> None:
    for command in (command for fence in fences() for command in fence):
        for name in option(command, "--filename", "--values"):
            assert (ROOT / name).exists() or name.startswith("-"), f"{name} in {label(command)}"


@lru_cache
def known_flags(program: str, *subcommands: str) -> set[str]:
    """Flags that helm or kubectl itself lists for a subcommand, its global ones included."""
    binary = tools.helm() if program == "helm" else tools.kubectl()
    text = subprocess.run([binary, *subcommands, "--help"], capture_output=True, text=True).stdout
    more = subprocess.run([binary, "options"], capture_output=True, text=True).stdout if program == "kubectl" else ""
    return set(re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", text + more))


@pytest.mark.parametrize("command", [*commands("helm"), *commands("kubectl")], ids=label)
def test_every_flag_of_helm_and_kubectl_is_one_of_theirs(command: list[str]) -> None:
    words = command[1:]
    plain: list[str] = []
    skip = False
    for word in words:  # a subcommand may come after global options
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = "=" not in word and word in ("--namespace", "-n")
        else:
            plain.append(word)
    depth = 3 if plain[:2] == ["create", "secret"] else 2 if plain[0] in ("rollout", "create") else 1
    known = known_flags(command[0], *plain[:depth])
    assert known, f"{command[0]} {plain[:depth]} has no help"
    for flag in (word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)):
        assert flag in known, f"{command[0]} {' '.join(plain[:depth])} has no {flag}"


def test_the_gateway_and_the_route_agree() -> None:
    gateway = yaml.safe_load((render.HERE / "aks-gateway.yaml").read_text())
    route = next(c for c in OURS if "httpRoute.enabled=true" in option(c, "--set"))
    given = " ".join(option(route, "--set-json"))
    assert f'"name":"{gateway["metadata"]["name"]}"' in given
    assert gateway["spec"]["listeners"][0]["hostname"] in given


def test_the_device_plugin_gets_onto_every_pool_that_the_guide_and_the_presets_know() -> None:
    pool = next(c for c in commands("az", "aks", "nodepool", "add") if "gpu" in option(c, "--name"))
    assert option(pool, "--labels") == ["nvidia.com/gpu.present=true"], "the label that NVIDIA's chart selects"
    plugin = next(c for c in commands("helm") if "nvidia-device-plugin" in c)
    assert option(plugin, "--version"), "pinned"
    tolerated = option(plugin, "--set-json")[0]
    key, _, rest = option(pool, "--node-taints")[0].partition("=")
    preset = yaml.safe_load((Path(ROOT) / CHART / "values-aks-gpu.yaml").read_text())
    for wanted in [{"key": key, "value": rest.split(":")[0]}, *preset["tolerations"]]:
        assert f'"key":"{wanted["key"]}"' in tolerated and f'"value":"{wanted["value"]}"' in tolerated
