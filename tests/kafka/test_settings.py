"""The settings of the consumer: properties of librdkafka, and those that guarantee delivery."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer

from otel_rum_exporter.cli.program import otel_rum
from otel_rum_exporter.kafka.authentication import msk_token
from otel_rum_exporter.kafka.settings import FIXED, TOPICS, KafkaSettings, read_properties, read_property

ROOT = Path(__file__).parents[2]


def test_librdkafka_accepts_all_properties() -> None:
    """Those of the consumer do not reach the producer of dead letters, which would log them."""
    settings = KafkaSettings(
        brokers="127.0.0.1:1",
        properties={"security.protocol": "SASL_SSL", "group.instance.id": "one", "session.timeout.ms": "6000"},
    )
    assert "cooperative-sticky" in settings.consumer().values()
    assert settings.consumer()["group.instance.id"] == "one"
    assert "group.instance.id" not in settings.producer()
    assert settings.producer()["security.protocol"] == "SASL_SSL"
    plain = KafkaSettings(brokers="127.0.0.1:1", properties={"group.instance.id": "one"})
    Consumer({**plain.consumer(), "log_level": 0}).close()
    Producer({**plain.producer(), "log_level": 0})


def test_the_group_protocol_of_kafka_4_may_be_set() -> None:
    """With it the brokers assign, and librdkafka refuses a strategy of the consumer."""
    settings = KafkaSettings(brokers="127.0.0.1:1", properties={"group.protocol": "consumer"})
    assert "partition.assignment.strategy" not in settings.consumer()
    Consumer({**settings.consumer(), "log_level": 0}).close()
    Producer({**settings.producer(), "log_level": 0})


def test_librdkafka_writes_no_lines_of_its_own() -> None:
    """The consumer logs failures with their consequence; a broker that is away would fill the log."""
    settings = KafkaSettings(brokers="b")
    assert settings.consumer()["log_level"] == settings.producer()["log_level"] == "2"
    settings = KafkaSettings(brokers="b", properties={"log_level": "7"})
    assert settings.consumer()["log_level"] == settings.producer()["log_level"] == "7"


def test_properties_cannot_switch_the_guarantee_off() -> None:
    """Offsets are committed by receipts only."""
    settings = KafkaSettings(brokers="b", properties={"enable.auto.commit": "true"})
    assert settings.consumer().items() >= FIXED.items()


def test_msk_signs_in_with_tokens() -> None:
    """The user may override it."""
    settings = KafkaSettings(brokers="b", msk_region="eu-west-1")
    for properties in (settings.consumer(), settings.producer()):
        assert properties["sasl.mechanisms"] == "OAUTHBEARER"
        assert properties["security.protocol"] == "SASL_SSL"


def test_a_file_has_one_property_in_each_line() -> None:
    """Values may contain `=`."""
    assert read_properties("# a comment\n\nsasl.username = me\nsasl.password=a=b\n") == {
        "sasl.username": "me",
        "sasl.password": "a=b",
    }
    with pytest.raises(ValueError, match="line 2 is not"):
        read_properties("a=b\nnonsense")


@pytest.mark.parametrize("text", ["secret", "=secret", "enable.auto.commit=secret", "group.id=secret"])
def test_a_wrong_property_is_an_error_without_its_value(text: str) -> None:
    """It may be a password."""
    with pytest.raises(ValueError, match=r"is not|which is always|use --group") as fault:
        read_property(text)
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--property", "enable.auto.commit=true"], "--property enable.auto.commit: sets enable.auto.commit, which is"),
        (["--topic", "^otlp_[[:alpha:]]+"], "--topic ^otlp_[[:alpha:]]+: is a pattern with a class of POSIX"),
        (["--topic", "^otlp_("], "--topic ^otlp_(: is not a pattern"),
        (["--topic", "a", "--dead-letter-topic", "a"], "--dead-letter-topic a is consumed too, because of --topic a"),
        (["--topic", "^otlp_.*", "--dead-letter-topic", "otlp_dead"], "is consumed too, because of --topic ^otlp_.*"),
    ],
)
def test_wrong_options_end_the_command(options: list[str], message: str) -> None:
    """Before anything is connected."""
    result = CliRunner().invoke(otel_rum, ["kafka", "--brokers", "127.0.0.1:1", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_the_file_of_properties_is_named_in_its_errors(tmp_path: Path) -> None:
    """With the line."""
    file = tmp_path / "kafka.properties"
    file.write_text("a=b\nnonsense")
    result = CliRunner().invoke(otel_rum, ["kafka", "--brokers", "b", "--properties", str(file)])
    assert result.exit_code == 2
    assert "line 2 is not NAME=VALUE" in result.output


def test_without_the_extra_the_command_names_it() -> None:
    """Its help works without."""
    program = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "from otel_rum_exporter.cli import main\n"
        "sys.argv = ['otel-rum', 'kafka', *sys.argv[1:]]\n"
        "main()"
    )
    environment = {"OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": "00000000-aaaa-4bbb-8ccc-000000000001"}
    missing, shown = (
        subprocess.run(
            [sys.executable, "-c", program, *options], env=environment, capture_output=True, text=True, check=False
        )
        for options in (["--brokers", "b"], ["--help"])
    )
    assert missing.returncode == 2
    assert "pip install 'otel-rum-exporter[kafka]'" in missing.stderr
    assert shown.returncode == 0


def test_a_token_for_msk_is_signed_with_the_credentials_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a presigned URL, and has the time of its end since the epoch."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    token, end = msk_token("eu-west-1")("")
    url = base64.urlsafe_b64decode(token + "==").decode()
    assert "kafka.eu-west-1.amazonaws.com" in url
    assert "AKIDEXAMPLE" in url
    assert 60 < end - time.time() < 3600


def test_a_property_that_librdkafka_does_not_have_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its name, from an option and from a file."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", "00000000-aaaa-4bbb-8ccc-000000000001")
    file = tmp_path / "kafka.properties"
    file.write_text("# a mistake\nno.such = 1\n")
    for options in (["--property", "no.such=1"], ["--properties", str(file)]):
        result = CliRunner().invoke(otel_rum, ["kafka", "--brokers", "127.0.0.1:1", *options])
        assert result.exit_code == 1
        assert 'No such configuration property: "no.such"' in result.output


def test_settings_do_not_show_passwords() -> None:
    """They may be in a traceback or a debugger's log."""
    settings = KafkaSettings(brokers="kafka:9092", properties={"sasl.password": "hunter2"})
    assert "hunter2" not in repr(settings)
    assert settings.consumer()["sasl.password"] == settings.producer()["sasl.password"] == "hunter2"


def test_the_pattern_of_the_docs_matches_no_metrics() -> None:
    """The Collector writes them to `otlp_metrics`. Each message would be a dead letter."""
    texts = [CliRunner().invoke(otel_rum, ["kafka", "--help"]).output, (ROOT / "docs" / "kafka.md").read_text("utf-8")]
    for text in texts:
        (pattern,) = re.findall(r"--topic '(\^[^']+)'", text)
        assert any(re.match(pattern, name) for name in TOPICS)
        assert not any(re.match(pattern, f"otlp_{other}") for other in ("metrics", "profiles"))


def test_the_extra_reads_messages_in_zstd() -> None:
    """Without the library they would be skipped."""
    extras = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'^kafka = \["otel-rum-exporter\[cli,zstd\]"', extras, re.MULTILINE)
