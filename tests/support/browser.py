"""A pytest plugin (`pytest_plugins = ["tests.support.browser"]`): Chromium, and the page of a real app in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import InProcess
from tests.support.page import opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: requirements-dev.txt")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, app: InProcess) -> Iterator[Any]:
    """The page of a real app; a script's error or a request to another host fails the test."""
    yield from opened(browser, app, "light")


@pytest.fixture
def phone(browser: Any, app: InProcess) -> Iterator[Any]:
    """The same, 390 pixels wide."""
    yield from opened(browser, app, "phone")
