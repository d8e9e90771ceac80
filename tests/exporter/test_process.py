"""Processes: autoconfiguration, declarative YAML, and how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_rum_exporter.local import LocalRum
from tests.spans import APP_MONITOR_ID

INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
PROCESS_SECONDS = 120.0
EXIT_SECONDS = 12.0
"""The documented maximum for a dead endpoint, and the only time that a test here measures."""
BUSY_SECONDS = 12.0
"""The time that a busy machine may add to it."""

APPLICATION = """
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("work"):
    pass
print("done")
"""


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these OTel settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    return {
        **kept,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*",  # those of the test tools take seconds to import
        "PYTHONWARNINGS": "ignore",
        **settings,
    }


def rum_settings(url: str) -> dict[str, str]:
    """Return the variables that switch the exporter on."""
    return {
        "OTEL_TRACES_EXPORTER": "aws_rum",
        "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "OTEL_EXPORTER_AWS_RUM_SESSION_START": "minted",
    }


def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a process to its end."""
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PROCESS_SECONDS, check=True)


def test_environment_variables_alone_export_spans_and_log_records(rum: LocalRum) -> None:
    """opentelemetry-instrument finds both exporters by name, and they share one session."""
    application = (
        APPLICATION
        + """
from opentelemetry._logs import LogRecord, get_logger
get_logger("app").emit(LogRecord(event_name="cart.filled"))
"""
    )
    settings = {**rum_settings(rum.url), "OTEL_LOGS_EXPORTER": "aws_rum"}
    run([INSTRUMENT, sys.executable, "-c", application], environment(**settings))
    kinds = sorted(event.type for event in rum.events)
    assert kinds == ["cart.filled", "com.amazon.rum.session_start_event", "work"]
    assert len({event.session_id for event in rum.events}) == 1


def test_command_line_options_of_opentelemetry_instrument_set_it_too(rum: LocalRum) -> None:
    """Each variable is an option, and none conflicts with another."""
    settings = rum_settings(rum.url)
    monitor = settings.pop("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID")
    option = ["--exporter_aws_rum_app_monitor_id", monitor]
    run([INSTRUMENT, *option, sys.executable, "-c", APPLICATION], environment(**settings))
    assert rum.batches[0].app_monitor_id == monitor


def test_a_misconfigured_exporter_leaves_other_telemetry_alive(rum: LocalRum) -> None:
    """There is one error line; the console exporter and the application go on."""
    settings = {**rum_settings(rum.url), "OTEL_TRACES_EXPORTER": "aws_rum,console"}
    settings["OTEL_EXPORTER_AWS_RUM_TIMEOUT_MILLIS"] = "soon"
    done = run([INSTRUMENT, sys.executable, "-c", APPLICATION], environment(**settings))
    assert "done" in done.stdout
    assert '"name": "work"' in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if "RUM" in line]
    assert "OTEL_EXPORTER_AWS_RUM_TIMEOUT_MILLIS='soon'" in line
    assert not rum.requests


YAML = """
file_format: "1.1"
tracer_provider:
  processors:
    - batch:
        exporter:
          aws_rum:
            app_monitor_id: {monitor}
            endpoint: {url}
            signing: none
            max_events_per_request: 5
            metadata_attributes: [tenant, "plan"]
{more}
"""


def test_declarative_yaml_configures_it(rum: LocalRum, tmp_path: Path) -> None:
    """The keys are the keywords; numbers and lists are those of YAML."""
    file = tmp_path / "otel.yaml"
    file.write_text(YAML.format(monitor=APP_MONITOR_ID, url=rum.url, more=""))
    run([INSTRUMENT, sys.executable, "-c", APPLICATION], environment(OTEL_CONFIG_FILE=str(file)))
    assert [event.type for event in rum.events("work")] == ["work"]


def test_a_wrong_key_in_declarative_yaml_raises_with_the_right_one(rum: LocalRum, tmp_path: Path) -> None:
    """Configuration by file fails at the start, as configuration in code does."""
    file = tmp_path / "otel.yaml"
    file.write_text(YAML.format(monitor=APP_MONITOR_ID, url=rum.url, more="            alais: x"))
    code = (
        "from opentelemetry.configuration import configure_sdk, load_config_file\n"
        f"configure_sdk(load_config_file({str(file)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert "the most similar is 'alias'" in done.stderr


@pytest.fixture(params=["refuses", "never answers"])
def dead_endpoint(request: pytest.FixtureRequest) -> object:
    """Return an endpoint that refuses connections, or accepts them and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "never answers":
            listener.listen(50)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_process_with_a_dead_endpoint_exits_within_12_seconds(dead_endpoint: str) -> None:
    """Deadlines bound the exit, and one line reports the loss."""
    application = APPLICATION + "import time; time.sleep(1); print(time.time())"
    settings = {**rum_settings(dead_endpoint), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    done = run([INSTRUMENT, sys.executable, "-c", application], environment(**settings))
    assert time.time() - float(done.stdout.split()[-1]) < EXIT_SECONDS + BUSY_SECONDS
    assert "events dropped" in done.stderr


def test_exporters_share_one_deadline_at_exit() -> None:
    """Eight with other settings took 17 to 22 seconds. These would take 32."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        code = f"""
import time
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_rum_exporter import RumSpanExporter
providers = [TracerProvider() for _ in range(8)]
for number, provider in enumerate(providers):
    exporter = RumSpanExporter(
        app_monitor_id={APP_MONITOR_ID!r}, endpoint="http://127.0.0.1:{listener.getsockname()[1]}", signing="none",
        timeout_millis=4000, alias=f"alias{{number}}",
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("app").start_span("work").end()
print(time.time())
"""
        done = run([sys.executable, "-c", code], environment())
    # Python 3.12 starts no thread at exit: the waiting thread sends, and ends a request only at its own time-out.
    sends_itself_seconds = 13.0 if sys.version_info[:2] == (3, 12) else 0.0
    assert time.time() - float(done.stdout) < 4.0 + sends_itself_seconds + BUSY_SECONDS
    assert done.stderr.count("events dropped") == 8


@pytest.mark.parametrize(
    ("processor", "spans"), [("SimpleSpanProcessor", 1), ("SimpleSpanProcessor", 300), ("BatchSpanProcessor", 1200)]
)
def test_a_script_whose_first_export_is_at_its_end_loses_nothing(processor: str, spans: int, rum: LocalRum) -> None:
    """On each supported Python, also those that start no thread at exit. The imports happen at exit too."""
    code = f"""
import atexit
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from otel_rum_exporter import RumSpanExporter
provider = TracerProvider()
exporter = RumSpanExporter(app_monitor_id={APP_MONITOR_ID!r}, endpoint={rum.url!r}, signing="none")
provider.add_span_processor({processor}(exporter))

@atexit.register
def last():
    for _ in range({spans}):
        provider.get_tracer("app").start_span("work").end()
"""
    done = run([sys.executable, "-c", code], environment())
    assert done.stderr == ""
    assert len(rum.events("work")) == spans


def test_a_thread_that_outlives_the_main_thread_waits_for_delivery(rum: LocalRum) -> None:
    """Such a process is not at exit. It may run for days, and be killed."""
    code = f"""
import os, threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otel_rum_exporter import RumSpanExporter
provider = TracerProvider()
exporter = RumSpanExporter(app_monitor_id={APP_MONITOR_ID!r}, endpoint={rum.url!r}, signing="none")
provider.add_span_processor(SimpleSpanProcessor(exporter))

def work():
    threading.main_thread().join()
    provider.get_tracer("app").start_span("work").end()
    os._exit(0)

# The first export imports boto3, which on a busy machine takes longer than an export waits.
provider.get_tracer("app").start_span("first").end()
assert exporter.force_flush(60_000)
threading.Thread(target=work).start()
"""
    run([sys.executable, "-c", code], environment())
    assert len(rum.events("work")) == 1


def test_a_script_that_ends_at_once_delivers_its_only_span(rum: LocalRum) -> None:
    """On each supported Python, also those that start no thread at exit."""
    code = f"""
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_rum_exporter import RumSpanExporter
provider = TracerProvider()
exporter = RumSpanExporter(app_monitor_id={APP_MONITOR_ID!r}, endpoint={rum.url!r}, signing="none")
provider.add_span_processor(BatchSpanProcessor(exporter))
provider.get_tracer("app").start_span("work").end()
"""
    run([sys.executable, "-c", code], environment())
    assert [event.type for event in rum.events("work")] == ["work"]


def test_sigterm_of_a_program_that_handles_it_delivers_the_last_spans(rum: LocalRum) -> None:
    """An exit by sys.exit is an exit like any other."""
    code = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
{APPLICATION}
sys.stdout.flush()
time.sleep({PROCESS_SECONDS})
"""
    with subprocess.Popen(
        [INSTRUMENT, sys.executable, "-c", code],
        env=environment(**rum_settings(rum.url), OTEL_BSP_SCHEDULE_DELAY="60000"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PROCESS_SECONDS) == 0
    assert [event.type for event in rum.events("work")] == ["work"]


START = f"""
import sys
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.trace.export import BatchSpanProcessor
before = set(sys.modules)
from otel_rum_exporter import RumSpanExporter
exporter = RumSpanExporter(app_monitor_id={APP_MONITOR_ID!r}, region="eu-west-1")
"""
IMPORTED = """
print(*sorted(set(sys.modules) - before))
"""


def imported(code: str) -> set[str]:
    """Return what a program imports that has imported the SDK already."""
    return set(run([sys.executable, "-c", START + code + IMPORTED], environment()).stdout.split())


def test_a_start_imports_neither_boto3_nor_the_mapping() -> None:
    """boto3 costs 0.1 s and 27 MB, the mapping 20 ms and OpenSSL; they are imported with the first span."""
    found = imported("")
    assert not {"boto3", "botocore", "google.protobuf", "starlette", "orjson", "_hashlib", "difflib"} & found
    assert {name for name in found if name.startswith("otel_rum_exporter")} == {
        "otel_rum_exporter",
        *(
            f"otel_rum_exporter.{module}"
            for module in (
                *(
                    "_attributes",
                    "_config_fields",
                    "_settings",
                    "_fork",
                    "_locks",
                    "_pattern",
                    "_log",
                    "_secrets",
                    "_uuid",
                    "_version",
                    "config",
                    "ledger",
                ),
                *("exporter", "exporter.exporters", "exporter.registry"),
            )
        ),
    }


def test_an_exporter_without_telemetry_builds_no_pipeline() -> None:
    """A worker without requests, or a command that fails early, does not pay for its imports."""
    assert "otel_rum_exporter.exporter.pipeline" not in imported("""
assert exporter.ledger.accepted == 0
assert exporter.force_flush()
exporter.shutdown()
exporter.shutdown()
""")
