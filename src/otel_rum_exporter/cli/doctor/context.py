"""The context of the checks: settings, AWS session, and the responses of earlier checks."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ..._attributes import RESOURCE_APP_MONITOR_ID
from ..._uuid import UUID
from ...config import Config, readings, variable
from ...rum.credentials import create_client, create_session
from ...rum.errors import is_web_page
from ...rum.response import NotRumError
from ..options import option_of
from .policy import AppMonitorArn
from .result import WebPageError


class Context:
    """The settings of one process, its AWS session, and what the checks found so far.

    Wrong settings count as not set, so that one wrong setting does not hide another. `skews_seconds` contains the
    difference of each remote clock to the local one, positive if the remote clock is ahead. `is_endpoint_rum` is false
    once the endpoint was found to be another server.
    """

    def __init__(self, given: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self.given = given
        self.environment = environment
        self.readings = readings(given, environment, option_of)
        self.config = Config(**{name: reading.value for name, reading in self.readings.items()})
        if self.config.app_monitor_id is None:
            self.config = replace(self.config, app_monitor_id=_resource_app_monitor_id(environment))
        self.skews_seconds: list[float] = []
        self.is_endpoint_rum = True
        self.caller_arn: str | None = None
        self.monitor: Mapping[str, Any] | None = None

    @cached_property
    def session(self) -> Any:
        """The boto3 session of the settings."""
        return create_session(self.config)

    @cached_property
    def region(self) -> str | None:
        """The region of the settings, else of the AWS profile."""
        found: str | None = self.session.region_name
        return found

    @property
    def region_in_words(self) -> str:
        """The region for messages."""
        return self.region or "the endpoint's region"

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this computer, so that nothing is sent to AWS."""
        host = urlsplit(self.config.endpoint or "").hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def is_sdk_disabled(self) -> bool:
        """Whether a variable switches all telemetry off."""
        return self.environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"

    @property
    def is_signed(self) -> bool:
        """Whether requests are signed."""
        return self.config.signing == "sigv4"

    @property
    def arn(self) -> AppMonitorArn:
        """The ARN of the app monitor, with placeholders for unknown parts."""
        _, partition, _, _, account, *_ = (self.caller_arn or "arn:aws:::ACCOUNT:").split(":")
        name = self.monitor["Name"] if self.monitor else self.config.app_monitor_name
        return AppMonitorArn(partition, self.region or "REGION", account, name or "NAME")

    def raw(self, name: str) -> object:
        """Return the given value of a setting, valid or not, or None."""
        place = self.readings[name].place
        return None if place is None else self.given.get(name) or self.environment[place]

    def source_of(self, name: str) -> str:
        """Return the option or variable that sets a setting, or the setting's own variable if nothing sets it."""
        return self.readings[name].place or variable(name)

    def rum(self, region: str | None = None) -> Any:
        """Return a client for RUM's control plane. A local endpoint is also used as the control plane."""
        return self._client("rum", region)

    def logs(self) -> Any:
        """Return a client for CloudWatch Logs, which a local RUM serves as well."""
        return self._client("logs")

    def _client(self, service: str, region: str | None = None) -> Any:
        return create_client(
            self.session.client,
            service,
            region or self.region or ("us-east-1" if self.is_local else None),
            is_signed=self.is_signed or not self.is_local,
            endpoint=self.config.endpoint if self.is_local else None,
        )

    def request(self, call: Callable[..., Any], **parameters: Any) -> Any:
        """Call a client method, and read the remote clock from its response.

        Raises:
            WebPageError: the response is a web page.
        """
        try:
            response = call(**parameters)
        except NotRumError as error:
            raise WebPageError from error
        except Exception as error:
            self._check_response(getattr(error, "response", None))
            raise
        self._check_response(response)
        return response

    def _check_response(self, response: object) -> None:
        if is_web_page(response):
            raise WebPageError
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, Mapping) else {}
        date = metadata.get("HTTPHeaders", {}).get("date")
        try:
            self.skews_seconds.append(email.utils.parsedate_to_datetime(date).timestamp() - time.time())
        except (TypeError, ValueError):
            return


def _resource_app_monitor_id(environment: Mapping[str, str]) -> str | None:
    pairs = (pair.partition("=") for pair in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    value = next((value.strip() for name, _, value in pairs if name.strip() == RESOURCE_APP_MONITOR_ID), "")
    return value if UUID.fullmatch(value) else None
