"""Schemathesis over /openapi.json: whatever is sent, in form or out of it, there is no server error and no hang.

    pytest tests/test_openapi.py          EXAMPLES=200 for more of each route
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Host

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: requirements-dev.txt")
from hypothesis import HealthCheck, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.pytest import from_fixture  # noqa: E402

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))


@pytest.fixture(scope="module")
def api(host: Host, random_model: Path) -> Any:
    """The document of a real app, whose answers are cut short so that many fit into a test."""
    app = host(model_path=random_model, deadline_s=1.0)
    app.wait_ready()
    return schemathesis.openapi.from_url(f"{app.url}/openapi.json")


schema = from_fixture("api")


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_request_makes_a_server_error(case: Any) -> None:
    response = case.call(timeout=60)
    if response.status_code not in (501, 503, 504):  # "not here", "not now" and "took too long" are answers
        case.validate_response(response, checks=[not_a_server_error])
    if response.status_code >= 400:
        assert response.headers["content-type"][0] == "application/problem+json"
        assert response.json()["detail"]
