"""Browser, operating system and device of a user agent: RUM reads them where a client sends only `aws:userAgent`.

AWS does not document the names that RUM finds. These are those of ua-parser-js, which AWS's web client used.
"""

from __future__ import annotations

import re
from functools import lru_cache

# In order: browsers name others that they are compatible with, and Android's user agents name Linux.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"(?:OPR|OPiOS|Opera)/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"(?:Firefox|FxiOS)/"),
    ("Chrome", r"(?:Chrome|CriOS)/"),
    ("Mobile Safari", r"Version/.*Mobile/.*Safari/"),
    ("Safari", r"Version/.*Safari/"),
)
_SYSTEMS = (
    ("Windows", r"Windows"),
    ("iOS", r"iPhone|iPad|iPod"),
    ("Mac OS", r"Mac OS X|Macintosh"),
    ("Android", r"Android"),
    ("Chrome OS", r"CrOS"),
    ("Linux", r"Linux|X11"),
)
_TABLES = tuple(tuple((name, re.compile(pattern)) for name, pattern in table) for table in (_BROWSERS, _SYSTEMS))
_MAX_CHARACTERS = 1000


@lru_cache(maxsize=1024)
def read_user_agent(user_agent: str) -> tuple[str, str, str]:
    """Return the names of browser, operating system and device type; the empty string for an unknown one."""
    shown = user_agent[:_MAX_CHARACTERS]
    browser, system = (next((name for name, known in table if known.search(shown)), "") for table in _TABLES)
    return browser, system, ("mobile" if "Mobi" in shown else "desktop") if browser else ""
