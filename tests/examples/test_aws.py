"""The template of examples/aws allows no more than it must, and its dashboard shows metrics that events feed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from otel_rum_exporter.mapping.event_types import BUILT_IN, PREFIX

TEMPLATE = Path(__file__).parents[2] / "examples" / "aws" / "rum.yaml"
EVENTS = {
    "SessionCount": "session_start_event",
    "PageViewCount": "page_view_event",
    "JsErrorCount": "js_error_event",
    "Http4xxCount": "http_event",
    "Http5xxCount": "http_event",
    "PerformanceNavigationDuration": "performance_navigation_event",
    "PerformanceResourceDuration": "performance_resource_event",
    "WebVitalsLargestContentfulPaint": "largest_contentful_paint_event",
    "WebVitalsInteractionToNextPaint": "interaction_to_next_paint_event",
}
"""The metrics of AWS/RUM, and the events that they count or measure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-metrics.html
"""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's functions as their arguments."""


_Loader.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{node.id}")(node))
RESOURCES: dict[str, Any] = yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)["Resources"]


def _json_of(text: str) -> Any:
    """Return the JSON of a text with variables."""
    return json.loads(re.sub(r"\$\{[\w.:]+\}", "x", text))


def test_the_dashboard_shows_metrics_that_events_feed() -> None:
    """A misspelled metric is an empty chart."""
    body = _json_of(RESOURCES["Dashboard"]["Properties"]["DashboardBody"])
    rows = [row for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]
    names = {row[1] for row in rows} | {RESOURCES["Errors"]["Properties"]["MetricName"]}
    assert names == set(EVENTS)
    assert {PREFIX + kind for kind in EVENTS.values()} <= set(BUILT_IN)


def test_senders_may_put_events_into_one_app_monitor_and_nothing_else() -> None:
    """By their role, and by the policy of the app monitor."""
    (of_role,) = RESOURCES["SenderRole"]["Properties"]["Policies"]
    policies = [
        of_role["PolicyDocument"],
        _json_of(RESOURCES["AppMonitor"]["Properties"]["ResourcePolicy"]["PolicyDocument"]),
    ]
    for policy in policies:
        (statement,) = policy["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "rum:PutRumEvents")
        assert "appmonitor/" in statement["Resource"]
        assert "*" not in statement["Resource"]
