"""The `cricket` command and the stages' own: one set of options, lazy imports, tables in three forms, old names."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

import cricket
from data import moved
from data.command_line import as_csv, colour, command_line, reported, run
from data.dataset.build import SIZES
from data.version import version
from serve.__main__ import main as serve_main
from serve.server import CannotListen, listen
from serve.settings import Settings
from tests.conftest import ROOT, Host, InProcess

HEAVY = {"torch", "transformers", "llama_cpp", "fastapi", "duckdb", "numpy", "httpx"}


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python process in the repository, without the settings of whoever runs the tests."""
    settings = {name.upper() for name in Settings.model_fields}
    clean = {k: v for k, v in os.environ.items() if k.upper() not in settings and k != "SEASON"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=120
    )


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    """Exit status of `cricket ARGUMENTS`, and the top-level modules that it loaded."""
    code = (
        "import sys, cricket\n"
        f"sys.argv = ['cricket', *{arguments!r}]\n"
        "try: cricket.main()\n"
        "except SystemExit as ended: status = ended.code\n"
        "print('\\n', status if isinstance(status, int) else 1, *{m.partition('.')[0] for m in sys.modules})\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr[-2000:]
    status, *modules = done.stdout.splitlines()[-1].split()
    return int(status), set(modules)


# -- cricket


def test_the_help_names_every_stage_and_loads_none() -> None:
    done = python("cricket.py", "--help")
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout and line[:30] in done.stdout for name, (_, line) in cricket.STAGES.items())
    status, modules = loaded_by("--help")
    assert status == 0 and not modules & (HEAVY | set(cricket.PACKAGES))


@pytest.mark.parametrize("stage", cricket.STAGES)
def test_a_stage_has_the_same_options_under_cricket_and_on_its_own_and_its_help_loads_no_torch(stage: str) -> None:
    module = cricket.STAGES[stage][0].removesuffix(".__main__")
    ours, its = python("cricket.py", stage, "--help"), python("-m", module, "--help")
    assert ours.returncode == its.returncode == 0, ours.stderr + its.stderr
    assert ours.stdout.split("─", 1)[1] == its.stdout.split("─", 1)[1]
    assert f"cricket {stage}" in ours.stdout and f"python -m {module}" in its.stdout
    assert not loaded_by(stage, "--help")[1] & {"torch", "transformers", "llama_cpp"}


def test_asking_a_service_loads_neither_torch_nor_an_engine(app: InProcess) -> None:
    status, modules = loaded_by("ask", "most sixes?", "--url", app.url)
    assert status == 0 and "httpx" in modules
    assert not modules & {"torch", "transformers", "llama_cpp", "fastapi"}


def test_a_misspelt_command_is_a_usage_error_that_names_the_nearest() -> None:
    done = python("cricket.py", "dta")
    assert done.returncode == 2 and "Did you mean 'data'?" in done.stderr


def test_the_version_is_that_of_the_project_file() -> None:
    assert python("cricket.py", "--version").stdout == f"cricket-inference {version()}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["cricket", "mon"], "monitor"),
        (["cricket", "data", "nam"], "names"),
        (["cricket", "serve", "--model-p"], "--model-path"),
        (["cricket", "train", "--method", "ql"], "qlora"),
    ],
)
def test_the_shell_completes_commands_options_and_choices(words: Sequence[str], offered: str) -> None:
    environment = {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_CRICKET_COMPLETE": "complete_bash",
    }
    assert offered in python("cricket.py", **environment).stdout.split()


def test_another_project_s_package_of_the_same_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    done = python(
        "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cricket; cricket.main()", "--version"
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"`agents` is {tmp_path}" in done.stderr and "pipx install" in done.stderr


# -- what all command lines share


def test_an_error_is_one_line_and_a_program_error_stays_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    app = command_line()

    @app.command()
    @reported(ValueError, text=str.upper, interrupted="stopped")
    def fail(how: str) -> None:
        raise {"value": ValueError("no 7"), "key": KeyError("x"), "ctrl-c": KeyboardInterrupt(), "torch":
               ModuleNotFoundError("No module named 'torch'", name="torch")}[how]  # fmt: skip

    assert run(app, ["value"]) == 1 and capsys.readouterr().err == "error: NO 7\n"
    assert run(app, ["ctrl-c"]) == 130 and capsys.readouterr().err == "stopped\n"
    assert run(app, ["torch"]) == 1 and "requirements-train.txt" in capsys.readouterr().err
    assert run(app, ["--nothing"]) == 2
    with pytest.raises(KeyError):
        run(app, ["key"])


def test_a_reader_that_has_enough_ends_the_output_without_a_word() -> None:
    pipe = f"{shlex.quote(sys.executable)} -m data language | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


def test_csv_quotes_what_needs_it_and_leaves_nothing_for_none() -> None:
    assert as_csv(["name", "at"], [['the "King"', None]]) == 'name,at\n"the ""King""",\n'


def test_colour_is_for_terminals_whose_user_has_not_said_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not colour()  # captured
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour()


# -- tables of the stages


def test_a_query_line_s_table_comes_as_text_json_and_csv_with_the_same_figures() -> None:
    line = "runs by batter | top 2; wins by team | top 1"
    text = python("-m", "data", "ask", line).stdout
    found = json.loads(python("-m", "data", "ask", line, "--json").stdout)["tables"]
    parts = python("-m", "data", "ask", line, "--csv").stdout.split("\n\n")
    assert len(found) == len(parts) == 2
    for table, part in zip(found, parts, strict=True):
        labels, *rows = csv.reader(io.StringIO(part))
        assert labels == [column["label"] for column in table["columns"]]
        assert rows == [[str(value) for value in row] for row in table["rows"]]
        assert all(cell in text for row in rows for cell in row)
    assert found[0]["rows"][0][:2] == ["Virat Kohli", 741]


def test_a_trace_is_part_of_the_json() -> None:
    done = python("-m", "data", "ask", "sixes | batter=Dhoni overs=20", "--trace", "--json")
    [table] = json.loads(done.stdout)["tables"]
    assert len(table["trace"]["deliveries"]) == table["rows"][0][0]


def test_names_are_looked_up_as_people_write_them() -> None:
    done = python("-m", "data", "names", "king kohli", "csk", "motera", "stokes", "xyzzy", "--json")
    assert [(r["kind"], r["status"], r["stands for"]) for r in json.loads(done.stdout)] == [
        ("player", "found", "Virat Kohli"),
        ("team", "found", "Chennai Super Kings"),
        ("venue", "found", "MA Chidambaram Stadium"),
        ("venue", "found", "Narendra Modi Stadium"),
        ("player", "absent", "Ben Stokes"),
        ("", "unknown", ""),
    ]


def test_a_question_s_tables_come_as_csv_and_the_answer_beside_them(app: InProcess) -> None:
    question = "Which stadium is the biggest?"
    whole = json.loads(python("-m", "agents", question, "--url", app.url, "--json").stdout)
    done = python("-m", "agents", question, "--url", app.url, "--csv")
    assert done.returncode == 0 and done.stderr == whole["answer"] + "\n"
    assert len(done.stdout.splitlines()) == sum(len(t["rows"]) + 1 for t in whole["tables"]) + max(
        0, len(whole["tables"]) - 1
    )


def test_json_and_csv_exclude_each_other() -> None:
    done = python("-m", "data", "seasons", "--json", "--csv")
    assert done.returncode == 2 and "not both" in done.stderr


def test_the_help_of_the_dataset_states_its_sizes() -> None:
    text = python("-m", "data", "qa", "--help").stdout
    for split, size in SIZES.items():
        assert any(f"--{split} " in row and f"({size})" in row for row in text.splitlines())


def test_several_logs_may_follow_one_option(tmp_path: Path) -> None:
    made = [python("-m", "serve.monitor", "simulate", "--days", "30", "--per-day", "20", "--out", str(tmp_path / name),
                   "--seed", name) for name in ("1", "2")]  # fmt: skip
    assert all(done.returncode == 0 for done in made), made[0].stderr
    logs = [str(tmp_path / name / "log.jsonl") for name in ("1", "2")]
    one = python("-m", "serve.monitor", "sample", "--log", logs[0], "--count", "9999").stdout
    both = python("-m", "serve.monitor", "sample", "--log", *logs, "--count", "9999").stdout
    assert len(both.splitlines()) > len(one.splitlines()) > 0


# -- asking


def typed(app: InProcess, keys: str, state: Path) -> str:
    """What a person sees who types `keys` into `cricket ask`, without the control sequences."""
    import pty

    shown, theirs = pty.openpty()
    environment = os.environ | {"XDG_STATE_HOME": str(state), "TERM": "dumb", "PAGER": "cat"}
    command = [sys.executable, "cricket.py", "ask", "--url", app.url.removeprefix("http://")]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(shown, keys.encode())
        found = b""
        try:
            while piece := os.read(shown, 65536):
                found += piece
        except OSError:  # Linux: the other side is closed
            pass
        assert process.wait(60) == 0, found
    os.close(shown)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode()).replace("\r", "")


def test_a_conversation_in_a_terminal_recalls_what_was_typed_before(app: InProcess, tmp_path: Path) -> None:
    first = typed(app, "Who won the 2011 final?\n/json\n/new\n/csv\n\n", tmp_path)
    assert "I only have data on IPL 2024" in first and '"outcome": "declined"' in first
    assert "nothing was answered yet" in first
    history = tmp_path / "cricket" / "history"
    assert "Who won the 2011 final?" in history.read_text() and history.stat().st_mode & 0o77 == 0
    again = typed(app, "\x1b[A\x1b[A\x1b[A\x1b[A\n\n", tmp_path)  # up to the first line
    assert "I only have data on IPL 2024" in again


def test_a_question_that_fails_does_not_end_a_conversation_of_a_person(app: InProcess, tmp_path: Path) -> None:
    shown = typed(app, "a" * 501 + "\nWho won the 2011 final?\n\n", tmp_path)
    assert "at most 500" in shown and "I only have data on IPL 2024" in shown


def test_a_query_line_is_computed_in_a_conversation_and_a_wrong_one_says_what_to_write(
    app: InProcess, tmp_path: Path
) -> None:
    shown = typed(app, "/run\n/run runs by batter | top 1\n/run runz by batter\n/csv\n\n", tmp_path)
    assert "nothing was suggested yet" in shown and "did you mean runs" in shown
    assert re.search(r"Virat Kohli +741", shown)
    assert "batter,runs" in shown


def test_what_was_suggested_is_shown_as_a_command_and_computed_by_run(monkeypatch: Any, capsys: Any) -> None:
    from agents import __main__, terminal

    asked: list[str] = []

    def compute(line: str) -> dict[str, Any]:
        asked.append(line)
        return __main__.COMPUTED | {"query": line, "tables": []}

    declined = __main__.COMPUTED | {"answer": "I can't.", "outcome": "declined", "query": None, "tables": [],
                                    "season": "ipl_2016", "suggestions": ["wickets by bowler | top 1"]}  # fmt: skip
    agents = __main__.Agents(lambda *_: declined, compute, lambda: None)
    __main__._converse(["uncapped bowlers?", "/run"], agents, "text", False, ends=True)
    said = capsys.readouterr().out
    assert "(cricket data ask --season ipl_2016 'wickets by bowler | top 1')" in said
    assert asked == ["wickets by bowler | top 1"] and "[wickets by bowler | top 1; computed from the line]" in said
    monkeypatch.setattr(terminal, "interactive", lambda: True)
    assert "can be computed: wickets by bowler | top 1 (/run)" in terminal.shown(declined)


def test_a_table_has_every_row_and_its_figures_on_the_right() -> None:
    from agents.terminal import shown

    columns = [{"label": "batter"}, {"label": "average", "decimals": 2}]
    rows = [[f"player {i}", 5.0 * i] for i in range(40)] + [["nobody", None]]
    reply = {"answer": "41 players.", "outcome": "answered", "candidates": [], "query": None,
             "tables": [{"columns": columns, "rows": rows, "qualification": "at least 1 ball"}]}  # fmt: skip
    text = shown(reply).split("\n")
    assert len(text) == 1 + 1 + 41 + 1 and "at least 1 ball" in text[-1]
    assert text[2].endswith("0.00") and text[41].endswith("195.00") and len({len(line) for line in text[2:43]}) == 1


def test_an_answer_of_a_users_file_names_its_row() -> None:
    from agents.terminal import shown

    source = {"file": "q.csv", "row": 17, "kind": "knowledge", "says": "Gill"}
    reply = {"answer": "Gill (from your file q.csv, row 17)", "outcome": "answered", "candidates": [], "query": None,
             "tables": [], "source": source}  # fmt: skip
    assert shown(reply).split("\n") == [reply["answer"], "  [not computed: row 17 of your file q.csv]"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "localhost:9"], "no answer from http://localhost:9"),
        (["--url", "http://localhost:99999"], "make serve"),
        (["--model-url", "localhost:9/v1"], "OPENAI_BASE_URL"),
        (["--season", "ipl_1999", "--model-url", "localhost:9/v1"], "python -m data import"),
    ],
)
def test_an_error_of_asking_names_the_remedy(arguments: list[str], said: str) -> None:
    done = python("cricket.py", "ask", "most sixes?", *arguments)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_a_service_that_needs_a_key_says_where_it_goes(host: Host, tmp_path: Path) -> None:
    locked = host(model_path=tmp_path / "none", api_keys="the-key")
    done = python("cricket.py", "ask", "most sixes?", "--url", locked.url)
    assert done.returncode == 1 and "set API_KEY" in done.stderr
    locked.stop()


def test_another_season_is_asked_about_by_its_name(app: InProcess) -> None:
    done = python("-m", "agents", "Who won the 2011 final?", "--url", app.url, "--season", "ipl_2011", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["reason"] != "other_season", done.stderr


# -- the service


def test_the_service_prints_help_with_every_setting_but_the_secrets_and_does_not_start() -> None:
    done = python("-m", "serve", "--help", PORT="no port")
    assert done.returncode == 0 and "listening" not in done.stdout
    secrets = {"hf_token", "openai_api_key", "api_keys", "reviewer_keys", "feedback_key"}
    for name in Settings.model_fields:
        assert (f"--{name.replace('_', '-')} " in done.stdout) == (name not in secrets), name


def test_an_option_goes_over_the_environment_and_a_wrong_value_names_its_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N_SLOTS", "2")
    seen: list[Settings] = []
    monkeypatch.setattr("serve.server.serve", lambda settings: seen.append(settings) or 0)
    assert serve_main(["--n-slots", "4", "--log-texts", "yes"]) == 0
    assert seen[0].n_slots == 4 and seen[0].log_texts is True
    assert serve_main(["--port", "99999"]) == 2
    assert "setting PORT" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_in_use_is_one_line_and_exit_status_1(random_model: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = python("-m", "serve", PORT=port, HOST=host, MODEL_PATH=str(random_model))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: cannot listen on {host} port {port}: another program does; end it, or set PORT to another one "
        "(0 takes a free one)"
    ]
    assert done.stdout == ""


def test_two_services_started_at_once_do_not_share_a_port() -> None:
    [first] = listen("127.0.0.1", 0)
    with first, pytest.raises(CannotListen, match="another program"):
        listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "said"), [("192.0.2.7", "not an address of this machine"), ("nowhere.invalid", "set HOST to an address")]
)
def test_a_host_that_is_not_this_machine_s_is_said(host: str, said: str) -> None:
    with pytest.raises(CannotListen, match=said):
        listen(host, 0)


# -- modules that moved


@pytest.mark.parametrize("old", moved.MOVED)
def test_an_old_module_s_name_says_the_new_one(old: str) -> None:
    done = python("-m", old)
    assert done.returncode == 1 and f"{old} is now {moved.MOVED[old]}" in done.stderr


def test_what_moved_is_where_the_message_says() -> None:
    for new in moved.MOVED.values():
        assert (ROOT / f"{new.split()[0].replace('.', '/')}.py").is_file(), new


def test_a_name_that_never_was_is_an_ordinary_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'serve.nothing'"):
        __import__("serve.nothing")


def test_the_commands_are_typer_apps() -> None:
    for module, _ in cricket.STAGES.values():
        assert isinstance(__import__(module, fromlist=["app"]).app, typer.Typer)
