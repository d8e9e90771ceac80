"""The settings table: precedence, faults, and the documentation made from it."""

from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter import _env_vars
from otel_rum_exporter.config import PREFIX, Config, ConfigError, Settings, table, unknown_variables, variable

MONITOR = "00000000-aaaa-4bbb-8ccc-000000000001"


def test_defaults_are_those_of_the_table() -> None:
    """An app monitor id is all that anyone must give."""
    config = Config.read({}, {f"{PREFIX}APP_MONITOR_ID": MONITOR})
    assert Config(app_monitor_id=MONITOR) == config
    assert (config.signing, config.compression, config.timeout_millis) == ("sigv4", "gzip", 10_000)
    assert (config.max_events_per_request, config.max_requests_per_second) == (100, 50)
    assert (config.http_events, config.custom_events, config.page_views) == ("failed", True, "auto")


def test_an_argument_goes_before_the_environment_and_an_own_variable_before_awss() -> None:
    """Precedence is argument, own variable, fallback variables in order, default."""
    environment = {f"{PREFIX}REGION": "eu-west-1", "AWS_REGION": "us-east-1", f"{PREFIX}APP_MONITOR_ID": MONITOR}
    assert Config.read({"region": "sa-east-1"}, environment).region == "sa-east-1"
    assert Config.read({}, environment).region == "eu-west-1"
    assert Config.read({}, {**environment, f"{PREFIX}REGION": " "}).region == "us-east-1"
    fallback = {f"{PREFIX}APP_MONITOR_ID": MONITOR, "AWS_DEFAULT_REGION": "eu-north-1"}
    assert Config.read({}, fallback).region == "eu-north-1"


def test_every_fault_is_told_at_once_with_name_value_and_fix() -> None:
    """A person mends a configuration in one go."""
    environment = {
        f"{PREFIX}APP_MONITOR_ID": "my-monitor",
        f"{PREFIX}TIMEOUT_MILLIS": "ten",
        f"{PREFIX}SIGNING": "v4",
        f"{PREFIX}CUSTOM_EVENTS": "yes",
        "AWS_ENDPOINT_URL_RUM": "localhost:80",
    }
    with pytest.raises(ConfigError) as caught:
        Config.read({"metadata_attribute": "x"}, environment)
    told = str(caught.value)
    for expected in (
        f"{PREFIX}APP_MONITOR_ID='my-monitor' is not a UUID; copy",
        f"{PREFIX}TIMEOUT_MILLIS='ten' is not a whole number of at least 1; use for example 10000",
        f"{PREFIX}SIGNING='v4' is not one of sigv4, none",
        f"{PREFIX}CUSTOM_EVENTS='yes' is neither true nor false",
        "AWS_ENDPOINT_URL_RUM='localhost:80' is not an http(s) URL",
        "did you mean 'metadata_attributes'?",
    ):
        assert expected in told
    assert len(caught.value.faults) == 6


def test_a_missing_app_monitor_id_is_a_fault_unless_the_resource_names_one() -> None:
    """Spans need somewhere to go; ADOT's resource attribute is as good as the setting."""
    with pytest.raises(ConfigError, match="APP_MONITOR_ID is not set"):
        Config.read({}, {})
    resource = {"OTEL_RESOURCE_ATTRIBUTES": f"service.name=a,aws.rum.appmonitor.id={MONITOR}"}
    assert Config.read({}, resource).app_monitor_id is None


def test_a_variable_that_is_no_setting_is_told_with_the_likely_one() -> None:
    """A slip of the pen would otherwise send telemetry elsewhere, or nowhere."""
    assert unknown_variables({f"{PREFIX}ENPOINT": "http://x", f"{PREFIX}REGION": "eu-west-1", "OTHER": "1"}) == [
        f"'{PREFIX}ENPOINT' is not a setting; did you mean '{PREFIX}ENDPOINT'?"
    ]


def test_a_secret_stands_neither_in_the_repr_nor_in_an_error() -> None:
    """The hash key is for computing with, not for reading."""
    assert "swordfish" not in repr(Config(app_monitor_id=MONITOR, id_hash_key="swordfish"))
    with pytest.raises(ConfigError) as caught:
        Config.read({"app_monitor_id": MONITOR, "id_hash_key": ["swordfish"]}, {})
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [("a, b,,a", ("a", "b")), (["a", "b"], ("a", "b")), ("", ())],
)
def test_lists_come_as_text_from_variables_and_as_lists_from_yaml(
    given_value: object, expected: tuple[str, ...]
) -> None:
    """Both forms mean the same, without doubles and blanks."""
    assert Config.read({"app_monitor_id": MONITOR, "url_query_parameters": given_value}, {}).url_query_parameters == (
        expected
    )


def test_more_metadata_attributes_than_rum_keeps_are_a_fault() -> None:
    """RUM removes what exceeds ten; one place is for the mark of trimmed events."""
    names = ",".join(f"a{number}" for number in range(10))
    with pytest.raises(ConfigError, match="at most 9"):
        Config.read({"app_monitor_id": MONITOR, "metadata_attributes": names}, {})


def test_the_keyword_the_yaml_key_and_the_variable_are_one_name() -> None:
    """What the exporter accepts, what the table documents and what the command line offers cannot differ."""
    assert set(table()) == set(get_type_hints(Settings))
    offered = {name for name in dir(_env_vars) if name.startswith("OTEL_")}
    assert {variable(name) for name in table()} == offered
    assert all(getattr(_env_vars, name) == name for name in offered)


@given(
    st.sampled_from(sorted(table())), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
)
def test_any_value_of_any_setting_is_taken_or_told(name: str, value: object) -> None:
    """Reading a configuration ends in a Config or in a ConfigError, never otherwise."""
    try:
        config = Config.read({"app_monitor_id": MONITOR, name: value}, {})
    except ConfigError as error:
        assert name in str(error)  # noqa: PT017 - both ends are right
    else:
        assert isinstance(config, Config)
