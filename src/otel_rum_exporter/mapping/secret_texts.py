"""Secrets and personal data inside texts: one table for code and documentation.

A row has a pattern, and hints: without one of the hints in the text, the pattern is not tried. The forms of tokens are
those that issuers publish; gitleaks and detect-secrets list them too, but they scan files and replace nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from .caches import cache_short_texts

MASK = "***"
MAX_CACHED_CHARS = 160
"""Longer texts are rarely repeated; stacks are cached where they are cut."""
Replacement = str | Callable[[re.Match[str]], str]


class SecretText(NamedTuple):
    """A row of the table."""

    what: str
    example: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: Replacement = MASK


_WORDS_OF_SECRETS = (
    r"api[_.-]?key|authori[sz]ation|cookie|credential|csrf|password|passwd|passphrase|passcode|pwd|secret|token|jwt|"
    r"access[_.-]?key|private[_.-]?key|account[_.-]?key|signature|session[_.-]?id|recovery[_.-]?code"
)
_PERSONAL_WORDS = (
    r"ssn|social[_.-]?security|card[_.-]?(?:number|no|holder)|cvv|cvc|iban|(?:first|last|full|user|family)[_.-]?name|"
    r"phone(?:[_.-]?number)?|e[_.-]?mail|date[_.-]?of[_.-]?birth|passport|national[_.-]?id|tax[_.-]?id"
)
_SPOKEN_WORDS = r"api[ _.-]?key|password|passwd|passphrase|passcode|pwd|secret|access[ _.-]?key|auth[_.-]?token|ssn|jwt"
_VALUE = r"""(?:\\?"[^"\n]{0,500}"|\\?'[^'\n]{0,500}'|[^\s'",;&)\]}\\]+)"""
_STEMS = (
    *("key", "authori", "cookie", "credential", "csrf", "passw", "passphrase", "passcode", "pwd", "secret", "token"),
    *("jwt", "signature", "session", "ssn", "social", "card", "cvv", "cvc", "iban", "name", "phone", "mail", "birth"),
    *("passport", "national", "tax", "recovery"),
)


def _keep_key(found: re.Match[str]) -> str:
    return (found["header"] or found["key"]) + MASK


def _keep_first(found: re.Match[str]) -> str:
    return found[1] + MASK


def _mask_card(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    return MASK if is_card(digits) else found[0]


def is_card(digits: list[int]) -> bool:
    """Return whether digits are a card's number: by their first digit, number and check digit (Luhn)."""
    if not 13 <= len(digits) <= 19 or digits[0] not in {2, 3, 4, 5, 6}:
        return False
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + doubled) % 10 == 0


def _mask_iban(found: re.Match[str]) -> str:
    text = found[0].replace(" ", "")
    return MASK if int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1 else found[0]


_PREFIXES = (
    r"sk-[\w-]{8,}|(?:sk|pk|rk)_(?:live|test)_\w{8,}|whsec_[\w+/=]{8,}|(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|"
    r"gh[opsur]_\w{16,}|github_pat_\w{16,}|gl(?:pat|ptt|dt|soat|rt|ft)-[\w-]{10,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|"
    r"AIza[\w-]{20,}|ya29\.[\w.-]{10,}|GOCSPX-[\w-]{10,}|npm_\w{20,}|pypi-[\w-]{16,}|SG\.[\w-]{10,}\.[\w-]{10,}|"
    r"hf_[A-Za-z0-9]{16,}|do[opr]_v1_\w{16,}|shp(?:at|ss|ca|pa)_\w{16,}|dapi[0-9a-f]{16,}|sq0[a-z]{3}-[\w-]{16,}|"
    r"EAA[A-Za-z0-9]{20,}|dckr_pat_[\w-]{16,}|ATATT3[\w=-]{16,}|lin_api_\w{16,}|NRAK-\w{16,}|PMAK-[\w-]{16,}|"
    r"fig[dou]_[\w-]{16,}|hv[sb]\.[\w-]{16,}|xkeysib-[\w-]{16,}|glsa_\w{16,}|ntn_\w{16,}|gsk_\w{16,}|r8_\w{16,}|"
    r"rzp_(?:live|test)_\w{8,}|pscale_\w+_[\w.-]{10,}|CFPAT-[\w-]{16,}|sbp_\w{16,}|key-[0-9a-f]{32}|SK[0-9a-f]{32}|"
    r"AC[0-9a-f]{32}|AGE-SECRET-KEY-1\w{10,}|FwoG[\w/+=]{20,}|LTAI\w{12,}|tfp_\w{16,}|v1\.[0-9a-f]{40}|"
    r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|\d{8,10}:AA[\w-]{30,}"
)
_PREFIX_HINTS = (
    *("sk-", "k_live_", "k_test_", "whsec_", "A3T", "AKIA", "ASIA", "ABIA", "ACCA", "gho_", "ghp_", "ghs_", "ghu_"),
    *("ghr_", "github_pat_", "glpat-", "glptt-", "gldt-", "glsoat-", "glrt-", "glft-", "xox", "xapp-", "AIza", "ya29."),
    *("GOCSPX-", "npm_", "pypi-", "SG.", "hf_", "_v1_", "shpat_", "shpss_", "shpca_", "shppa_", "dapi", "sq0", "EAA"),
    *("dckr_pat_", "ATATT3", "lin_api_", "NRAK-", "PMAK-", "figd_", "figo_", "figu_", "hvs.", "hvb.", "xkeysib-"),
    *("glsa_", "ntn_", "gsk_", "r8_", "rzp_", "pscale_", "CFPAT-", "sbp_", "key-", "SK", "AC", "AGE-SECRET-KEY-1"),
    *("FwoG", "LTAI", "tfp_", "v1.", "M", "N", "O", ":AA"),
)
_HAS_PREFIX = re.compile("|".join(map(re.escape, _PREFIX_HINTS)))
_HAS_RUN = re.compile(r"[A-Za-z0-9_+/=-]{8}")


def _row(
    what: str, example: str, hints: tuple[str, ...], pattern: str, replacement: Replacement = MASK, flags: int = 0
) -> SecretText:
    return SecretText(what, example, hints, re.compile(pattern, re.VERBOSE | flags), replacement)


SECRET_TEXTS: tuple[SecretText, ...] = (
    _row(
        "user and password of a URL, also with `@` in the password",
        "postgres://ann:p@ss@db.example/shop",
        ("://",),
        r"""://(?: [^/\s@'"?\#]*@(?=[^\s@]*(?:[\s/]|$))
              | [^\s/?\#'"@:]*:(?!\d{1,5}(?:[/?\#\s]|$))(?:[^\s'":]|:(?!//))*@
              | [^/\s@'"]+@ )""",
        "://",
    ),
    _row(
        "query and fragment of a URL, and session ids after `;`",
        "GET /x?token=abc failed",
        ("=",),
        r"""[?\#;](?: (?<!;)[^\s?\#=&'"<>]+
                   | (?<=;)(?=\w*?(?:auth|sess|sid|token))\w+
                  )=[^\s'"<>)\]]*?(?=(?::\d{1,9}){0,2}(?:[\s'"<>)\]]|$))""",
        "",
    ),
    _row(
        "content of `data:` URLs",
        "data:image/png;base64,iVBORw0KGgo",
        ("data:",),
        r"(data:[\w/+.-]{0,80})[;,][^\s'\"<>)]*",
        r"\1",
    ),
    _row(
        "values after a secret's name",
        "x-api-key: abc, password=hunter2, {'token': 'abc'}",
        ("=", ":"),
        rf"""(?P<header>(?:authorization|cookie)\\?['"]?\s?[:=]\s?\\?['"]?)[^\r\n'"\\]+
           | (?P<key>(?:
               (?:{_WORDS_OF_SECRETS}|{_PERSONAL_WORDS})[\w.-]{{0,40}}(?:=|\\?['"]\]?\s?[:=]\s?(?!=)|\s[:=]\s(?=['"]))
             | (?:x-[\w-]{{0,40}}(?:key|token|auth)|{_SPOKEN_WORDS})\s?[:=]\s?(?!=|[\w.]+[(\[])
             | \b(?:auth|pass|pin|otp|sig|sid|nonce|address|city|zip)(?:=|\\?['"]\s?[:=]\s?)
             ))
             {_VALUE}""",
        _keep_key,
        re.IGNORECASE,
    ),
    _row(
        "values of forms and queries",
        "q=ann&page=2",
        ("&",),
        r"""(?<![\w.%\[\]&-])[\w.%\[\]-]{1,60}=[^\s&'"<>=]*(?:&[\w.%\[\]-]{1,60}=[^\s&'"<>=]*)+""",
        lambda found: re.sub(r"=[^&]*", f"={MASK}", found[0]),
    ),
    _row(
        "values after the name of a scheme",
        "Bearer abc123def456",
        ("earer", "EARER", "asic ", "igest ", "oken ", "egotiate ", "piKey ", "pikey "),
        r"""\b(bearer\s+)(?!(?:auth|token|scheme|realm|error)\w*\b)[\w.~+/=-]{6,}
          | \b((?:basic|digest|token|negotiate|apikey)\s+)(?=[\w.~+/-]{0,200}[\d=])[\w.~+/=-]{8,}""",
        lambda found: (found[1] or found[2]) + MASK,
        re.IGNORECASE,
    ),
    _row("JSON Web Tokens", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0", ("eyJ",), r"eyJ[\w-]{5,}(?:\.[\w-]*){0,4}"),
    _row(
        "keys and tokens with the prefix of their issuer",
        "AKIAIOSFODNN7EXAMPLE",
        (),
        rf"(?<![A-Za-z0-9])(?:{_PREFIXES})",
    ),
    _row(
        "webhooks whose path is a secret",
        "https://hooks.slack.com/services/T0/B0/abc",
        ("hooks.slack.com", "/api/webhooks/", "webhook.office.com", "api.telegram.org"),
        r"((?:hooks\.slack\.com|/api/webhooks|webhook\.office\.com|api\.telegram\.org)/)[^\s'\"<>]+",
        _keep_first,
    ),
    _row(
        "e-mail addresses",
        "ann.miller@example.com is not known",
        ("@", "%40"),
        r"(?<![\w.+%'-])[\w.+%'-]{1,64}?(?:@|%40)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w:-])",
    ),
    _row(
        "values of rows that a database refuses",
        "Key (email)=(ann) already exists",
        (")=(",),
        r"(\)=\()[^\n]*?(?=\)[ .\n]|\)?$)",
        _keep_first,
        re.MULTILINE,
    ),
    _row(
        "values that a validator or a database quotes",
        "Duplicate entry 'ann' for key 'users.name'",
        ("uplicate entry", "input_value=", "ailing row contains", "invalid input syntax", "Incorrect "),
        r"""((?:uplicate\ entry|invalid\ input\ syntax\ for\ [\w ]{1,40}:|Incorrect\ \w{1,40}\ value:)\ )
            (?:'[^'\n]*'|"[^"\n]*")
          | (input_value=)[^\n]*?(?=,\ input_type|\]|$) | (ailing\ row\ contains\ )\([^\n]*""",
        lambda found: (found[1] or found[2] or found[3]) + MASK,
        re.MULTILINE,
    ),
    _row(
        "card numbers with a valid check digit",
        "card 4111 1111 1111 1111",
        (),
        r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)".replace(" -", r"\ -"),
        _mask_card,
    ),
    _row(
        "bank accounts (IBAN) with valid check digits",
        "DE89 3704 0044 0532 0130 00",
        (),
        r"\b[A-Z]{2}\d{2}(?:\ ?[A-Z0-9]{4}){2,7}(?:\ ?[A-Z0-9]{1,3})?\b",
        _mask_iban,
    ),
    _row("social security numbers", "SSN 123-45-6789", ("-",), r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    _row(
        "phone numbers, with `+` or in American form",
        "call +49 151 2345678",
        ("+", "-", "("),
        r"""(?<![\w.+])\+\d{1,3}[\ ().-]?(?:\d[\ ().-]{0,2}){6,13}\d(?![\w.-]\d)
          | (?<![\w.-])(?:\(\d{3}\)\ ?|\d{3}-)\d{3}-\d{4}(?![\w-])""",
    ),
)
"""The rows are applied in this order. Database statements and private keys are removed before: see `without_blocks`."""

BLOCKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "SQLAlchemy's statement",
        "[SQL: ",
        ("]\n[parameters: ", "]\n(Background", "]\n\n", "]\\n[parameters: ", "]\\n(B", "]\n"),
    ),
    ("SQLAlchemy's parameters", "[parameters: ", ("]\n(Background", "]\\n(Background", "]\n")),
    ("private keys", "-----BEGIN ", ("-----END ",)),
)
"""What, its start, and its end: the first of these that follows."""

_DIGITS = re.compile(r"\d[\d -]{7}")
_SUSPICIOUS = re.compile(
    r"[@=:%]|[A-Za-z0-9_+/=-]{12}|\d[\d -]{6}|[Bb]earer|[Bb]asic |[Tt]oken |\+\d|\(\d{3}\)|uplicate|ailing|"
    r"Incorrect|hooks\."
)
"""Every text to scrub matches this; most attribute values do not."""

_KEYS = next(row for row in SECRET_TEXTS if row.what == "values after a secret's name")
_ISSUED = next(row for row in SECRET_TEXTS if row.pattern.pattern.endswith(f"(?:{_PREFIXES})"))


@cache_short_texts(2048, MAX_CACHED_CHARS)
def scrub_text(text: str) -> str:
    """Return free text without the secrets and personal data of the table."""
    if not _SUSPICIOUS.search(text):
        return text
    text = without_blocks(text)
    has_digits = _DIGITS.search(text) is not None
    for row in SECRET_TEXTS:
        if row is _KEYS:
            text = _scrub_lines(text)
        elif row is _ISSUED:
            if _HAS_RUN.search(text) and _HAS_PREFIX.search(text):
                text = row.pattern.sub(row.replacement, text)
        elif has_digits if not row.hints else any(hint in text for hint in row.hints):
            text = row.pattern.sub(row.replacement, text)
    return text


def without_blocks(text: str) -> str:
    """Return a text without statements, parameters and private keys, which can have many lines.

    Call it before a long text is cut: a cut can remove the start by which a block is found.
    """
    for _, start, ends in (block for block in BLOCKS if block[1] in text):
        text = _without(text, start, ends)
    return text


def _without(text: str, start: str, ends: tuple[str, ...]) -> str:
    kept: list[str] = []
    at = 0
    while True:
        begin = text.find(start, at)
        if begin < 0:
            return "".join((*kept, text[at:]))
        kept.append(text[at : begin + len(start)] + MASK)
        found = (text.find(end, begin) for end in ends)
        at = next((position for position in found if position >= 0), len(text))


def _scrub_lines(text: str) -> str:
    if not _names_secret(text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(_KEYS.pattern.sub(_keep_key, line) if _names_secret(line) else line for line in lines)


def _names_secret(text: str) -> bool:
    """Return whether a text can contain a secret's name; much cheaper than the pattern."""
    if "=" not in text and ":" not in text:
        return False
    lowered = text.lower()
    return any(
        stem in lowered
        for stem in (*_STEMS, "auth", "pass", "pin", "otp", "sig", "sid", "address", "city", "zip", "nonce")
    )
