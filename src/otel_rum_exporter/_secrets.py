"""Remove secrets from text for log lines, errors and command output: settings, and answers of AWS quoted in them."""

from __future__ import annotations

import re

from ._pattern import lazy_pattern

MASK = "***"

_NAMED = (
    r"((?:security[-_]?token|session[-_]?token|signature|credential|password|passwd|secret[-_a-z]*|api[-_]?key"
    r"|access[-_]?key(?:[-_]?id)?|id[-_]?token|access[-_]?token|authorization)['\"]?\s*[:=]\s*)"
    r"(?:(?:Bearer|Basic|AWS4-HMAC-SHA256)\s+)?(?!\*\*\*)b?['\"]?[^\s,;&'\"]+"
)

_PATTERNS = tuple(
    (lazy_pattern(source, re.IGNORECASE), replacement)
    for source, replacement in (
        (r"(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s'\"]*@", r"\1"),  # user and password of a URL
        (r"(?<![\w.%+-])[\w.%+-]{1,64}:[^\s/@'\"]{1,256}@(?=[\w\[])", ""),  # the same without a scheme
        (r"([?&][\w.-]{0,32}(?:auth|key|pass|pwd|secret|sig|token)[\w.-]{0,32}=)[^&\s'\"]+", rf"\1{MASK}"),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", MASK),  # ids of access keys
        (_NAMED, rf"\1{MASK}"),  # values after the name of a secret
        (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", MASK),  # JSON Web Tokens
        (r"(?<![\w+])(?=[a-z_+]*\d)(?:[\w+]{40,}|[\w+/]{100,})={0,2}", MASK),  # keys, signatures, tokens
        (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", MASK),  # e-mail addresses
    )
)


def without_secrets(text: str) -> str:
    """Return a text without user info in URLs, keys, tokens, values after a secret's name, and e-mail addresses."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
