"""The tables in docs/troubleshooting.md, which `make docs` writes.

The lines, the errors and the reasons come from the code. The causes are written here; without one, `make docs` fails.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from docs.generate.log_lines import log_lines
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.rum.errors import ERROR_CODES, EXCEPTIONS, STATUSES, STATUSES_OF_OTHERS, Disposition


class Cause(NamedTuple):
    """The cause of a log line, and its fix if the line itself does not name it."""

    cause: str
    fix: str = ""


LINES = {
    "the exporter is disabled": Cause(
        "A setting is missing or wrong. The line names it. Other exporters go on.",
        "correct it, and check it with `otel-rum config`",
    ),
    "….": Cause(
        "A variable begins with `OTEL_EXPORTER_AWS_RUM_`, but is not a setting. The line suggests one.",
        "use a name of [Settings](settings.md)",
    ),
    "PutRumEvents failed": Cause(
        "A request failed. The parentheses have AWS's error or the exception.",
        "see [the errors](#requests-that-failed)",
    ),
    "spool … … (…)": Cause(
        "The operating system refused a file of `spool_directory`. Until it works, events stay in memory only, or "
        "delivered events may be sent again."
    ),
    "… events for … … still in": Cause(
        "The directory has events of another app monitor, region, endpoint or account, and no process sends them."
    ),
    "a request served has no session": Cause("Spans of a server have no `session.id`. RUM shows one session for all."),
    "RumSessionMiddleware found no session": Cause(
        "The middleware is there, but the request has no cookie of AWS's browser client."
    ),
    "… has no session, and the SDK dropped": Cause(
        "The span has more attributes than the SDK keeps, 128, or OTLP with attributes that cannot be read."
    ),
    "reading the session of a request failed": Cause("A function of yours raised the exception in the line."),
    "reading the session of a span failed": Cause("A function of yours raised the exception in the line."),
    "the page_views function failed": Cause("A function of yours raised the exception in the line."),
    "page_view(…) makes no span": Cause("`page_view` has no provider to make its span, so the page view is not sent."),
    "storing the user id in": Cause("`state_directory` cannot be written."),
    "the event set by rum.event.type": Cause("`rum.event.details` violates RUM's schema of the type."),
    "the times of … are": Cause("A program sends OTLP with times in another unit."),
    "… events in … minutes": Cause("The projected cost is above `COST_WARNING_USD_PER_DAY`. See [cost](cost.md)."),
    "… events/s arrive, and": Cause(
        "More events arrive than `MAX_EVENTS_PER_SECOND`, or than RUM takes for a minute. See "
        "[cost](cost.md#a-budget-of-events)."
    ),
    "… events/s arrive; all new sessions": Cause("The load is below the budget, or below what RUM accepts."),
    "… of … messages not delivered in time": Cause(
        "RUM did not accept all events of an invocation in [Lambda](lambda.md) before its timeout."
    ),
    "… of … messages failed because": Cause(
        "Messages in [Lambda](lambda.md) are not OTLP, or S3 did not return an object. The line has the first reason."
    ),
    "… records rejected in … messages": Cause("Records of messages in [Lambda](lambda.md) are malformed."),
    "spool_directory is ignored in Lambda": Cause("A function has `SPOOL_DIRECTORY`. See [Lambda](lambda.md)."),
    "a postponed export failed": Cause("An error of this package, in a signal handler or finalizer.", "report it"),
    "internal error": Cause("An error of this package. Events stay queued."),
    "an export request failed unexpectedly": Cause("An error of the gateway."),
    "Kafka: …": Cause("librdkafka reports a fault of the brokers, the topics or the permissions."),
    "the offsets of …[…] went back": Cause(
        "A topic of `otel-rum kafka` was deleted and created again, or a broker has lost the last messages of a "
        "partition. Messages that were fetched before and found no room are lost with the topic; their number is given."
    ),
    "the consumer ends during a rebalance": Cause(
        "`otel-rum kafka` is to end, and other members of its group take long to join. Messages whose commit is "
        "refused meanwhile are consumed again."
    ),
    "an offset of … was not committed": Cause("A broker refused or missed a commit of `otel-rum kafka`."),
    "dead letters were not written to": Cause("The dead-letter topic of `otel-rum kafka` accepts no messages."),
    "the message … cannot be decoded": Cause("Something else than OTLP is in a topic of `otel-rum kafka`."),
    "… records of a message on": Cause("Parts of a message of `otel-rum kafka` are malformed."),
    "writing to … failed": Cause("The file of `otel-rum local --data` cannot be written."),
    "the local RUM listens on": Cause("`otel-rum local --host` is not an address of this computer only."),
    "Session ids like": Cause(
        "A note of `otel-rum explain`: the telemetry names no session.", "set sessions, see [Sessions](sessions.md)"
    ),
    "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID is not set. It keys": Cause(
        "A note of `otel-rum explain`: hashed ids depend on the app monitor.", "set it, or ignore the note"
    ),
}
"""By the beginning of the line."""

DROPS = {
    DropReason.NO_APP_MONITOR: "set `APP_MONITOR_ID`, or the resource attribute `aws.rum.appmonitor.id`",
    DropReason.UNMAPPABLE: "report the line; the other records are sent",
    DropReason.TOO_LARGE: "shorten the resource attributes that are sent as metadata",
    DropReason.REFUSED: "report the line, which has the type of the event and RUM's answer",
    DropReason.QUEUE_FULL: "check why RUM accepts no events, set `SPOOL_DIRECTORY`, or raise `MAX_MEMORY_BYTES`",
    DropReason.SPOOL_FULL: "check why RUM accepts no events, or raise `SPOOL_MAX_BYTES`",
    DropReason.EXPIRED: "check why RUM accepts no events, or raise `SPOOL_MAX_AGE_SECONDS`",
    DropReason.APP_MONITOR_REFUSED: "check id, region and permission of the app monitor, or send nothing to it",
    DropReason.DAMAGED: "check the disk of `SPOOL_DIRECTORY`",
    DropReason.OVER_BUDGET: (
        "raise AWS's quota and `MAX_EVENTS_PER_SECOND`, or send fewer events; [the rate](#log-lines) is logged instead"
    ),
    DropReason.SHUTDOWN: (
        "set `SPOOL_DIRECTORY`; raise `TIMEOUT_MILLIS` if RUM is slow; shut the exporter down after the last span"
    ),
}
"""The fix for each reason."""

RESULTS = {
    Disposition.THROTTLED: "kept, retried with half the request rate",
    Disposition.RETRY: "kept, retried within seconds",
    Disposition.WAIT: "kept, retried once a minute",
    Disposition.SPLIT: "split until the invalid event is found, which is dropped as `REFUSED`",
}

NO_FIX = {Disposition.SPLIT: "see `REFUSED` [below](#events-dropped)"}
"""Instead of a fix, for errors without one."""


def lines() -> str:
    """Return the log lines with their causes and fixes."""
    rows = []
    for line in sorted(log_lines(), key=lambda line: [*LINES].index(start_of(line))):
        text, _, fix = line.partition(" To fix: ")
        cause = LINES[start_of(line)]
        shown = "`… is not a setting; …`" if line == "…." else f"`{text.rstrip(':.')}`"
        rows.append((shown, cause.cause, (cause.fix or fix).rstrip(".")))
    return _table(("log line", "cause", "fix"), rows)


def drops() -> str:
    """Return the reasons of dropped events."""
    rows = ((f"`{reason.name}`", reason.value, DROPS[reason]) for reason in DropReason)
    return _table(("reason", "the line says", "fix"), rows)


def errors() -> str:
    """Return the errors of requests, with what happens to their events."""
    rows = [(f"`{name}`", disposition, advice) for name, (disposition, advice) in (ERROR_CODES | EXCEPTIONS).items()]
    rows += [(f"RUM's status {_range(codes)}", disposition, advice) for codes, disposition, advice in STATUSES]
    rows += [
        (f"another server's status {_range(codes)}", disposition, advice)
        for codes, disposition, advice in STATUSES_OF_OTHERS
    ]
    grouped: dict[tuple[Disposition, str], list[str]] = {}
    for name, disposition, advice in rows:
        grouped.setdefault((disposition, advice), []).append("any other exception" if name == "`Exception`" else name)
    return _table(
        ("error", "its events are", "fix"),
        (
            (", ".join(names), RESULTS[disposition], advice or NO_FIX.get(disposition, "nothing, unless it continues"))
            for (disposition, advice), names in sorted(grouped.items(), key=lambda item: [*RESULTS].index(item[0][0]))
        ),
    )


def start_of(line: str) -> str:
    """Return the row of `LINES` for a log line.

    Raises:
        LookupError: There is none, or several.
    """
    found = [start for start in LINES if line.startswith(start)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} rows of LINES fit the log line {line!r}. To fix: write one")
    return found[0]


def _range(codes: range) -> str:
    return str(codes[0]) if len(codes) == 1 else f"{str(codes[0])[0]}xx"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
