"""The check that a span becomes an event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from ..._log import RateLimitedLog
from ...config import variable
from ...ledger import Ledger
from ...mapping.converter import Converter
from ...mapping.explain import PLACEHOLDER_APP_MONITOR_ID
from ...mapping.identity import Moment
from ...rum.ids import NIL_UUID
from ...rum.price import price_in_words
from .context import Context
from .result import Result, Skip, failed, ok

_REQUEST: Mapping[str, AttributeValue] = {
    "http.request.method": "GET",
    "http.route": "/otel-rum-doctor",
    "url.path": "/otel-rum-doctor",
    "url.scheme": "https",
    "http.response.status_code": 500,
}
"""A failed request, which becomes an event by default."""


def becomes_event(context: Context) -> Result:
    """End a span of the SDK, and convert it with these settings as the exporter does. Nothing is sent."""
    if context.is_sdk_disabled:
        raise Skip("the SDK is disabled")
    if context.config.session_sample_rate == 0:
        fix = f"set {variable('session_sample_rate')} to the share of sessions that you want in RUM"
        return failed("the sample rate is 0: no session is sent", fix)
    app_monitor_id = context.config.app_monitor_id or PLACEHOLDER_APP_MONITOR_ID
    config = replace(context.config, app_monitor_id=app_monitor_id, session_sample_rate=1.0)
    finished = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    provider.get_tracer(__name__).start_span("GET", kind=SpanKind.SERVER, attributes=_REQUEST).end()
    provider.shutdown()
    now = Moment(time.time_ns(), time.monotonic_ns())
    converter = Converter(config, new_id=lambda: NIL_UUID, ledger=Ledger(), log=RateLimitedLog())
    converted = converter.spans(finished.get_finished_spans(), now), converter.close(now)
    outcomes = [outcome for each in converted for outcome in each.outcomes]
    types = [event.type for outcome in outcomes for event in outcome.events]
    if types:
        price = f"{price_in_words(1_000_000)} per million events at list price"
        return ok(f"a failed request becomes {' and '.join(types)}; {price}")
    reasons = [outcome.left_out or outcome.drops[0].reason.value for outcome in outcomes]
    fix = f"change {variable('excluded_names')} or {variable('http_events')}; `otel-rum explain` shows your own spans"
    return failed(f"a failed request becomes no event: {', '.join(reasons)}", fix)
