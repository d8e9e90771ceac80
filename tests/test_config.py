"""The table of settings: precedence, faults, and the names made from it."""

from typing import get_type_hints

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_rum_exporter import _env_vars
from otel_rum_exporter._settings import Settings
from otel_rum_exporter.config import PREFIX, Config, ConfigError, table, unknown_variables, variable

MONITOR = "00000000-aaaa-4bbb-8ccc-000000000001"


def test_defaults_are_those_of_the_table() -> None:
    """Only the app monitor id is required."""
    config = Config.read({}, {f"{PREFIX}APP_MONITOR_ID": MONITOR})
    assert Config(app_monitor_id=MONITOR) == config
    assert (config.signing, config.compression, config.timeout_millis) == ("sigv4", "gzip", 10_000)
    assert (config.max_events_per_request, config.max_requests_per_second) == (100, 50)
    assert (config.http_events, config.custom_events, config.page_views) == ("failed", "application", "auto")


def test_an_argument_overrides_variables_and_our_variable_overrides_awss() -> None:
    """Precedence is argument, our variable, fallback variables in order, default."""
    environment = {f"{PREFIX}REGION": "eu-west-1", "AWS_REGION": "us-east-1", f"{PREFIX}APP_MONITOR_ID": MONITOR}
    assert Config.read({"region": "sa-east-1"}, environment).region == "sa-east-1"
    assert Config.read({}, environment).region == "eu-west-1"
    assert Config.read({}, {**environment, f"{PREFIX}REGION": " "}).region == "us-east-1"
    fallback = {f"{PREFIX}APP_MONITOR_ID": MONITOR, "AWS_DEFAULT_REGION": "eu-north-1"}
    assert Config.read({}, fallback).region == "eu-north-1"


def test_a_config_error_has_name_value_and_fix_of_each_fault() -> None:
    """All faults can be fixed in one go."""
    environment = {
        f"{PREFIX}APP_MONITOR_ID": "my-monitor",
        f"{PREFIX}TIMEOUT_MILLIS": "ten",
        f"{PREFIX}SIGNING": "v4",
        f"{PREFIX}CUSTOM_EVENTS": "yes",
        "AWS_ENDPOINT_URL_RUM": "localhost:80",
    }
    with pytest.raises(ConfigError) as caught:
        Config.read({"metadata_attribute": "x"}, environment)
    message = str(caught.value)
    for expected in (
        f"{PREFIX}APP_MONITOR_ID='my-monitor' is not a UUID; copy",
        f"{PREFIX}TIMEOUT_MILLIS='ten' is not a whole number of at least 1; use for example 10000",
        f"{PREFIX}SIGNING='v4' is not one of sigv4, none",
        f"{PREFIX}CUSTOM_EVENTS='yes' is not one of application, all, none",
        "AWS_ENDPOINT_URL_RUM='localhost:80' is not an http(s) URL",
        "the most similar is 'metadata_attributes'",
    ):
        assert expected in message
    assert len(caught.value.faults) == 6


def test_a_missing_app_monitor_id_is_a_fault_unless_the_resource_names_one() -> None:
    """ADOT's resource attribute replaces the setting."""
    with pytest.raises(ConfigError, match="APP_MONITOR_ID is not set"):
        Config.read({}, {})
    resource = {"OTEL_RESOURCE_ATTRIBUTES": f"service.name=a,aws.rum.appmonitor.id={MONITOR}"}
    assert Config.read({}, resource).app_monitor_id is None


def test_an_unknown_variable_is_reported_with_the_most_similar_setting() -> None:
    """A typing error would otherwise send telemetry elsewhere, or nowhere."""
    assert unknown_variables({f"{PREFIX}ENPOINT": "http://x", f"{PREFIX}REGION": "eu-west-1", "OTHER": "1"}) == [
        f"'{PREFIX}ENPOINT' is not a setting; the most similar is '{PREFIX}ENDPOINT'"
    ]


def test_a_secret_is_neither_in_the_repr_nor_in_an_error() -> None:
    """Both may be logged."""
    assert "swordfish" not in repr(Config(app_monitor_id=MONITOR, id_hash_key="swordfish"))
    with pytest.raises(ConfigError) as caught:
        Config.read({"app_monitor_id": MONITOR, "id_hash_key": ["swordfish"]}, {})
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [("a, b,,a", ("a", "b")), (["a", "b"], ("a", "b")), ("", ())],
)
def test_a_list_is_read_from_text_and_from_a_list(given_value: object, expected: tuple[str, ...]) -> None:
    """Variables contain text, YAML contains lists; duplicates and blanks are removed."""
    assert Config.read({"app_monitor_id": MONITOR, "url_query_parameters": given_value}, {}).url_query_parameters == (
        expected
    )


def test_more_metadata_attributes_than_rum_keeps_are_a_fault() -> None:
    """RUM removes attributes beyond ten, and one is `truncated`."""
    names = ",".join(f"a{number}" for number in range(10))
    with pytest.raises(ConfigError, match="at most 9"):
        Config.read({"app_monitor_id": MONITOR, "metadata_attributes": names}, {})


def test_keyword_documentation_and_command_line_option_have_the_same_name() -> None:
    """They cannot differ, because all are made from one table."""
    assert set(table()) == set(get_type_hints(Settings))
    offered = {name for name in dir(_env_vars) if name.startswith("OTEL_")}
    assert {variable(name) for name in table()} == offered
    assert all(getattr(_env_vars, name) == name for name in offered)


@example("alias", 10**33)
@example("alias", 10**60)
@given(
    st.sampled_from(sorted(table())), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
)
def test_any_value_of_any_setting_is_read_or_a_config_error(name: str, value: object) -> None:
    """There is no other exception."""
    try:
        config = Config.read({"app_monitor_id": MONITOR, name: value}, {})
    except ConfigError as error:
        assert name in str(error)  # noqa: PT017 - both ends are right
    else:
        assert isinstance(config, Config)
