"""The recipes of docs/testing.md run as tests of a user, in a pytest of their own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[1] / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

CHECKOUT = """
def checkout(tracer, coupon):
    try:
        with tracer.start_as_current_span("checkout"):
            {}[coupon]
    except KeyError:
        pass
"""
DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["testserver"], LOGGING_CONFIG=None)
import django
django.setup()
"""
URLS = """
from django.urls import path

def broken(request):
    raise KeyError("no such page")

urlpatterns = [path("broken/", broken)]
"""
PLUGINS = "-p no:randomly -p no:hypothesispytest -p no:pytest_cov -p no:cacheprovider"
RECIPES = {"test_checkout.py": 1, "test_snapshot.py": 1, "test_asyncio.py": 1, "test_django.py": 1, "test_xdist.py": 4}
"""The tests of each recipe."""


@pytest.fixture(autouse=True)
def _few_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load no slow plugins, and write the fixture of the page."""
    monkeypatch.setenv("PYTEST_ADDOPTS", PLUGINS)
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makepyfile(conftest=FILES["conftest.py"], urls=URLS)


def _write(pytester: pytest.Pytester, name: str, recipe: str) -> None:
    """Write a recipe that waits for as long as a busy machine takes."""
    patient = re.sub(r"timeout=\d+", "timeout=60", recipe)
    pytester.makepyfile(**{name.removesuffix(".py"): CHECKOUT + (DJANGO if "django" in name else "") + patient})


def test_the_recipes_pass_in_two_processes(pytester: pytest.Pytester) -> None:
    """No warning, and nothing printed by the exporter."""
    for name in RECIPES:
        _write(pytester, name, FILES[name])
    result = pytester.runpytest_subprocess("-W", "error", "-n", "2")
    result.assert_outcomes(passed=sum(RECIPES.values()))
    assert "CloudWatch RUM" not in f"{result.stdout}{result.stderr}"


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_the_recipe_with_a_browser_passes(pytester: pytest.Pytester) -> None:
    """With the Chromium of this machine instead of Playwright's own."""
    recipe = FILES["test_playwright.py"]
    assert "launch()" in recipe
    launch = f"launch(executable_path={CHROMIUM!r}, args=['--no-sandbox'])"
    _write(pytester, "test_playwright.py", recipe.replace("launch()", launch))
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:xdist")
    result.assert_outcomes(passed=1)
    assert "CloudWatch RUM" not in f"{result.stdout}{result.stderr}"


def test_every_recipe_of_the_page_is_run() -> None:
    """The blocks are found at all, and a new one needs a test."""
    assert FILES.keys() == {"conftest.py", "test_playwright.py", *RECIPES}


def test_the_reports_of_the_page_are_real(pytester: pytest.Pytester) -> None:
    """A snapshot that differs prints what the page shows."""
    _write(pytester, "test_snapshot.py", FILES["test_snapshot.py"].replace("'SUMMER'", "'WINTER'"))
    lines = pytester.runpytest_subprocess("-p", "no:xdist").outlines
    section, difference = (
        token.content.splitlines() for token in MarkdownIt().parse(PAGE) if token.type == "fence" and not token.info
    )
    start = lines.index(section[0])
    assert lines[start : start + len(section)] == section
    failure = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    assert failure == [line.strip() for line in difference]
