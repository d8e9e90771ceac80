"""Remove from a record everything that must not leave the application, by the tables of names, texts and ids.

`private_names`, `secret_texts` and `path_ids` have the tables. A `Redactor` applies them in one mode. Settings name
query parameters that URLs keep (`url_query_parameters`) and attributes to send as metadata (`metadata_attributes`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

import orjson

from .._attributes import DOCUMENT_URLS, PREVIOUS_URL, REFERRER, URLS
from .._pattern import lazy_pattern
from . import path_ids, urls
from .attribute_keys import AttributeKeys, keys_of
from .attribute_values import MAX_DEPTH, json_object, json_text, json_value
from .caches import cache_short_texts
from .private_names import SENT, Treatment, treatment_of
from .secret_forms import MASK, is_card
from .secret_texts import MAX_CACHED_CHARS, scrub_file, scrub_text

Hook: TypeAlias = "Callable[[str, Any], Any]"
Mode: TypeAlias = Literal["strict", "standard", "off"]

URL_ATTRIBUTES = frozenset(
    (
        *(*URLS, *DOCUMENT_URLS, "url.original", "url.path", "http.target", PREVIOUS_URL),
        *(REFERRER, "http.request.header.origin"),
        *(f"http.response.header.{name}" for name in ("location", "content_location")),
    )
)
"""Attributes that hold a URL, or a list of them."""

TOO_DEEP = "..."
"""Replaces values that are nested too deeply."""

_SENT_IN_STRICT = lazy_pattern(
    r"(?:aws\.(?:region|lambda|s3|dynamodb\.table)|browser|cloud\.(?:provider|region|platform)|db\.(?:system|operation|"
    r"collection|namespace|name)|deployment|error\.type|faas\.(?:name|trigger)|graphql\.operation|http\.(?:request\."
    r"(?:method|resend)|response\.status|route|method|status|flavor|scheme)|messaging\.(?:system|operation|"
    r"destination\.name)|network\.(?:protocol|transport|type)|os|otel|rpc\.(?:system|service|method|grpc)|server\.port|service|"
    r"telemetry|url\.scheme|user_agent\.(?:name|version)|gen_ai\.(?:operation|system|provider|request|response\.model))"
    r"(?:[._].*)?"
)
"""In strict mode, a text leaves only under these names of semantic conventions, whose values are few."""

_is_frame = re.compile(r'\s+(?:File "|at )|[^@]*@[^@]*:\d+$|Traceback ').match
MAX_FRAME_CHARS = 500
_MIN_CARD = 10**12
_NUMBERS = frozenset({bool, int, float})

_SENT_TYPES: dict[Treatment, tuple[type, ...]] = {
    Treatment.NUMBERS: (bool, int, float),
    Treatment.TRUTH: (bool,),
    Treatment.NEVER: (),
}


class Redactor:
    """A filter of names, texts, URLs and attributes, in one mode and by a function. Never raises.

    `hook` receives name and value of what would leave, and returns what to send; None sends nothing.
    """

    __slots__ = ("_hook", "_mode")

    def __init__(self, mode: Mode = "standard", hook: Hook | None = None) -> None:
        self._mode = mode
        self._hook = hook

    @classmethod
    def of(cls, setting: Mode | Hook) -> Redactor:
        """Return the redactor of a setting: a mode, or a function that adds to the standard mode."""
        return cls("standard", setting) if callable(setting) else cls(setting)

    def text(self, name: str, text: str) -> str:
        """Return a free text, such as an exception's message; `name` is for the hook."""
        if self._mode == "standard":
            text = scrub_text(text)
        elif self._mode == "strict" and text:
            text = MASK
        return text if self._hook is None else self._text_of_hook(name, text)

    def stack(self, name: str, text: str) -> str:
        """Return a stack; in strict mode without the lines that are no frames."""
        if self._mode == "strict":
            return "\n".join(line for line in scrub_text(text).split("\n") if _is_frame(line[:MAX_FRAME_CHARS]))
        return self.text(name, text)

    def name(self, text: str) -> str:
        """Return a name that becomes a page or type: without secrets in every mode, and with ids masked."""
        return scrub_name(text) if self._hook is None else self._text_of_hook("name", scrub_name(text))

    def label(self, name: str, text: str) -> str:
        """Return a text with few values, such as a browser's version: without secrets in every mode."""
        return _scrub_label(text) if self._hook is None else self._text_of_hook(name, _scrub_label(text))

    def file(self, name: str, path: str) -> str:
        """Return the path of a source file: without the user's name in every mode."""
        return scrub_file(path) if self._hook is None else self._text_of_hook(name, scrub_file(path))

    def url(self, name: str, url: str, allowed_parameters: Collection[str] = ()) -> str:
        """Return a URL without secrets in every mode, and with the ids of its path masked."""
        found = urls.exported(url, allowed_parameters)
        return found if self._hook is None else self._text_of_hook(name, found)

    def attributes(
        self, attributes: Mapping[str, Any], allowed_parameters: Collection[str], keys: AttributeKeys | None = None
    ) -> dict[str, Any]:
        """Return the attributes that may be sent, scrubbed, as a JSON object without members that are None.

        `keys` are those of the attributes, if they are known.
        """
        keys = keys_of(attributes) if keys is None else keys
        if len(keys.names) != len(attributes):
            return json_object(self._members(attributes, allowed_parameters, "", 0))
        found = {}
        is_usual = self._mode == "standard" and self._hook is None
        for name, written, treatment in keys.cached(_usual_treatments if is_usual else _treatments):
            value: Any = attributes[name]
            if treatment is None:
                kind = type(value)
                if kind is str:
                    clean: Any = _plain_text(value)
                    if clean is not None:
                        found[written] = clean
                        continue
                elif kind in _NUMBERS and -_MIN_CARD < value < _MIN_CARD:
                    found[written] = value
                    continue
            elif treatment is not SENT and not self._is_sent(treatment, value):
                continue
            clean = json_value(self.value(name, value, allowed_parameters))
            if clean is not None:
                found[written] = clean
        return found

    def _members(
        self, members: Mapping[Any, Any], allowed_parameters: Collection[str], path: str, depth: int
    ) -> dict[Any, Any]:
        """Return the members of a map that may be sent, scrubbed; `path` has the names of the maps around them."""
        found = {}
        for name, value in members.items():
            treatment = treatment_below(path, str(name))
            if treatment is SENT or self._is_sent(treatment, value):
                clean = self.value(name, value, allowed_parameters, depth, f"{path}.{name}" if path else str(name))
                if clean is not None or value is None:
                    found[name] = clean
        return found

    def value(
        self, name: str, value: Any, allowed_parameters: Collection[str], depth: int = 0, path: str | None = None
    ) -> Any:
        """Return an attribute value without secrets, also inside lists and maps; `path` has the names of its maps."""
        found = self._value(name, value, allowed_parameters, depth, name if path is None else path)
        if self._hook is None or isinstance(value, (Mapping, list, tuple)):
            return found
        return self._of_hook(name if path is None else path, found)

    def _value(  # noqa: PLR0911 - one return for each kind of value
        self, name: str, value: Any, allowed_parameters: Collection[str], depth: int, path: str
    ) -> Any:
        if isinstance(value, str):
            return self._attribute_text(name, value, allowed_parameters, depth, path)
        if isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return MASK if value >= _MIN_CARD and self._mode != "off" and _is_card_number(value) else value
        if isinstance(value, (Mapping, list, tuple)) and depth >= MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, Mapping):
            found = self._members(value, allowed_parameters, path, depth + 1)
            names = _NAME_AND_VALUE.get(frozenset(value)) if len(value) == 2 else None
            return {**found, names[1]: MASK} if names and self._is_private(path, *map(value.get, names)) else found
        if isinstance(value, (list, tuple)):
            if value and all(isinstance(item, (list, tuple)) and len(item) == 2 for item in value):
                value = [(item[0], MASK) if self._is_private(path, *item) else item for item in value]
            return [self.value(name, item, allowed_parameters, depth + 1, path) for item in value]
        if isinstance(value, (bytes, bytearray)) and self._mode != "off":
            return MASK
        return value

    def _attribute_text(self, name: str, value: str, allowed_parameters: Collection[str], depth: int, path: str) -> str:
        if name in URL_ATTRIBUTES:
            return urls.exported(value, allowed_parameters)
        if self._mode == "off":
            return value
        if self._mode == "strict" and not _SENT_IN_STRICT.fullmatch(path):
            return MASK
        if value[:1] in _JSON_STARTS and value[-1:] in _JSON_ENDS:
            clean = self._json(name, value, allowed_parameters, depth, path)
            if clean is not None:
                return clean
        if "&" in value and _is_form(value):
            return _mask_form(value)
        return scrub_text(value)

    def _json(self, name: str, value: str, allowed_parameters: Collection[str], depth: int, path: str) -> str | None:
        """Return a text that is JSON without the secrets of its members; None if it is not JSON."""
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
        clean = self._value(name, parsed, allowed_parameters, depth + 1, path)
        return value if clean == parsed else orjson.dumps(clean).decode()

    def _is_private(self, path: str, name: object, value: object) -> bool:
        """Return whether the value of a pair, such as a header in a list, is not sent by the name in the pair."""
        treatment = treatment_below(path, name) if isinstance(name, str) else SENT
        return treatment is not SENT and not self._is_sent(treatment, value)

    def _is_sent(self, treatment: Treatment, value: object) -> bool:
        return isinstance(value, _SENT_TYPES[treatment]) or (self._mode == "off" and treatment is not Treatment.NEVER)

    def _text_of_hook(self, name: str, text: str) -> str:
        found = self._of_hook(name, text)
        return found if isinstance(found, str) else MASK

    def _of_hook(self, name: str, value: Any) -> Any:
        try:
            return self._hook(name, value) if self._hook else value
        except Exception:  # noqa: BLE001 - the application's function must not cost the record, nor leak
            return MASK


_NAME_AND_VALUE = {frozenset((name, "value")): (name, "value") for name in ("name", "key", "header", "field")}
"""The members of a map that is a pair, as in lists of headers and parameters."""

_JSON_STARTS = frozenset("{[")
_JSON_ENDS = frozenset("}]")
_is_form = re.compile(r"\??[\w.\[\]%+-]{1,200}=[^&\s]*(?:&[\w.\[\]%+-]{1,200}=[^&\s]*)+").fullmatch
_mask_form = partial(re.compile(r"=[^&]+").sub, f"={MASK}")

STANDARD = Redactor()


@cache_short_texts(2048, MAX_CACHED_CHARS)
def _plain_text(value: str) -> str | None:
    """Return a text without secrets; None if it may be JSON or a form."""
    return None if value[:1] in _JSON_STARTS or "&" in value else scrub_text(json_text(value))


def treatment_below(path: str, name: str) -> Treatment:
    """Return what happens to a value in a map: by its own name, else by its name with those of its maps."""
    treatment = treatment_of(name)
    return treatment_of(f"{path}.{name}") if treatment is SENT and path else treatment


@cache_short_texts(1000, 1024)
def scrub_name(name: str) -> str:
    """Return a name, of a span, a page or a screen, without secrets and ids."""
    return path_ids.mask_name(scrub_text(name)).replace(f"/{MASK}", f"/{path_ids.MASK}")


# User agents are longer than the texts that `scrub_text` keeps.
_scrub_label = cache_short_texts(1000, 1024)(scrub_text)


def _treatments(names: tuple[str, ...]) -> list[tuple[str, str, Treatment | None]]:
    """Return the names whose values may be sent, as they are written, and which values are."""
    treatments = ((name, treatment_of(name)) for name in names)
    return [(name, json_text(name), found) for name, found in treatments if found is not Treatment.NEVER]


def _usual_treatments(names: tuple[str, ...]) -> list[tuple[str, str, Treatment | None]]:
    """Return the same in standard mode; None for names of which any value is sent, and which are no URLs."""
    return [
        (name, written, None if found is SENT and name not in URL_ATTRIBUTES else found)
        for name, written, found in _treatments(names)
    ]


def _is_card_number(value: float) -> bool:
    return isinstance(value, int) and is_card([int(digit) for digit in str(value)]) if value < 10**19 else False
