"""Applications with libraries of others: every event, exactly."""

from __future__ import annotations

import signal
import sys

import pytest
import requests

from tests.applications.conftest import INSTRUMENT, TIMEOUT_SECONDS, Application, free_port, is_open, wait_until
from tests.instrumentations import only

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html",
}
CLIENTS = ("exceptions", "logging", "requests", "urllib", "urllib3")
"""The instrumentations of a service besides that of its framework."""
PROBE = {"User-Agent": "kube-probe/1.30"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn and the signals need POSIX")

Expected = dict[tuple[str, str], int]


def pages(*shown: str) -> Expected:
    """Return the events of pages shown once."""
    return {(kind, page): 1 for kind in ("page_view_event", "performance_navigation_event") for page in shown}


def test_django_with_a_login_a_database_and_two_workers(application: Application) -> None:
    """No event for a query, a session or a probe; one session for each worker, because nothing sets one."""
    expected: Expected = {
        **pages("/", "/account/", "/customers/<int:key>/", "/archive/<year>/"),
        ("GET_account", ""): 1,
        ("POST_login", ""): 1,
        ("http_event", "POST /login/ 403"): 1,
        ("http_event", "GET /customers/*/ 404"): 1,
        ("http_event", "GET /nowhere 404"): 1,
        ("http_event", "GET /broken/ 500"): 1,
        ("js_error_event", "KeyError in django_shop.py"): 1,
    }
    port = free_port()
    settings = {"DJANGO_SETTINGS_MODULE": "django_settings", **only("django", "sqlite3", "jinja2", *CLIENTS)}
    url = f"http://127.0.0.1:{port}"
    prepared = application.run(sys.executable, "django_shop.py", "prepare", **settings)
    assert prepared.returncode == 0, prepared.stderr
    server = (
        sys.executable,
        "-m",
        "gunicorn",
        "--workers",
        "2",
        "--timeout",
        "120",
        "--bind",
        f"127.0.0.1:{port}",
        "django_shop",
    )
    with application.serving(*server, "django_shop", **settings), requests.Session() as browser:
        browser.headers.update(BROWSER)
        wait_until(lambda: is_open(port))
        assert browser.get(url).status_code == 200
        assert browser.get(f"{url}/account/", allow_redirects=False).status_code == 302
        assert browser.post(f"{url}/login/", data={"name": "ada", "word": "wrong"}).status_code == 403
        assert browser.post(f"{url}/login/", data={"name": "ada", "word": "engine"}).status_code == 200
        for path, status in (("customers/1/", 200), ("customers/42/", 404), ("archive/2024/", 200), ("nowhere", 404)):
            assert browser.get(f"{url}/{path}").status_code == status
        assert browser.get(f"{url}/broken/").status_code == 500
        assert browser.get(f"{url}/healthz", headers=PROBE).status_code == 200
        application.wait_for(expected)
    events = application.events()
    assert 1 <= events.pop(("session_start_event", "")) <= 2, "as many as workers that served a request"
    assert events == expected


def test_fastapi_with_two_workers(application: Application) -> None:
    """An HTTPException is the answer that it becomes, and no error."""
    expected: Expected = {
        ("GET_orders_number", ""): 10,
        ("http_event", "GET /orders/* 404"): 1,
        ("http_event", "GET /orders/x 422"): 1,
        ("http_event", "POST /orders 500"): 1,
        ("js_error_event", "RuntimeError in fastapi_shop.py"): 1,
    }
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = (sys.executable, "-m", "uvicorn", "--workers", "2", "--timeout-worker-healthcheck", "60")
    settings = only("fastapi", "starlette", *CLIENTS)
    with (
        application.serving(*server, "--port", str(port), "fastapi_shop:app", **settings),
        requests.Session() as client,
    ):
        wait_until(lambda: is_open(port))
        assert {client.get(f"{url}/orders/7").status_code for _ in range(10)} == {200}
        assert client.get(f"{url}/orders/0").status_code == 404
        assert client.get(f"{url}/orders/x").status_code == 422
        assert client.post(f"{url}/orders").status_code == 500
        application.wait_for(expected)
    events = application.events()
    assert 1 <= events.pop(("session_start_event", "")) <= 2, "as many as workers that served a request"
    assert events == expected


def test_fastapi_below_the_command_that_runs_it(application: Application) -> None:
    """Click's instrumentation encloses the server in a span, so the requests are no SERVER spans."""
    expected: Expected = {
        ("session_start_event", ""): 1,
        ("GET_orders_number", ""): 2,
        ("http_event", "GET /orders/* 404"): 1,
        ("http_event", "POST /orders 500"): 2,
        ("js_error_event", "RuntimeError in fastapi_shop.py"): 2,
    }
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = (sys.executable, "-m", "uvicorn", "--port", str(port), "fastapi_shop:app")
    with application.serving(*server, **only("click", "fastapi", "starlette", *CLIENTS)) as process:
        wait_until(lambda: is_open(port))
        for _ in range(2):
            assert requests.get(f"{url}/orders/7").status_code == 200
            assert requests.post(f"{url}/orders").status_code == 500
        assert requests.get(f"{url}/orders/0").status_code == 404
        application.wait_for(expected)
        assert application.events() == expected
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT_SECONDS)
    assert application.events() == {**expected, ("python_-m_uvicorn", ""): 1}


def test_celery_with_redis(application: Application, redis_url: str) -> None:
    """A job is an event, and its failure an error; no event for the many calls to Redis."""
    expected: Expected = {
        ("run_celery_jobs.send_invoice", ""): 3,
        ("run_celery_jobs.charge_card", ""): 1,
        ("js_error_event", "ValueError in celery_jobs.py"): 1,
    }
    worker = (sys.executable, "-m", "celery", "-A", "celery_jobs", "worker", "--concurrency", "2")
    settings = {"REDIS_URL": redis_url, **only("celery", "redis", *CLIENTS)}
    with application.serving(*worker, **settings):
        produce = "import celery_jobs; celery_jobs.produce()"
        ended = application.run(INSTRUMENT, sys.executable, "-c", produce, **settings)
        assert ended.returncode == 0, ended.stderr
        application.wait_for(expected)
    events = application.events()
    assert events.pop(("session_start_event", "")) >= 1
    assert events == expected


def test_sqlalchemy(application: Application) -> None:
    """A driver's error that SQLAlchemy raises again, and that ends the program, is one error."""
    ended = application.run(
        INSTRUMENT, sys.executable, "sqlalchemy_report.py", **only("sqlalchemy", "sqlite3", *CLIENTS)
    )
    assert "no such table: sales" in ended.stderr
    assert application.events() == {
        ("session_start_event", ""): 1,
        ("monthly_report", ""): 1,
        ("js_error_event", "sqlalchemy.exc.OperationalError in sqlalchemy_report.py"): 1,
    }
    assert "ada@example.com" not in str([event.details for event in application.rum.events])


def test_structlog(application: Application) -> None:
    """Its formatted exception is one error with the type and place of the exception."""
    ended = application.run(INSTRUMENT, sys.executable, "structlog_report.py", **only("structlog", *CLIENTS))
    assert ended.returncode == 0, ended.stderr
    assert application.events() == {
        ("session_start_event", ""): 1,
        ("js_error_event", "KeyError in structlog_report.py"): 1,
    }
