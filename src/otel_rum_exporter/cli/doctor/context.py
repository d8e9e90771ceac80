"""Who is examined: the settings as they were found, the AWS session they make, and what the checks have learned."""

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
from ..._config_fields import UUID
from ...config import Config, readings, variable
from ...rum.credentials import create_client, create_session
from ...rum.errors import is_web_page
from .policy import Place
from .result import WebPageError


class Subject:
    """One process's settings, with the session made from them.

    Settings that are wrong count as not given, so that one fault hides no other. `skews_seconds` has how far the
    clocks of others are ahead.
    """

    def __init__(self, given: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self.given = given
        self.environment = environment
        self.readings = readings(given, environment)
        self.config = Config(**{name: reading.value for name, reading in self.readings.items()})
        if self.config.app_monitor_id is None:
            self.config = replace(self.config, app_monitor_id=_monitor_of_resource(environment))
        self.skews_seconds: list[float] = []
        self.caller_arn: str | None = None
        self.monitor: Mapping[str, Any] | None = None

    @cached_property
    def session(self) -> Any:
        return create_session(self.config)

    @cached_property
    def region(self) -> str | None:
        found: str | None = self.session.region_name
        return found

    @property
    def where(self) -> str:
        """Where the app monitor should be, in words."""
        return self.region or "the endpoint's region"

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this computer, so that AWS is not concerned."""
        host = urlsplit(self.config.endpoint or "").hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def is_signed(self) -> bool:
        return self.config.signing == "sigv4"

    @property
    def place(self) -> Place:
        """Where the app monitor is, as far as it is known."""
        _, partition, _, _, account, *_ = (self.caller_arn or "arn:aws:::ACCOUNT:").split(":")
        name = self.monitor["Name"] if self.monitor else self.config.app_monitor_name
        return Place(partition, self.region or "REGION", account, name or "NAME")

    def raw(self, name: str) -> object:
        """Return what a setting was given as, right or wrong."""
        place = self.readings[name].place
        return None if place is None else self.given.get(name) or self.environment[place]

    def named(self, name: str) -> str:
        """Return what to change a setting by: the option or variable that it was given by, or its own variable."""
        place = self.readings[name].place
        return f"--{name.replace('_', '-')}" if place == name else place or variable(name)

    def rum(self, region: str | None = None) -> Any:
        """Return a client for RUM's control plane; a local endpoint stands in for that too."""
        return create_client(
            self.session.client,
            "rum",
            region or self.region or ("us-east-1" if self.is_local else None),
            is_signed=self.is_signed or not self.is_local,
            endpoint=self.config.endpoint if self.is_local else None,
        )

    def ask(self, call: Callable[..., Any], **parameters: Any) -> Any:
        """Make a call, and read the clock of who answers.

        Raises:
            WebPageError: where that is not AWS.
        """
        try:
            answer = call(**parameters)
        except Exception as error:
            self._look_at(getattr(error, "response", None))
            raise
        self._look_at(answer)
        return answer

    def _look_at(self, answer: object) -> None:
        if is_web_page(answer):
            raise WebPageError
        metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, Mapping) else {}
        told = metadata.get("HTTPHeaders", {}).get("date")
        try:
            self.skews_seconds.append(email.utils.parsedate_to_datetime(told).timestamp() - time.time())
        except (TypeError, ValueError):
            return


def _monitor_of_resource(environment: Mapping[str, str]) -> str | None:
    pairs = (pair.partition("=") for pair in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    told = next((value.strip() for name, _, value in pairs if name.strip() == RESOURCE_APP_MONITOR_ID), "")
    return told if UUID.fullmatch(told) else None
