"""Schemathesis over /openapi.json: no request, valid or invalid, causes a server error or a hang.

pytest tests/test_openapi.py          EXAMPLES=200 for more of each route
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Host

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: requirements-dev.txt")
hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed: requirements-dev.txt")

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
ROUTES = (
    ("POST", "/infer"),
    ("POST", "/stats"),
    ("POST", "/feedback"),
    ("GET", "/ask"),
    ("GET", "/stats"),
    ("GET", "/seasons"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
)


@pytest.fixture(scope="module")
def document(host: Host, random_model: Path) -> Any:
    """The document of a real app with a short deadline, so that many requests fit into a test."""
    app = host(model_path=random_model, deadline_s=1.0, raw_model=True)
    app.wait_ready()
    return schemathesis.openapi.from_url(f"{app.url}/openapi.json")


def test_every_documented_route_is_tested_here(document: Any) -> None:
    there = {(o.ok().method.upper(), o.ok().path) for o in document.get_all_operations()}
    assert there == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("form", list(schemathesis.GenerationMode), ids=lambda form: form.value)
def test_no_request_causes_a_server_error(document: Any, method: str, path: str, form: Any) -> None:
    settings = hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        cases = document[path][method].as_strategy(generation_mode=form)
    except Exception as error:
        pytest.skip(f"nothing to send that is {form.value}: {error}")
    tried = 0

    @settings
    @hypothesis.given(cases)
    def send(case: Any) -> None:
        nonlocal tried
        tried += 1
        response = case.call(timeout=60)
        assert response.status_code < 500 or response.status_code == 504, response.text  # 504: took too long
        if response.status_code >= 400:
            problem = json.loads(response.content)
            assert problem["status"] == response.status_code and problem["detail"]

    try:
        send()
    except hypothesis.errors.Unsatisfiable:
        pytest.skip(f"nothing to send that is {form.value}")
    assert tried
