"""Fixtures of the console: a browser and a server with data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import CHROMIUM, DESKTOP, Open
from tests.local.http_client import post_bodies
from tests.local.web_sessions import bodies, faulty_bodies, traced_body


@pytest.fixture(scope="module")
def browser(no_leaks_of_module: None) -> Iterator[Browser]:
    """Run one browser for all tests of the module."""
    # Chromium's sandbox refuses to run as root, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(browser: Browser) -> Iterator[dict[str, Page]]:
    """Keep pages by their settings for all tests of the module: a page of a new context costs as much as ten loads."""
    kept: dict[str, Page] = {}
    yield kept
    for page in kept.values():
        page.context.close()


@pytest.fixture
def open_console(browser: Browser, pages: dict[str, Page]) -> Iterator[Open]:
    """Open a path of the console; browser errors and warnings fail the test.

    A test's first page with its settings is that of the tests before, without what they stored. Another is a new one.
    """
    problems: list[str] = []
    opened: list[Page] = []
    origins: list[str] = []
    listeners = _listeners(problems, origins)

    def open_path(rum: LocalRum, path: str = "/", **settings: Any) -> Page:
        key = repr(settings)
        page = pages.get(key)
        if page is None or page in opened:
            page = browser.new_context(**settings).new_page()
            pages.setdefault(key, page)
        opened.append(page)
        origins.append(rum.url)
        for name, listener in listeners.items():
            page.on(name, listener)
        page.set_viewport_size(settings.get("viewport", DESKTOP))
        page.emulate_media(color_scheme="light")
        page.goto(rum.url + path)
        expect(page.locator("h1")).to_be_visible()
        return page

    yield open_path
    for page in opened:
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.goto("about:blank")
        for name, listener in listeners.items():
            page.remove_listener(name, listener)
        if page not in pages.values():
            page.context.close()
    assert problems == []


def _listeners(problems: list[str], origins: list[str]) -> Mapping[Any, Callable[..., None]]:
    """Return listeners for what a page must not do: log an error, fail, ask, or send a request elsewhere."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            problems.append(message.text)

    def on_request(sent: Request) -> None:
        if not sent.url.startswith((*origins, "about:blank")):
            problems.append(sent.url)

    return {
        "console": on_console,
        "pageerror": lambda error: problems.append(str(error)),
        "dialog": lambda dialog: problems.append(f"dialog: {dialog.message}"),
        "request": on_request,
    }


@pytest.fixture(scope="module")
def shop(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with half an hour of a shop's sessions. Tests only read it."""
    now = time.time()
    with LocalRum() as rum:
        post_bodies(rum, [*bodies(now), traced_body(now), *faulty_bodies(now)])
        yield rum
