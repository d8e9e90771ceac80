"""Requests of health checks and probes, which no person made."""

from __future__ import annotations

import re
from http import HTTPStatus

from opentelemetry.trace import StatusCode

from .._attributes import TARGETS, URLS, USER_AGENTS
from .._pattern import lazy_pattern
from .._served import CHECKS_BY_PROGRAMS, HEALTH_CHECKS
from ..config import Config
from . import routes, urls
from .caches import cache_short_texts
from .events import http_event
from .events.page_view import MAX_AGENT_CHARS, MAX_CACHED_AGENTS, is_browser
from .span_view import SpanView

USER_AGENT = lazy_pattern(
    r"kube-probe|health|\bprobe\b|pingdom|uptime|statuscake|site24x7|GoogleHC|Envoy/HC|Traffic Manager Endpoint Monitor"
    r"|Load Balancer Agent|blackbox|Prometheus|Synthetic|AlwaysOn|Pinger|Zabbix|Nagios|check_http|updown\.io|Checkly",
    re.IGNORECASE,
)
"""User agents of load balancers, orchestrators and monitoring services."""

MAX_CACHED_PATHS = 1000
MAX_CACHED_CHARS = 256
GRPC_HEALTH = "grpc.health.v1.Health"


def is_passed(view: SpanView, config: Config) -> bool:
    """Return whether a served request is a health check that succeeded."""
    if config.custom_events == "all":
        return False
    code = http_event.status(view)
    if code >= HTTPStatus.BAD_REQUEST if code else view.span.status.status_code is StatusCode.ERROR:
        return False
    if http_event.method(view) is None:
        return view.text("rpc.service") == GRPC_HEALTH or view.name.startswith(f"{GRPC_HEALTH}/")
    asked = routes.of_request(view) or view.text(*TARGETS, *URLS) or "/"
    user_agent = view.text(*USER_AGENTS) or ""
    if _is_monitor(user_agent):
        return True
    path = asked if asked.startswith("/") or "://" in asked else f"/{asked}"
    return _is_check(path) or (not is_browser(user_agent) and _is_check_by_program(path))


@cache_short_texts(MAX_CACHED_AGENTS, MAX_AGENT_CHARS)
def _is_monitor(user_agent: str) -> bool:
    return USER_AGENT.search(user_agent) is not None


@cache_short_texts(MAX_CACHED_PATHS, MAX_CACHED_CHARS)
def _is_check(url: str) -> bool:
    return HEALTH_CHECKS.fullmatch(urls.path(url)) is not None


@cache_short_texts(MAX_CACHED_PATHS, MAX_CACHED_CHARS)
def _is_check_by_program(url: str) -> bool:
    return CHECKS_BY_PROGRAMS.fullmatch(urls.path(url)) is not None
