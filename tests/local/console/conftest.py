"""Fixtures of the console: a browser and a server with data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import ARTIFACTS, CHROMIUM, Open
from tests.local.http_client import post_bodies
from tests.local.web_sessions import bodies, faulty_bodies, traced_body


@pytest.fixture(scope="module")
def browser(no_leaks_of_module: None) -> Iterator[Browser]:
    """Run one browser for all tests of the module."""
    ARTIFACTS.mkdir(exist_ok=True)
    # Chromium's sandbox refuses to run as root, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_console(browser: Browser) -> Iterator[Open]:
    """Open a path of the console; browser errors and warnings fail the test."""
    problems: list[str] = []
    contexts = []

    def open_path(rum: LocalRum, path: str = "/", **settings: Any) -> Any:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda sent: None if sent.url.startswith(rum.url) else problems.append(sent.url))
        page.goto(rum.url + path)
        expect(page.locator("h1")).to_be_visible()
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def shop(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with half an hour of a shop's sessions. Tests only read it."""
    now = time.time()
    with LocalRum() as rum:
        post_bodies(rum, [*bodies(now), traced_body(now), *faulty_bodies(now)])
        yield rum
