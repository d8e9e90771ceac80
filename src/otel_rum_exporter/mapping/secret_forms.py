"""The forms of secrets and personal data inside texts: one table for code and documentation.

A row has a pattern, and hints: without one of the hints in the text, the pattern is not tried. So each text that the
pattern matches must have a hint. If the pattern ignores case, the hints are in small letters, and a space in a hint
stands for any white space. The forms of tokens are those that issuers publish; gitleaks and detect-secrets list them
too, but they scan files and replace nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from . import issuer_prefixes, secret_words, statements
from .private_names import is_harmless

MASK = "***"
Replacement = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class SecretText:
    """A row of the table. `source` is its pattern as text, and `flags` are added to `re.VERBOSE`."""

    what: str
    example: str
    hints: tuple[str, ...]
    source: str
    replacement: Replacement = MASK
    flags: int = 0

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern, compiled at its first use: together they take a sixth of the import, and most texts need few."""
        return re.compile(self.source, re.VERBOSE | self.flags)


def keep_key(found: re.Match[str]) -> str:
    """Return the name before a secret's value, and the mask."""
    key = found["key"]
    if key and is_harmless(key, found[0][len(key) :].strip("\\'\"")):
        return found[0]
    return (found["header"] or key) + MASK


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


SECRET_TEXTS: tuple[SecretText, ...] = (
    SecretText(
        "user and password of a URL, also with `@` in the password",
        "postgres://ann:p@ss@db.example/shop",
        ("://",),
        r"""://(?: [^/\s@'"?\#]*@(?=[^\s@]*(?:[\s/]|$))
              | [^\s/?\#'"@:]*:(?!\d{1,5}(?:[/?\#\s]|$))(?:[^\s'":]|:(?!//))*@
              | [^/\s@'"]+@ )""",
        "://",
    ),
    SecretText(
        "query and fragment of a URL, and session ids after `;`",
        "GET /x?token=abc failed",
        ("=",),
        r"""[?\#;](?: (?<!;)[^\s?\#=&'"<>]+
                   | (?<=;)(?=\w*?(?:auth|sess|sid|token))\w+
                  )=[^\s'"<>)\]]*?(?=(?::\d{1,9}){0,2}(?:[\s'"<>)\]]|$))""",
        "",
    ),
    SecretText(
        "content of `data:` URLs",
        "data:image/png;base64,iVBORw0KGgo",
        ("data:",),
        r"(data:[\w/+.-]{0,80})[;,][^\s'\"<>)]*",
        r"\1",
    ),
    SecretText(
        "values after a secret's name",
        "x-api-key: abc, password=hunter2, {'token': 'abc'}",
        ("=", ":"),
        rf"""(?P<header>(?:authorization|cookie)\\?['"]?\s?[:=]\s?\\?['"]?)
               (?:(?:digest|oauth|hawk|mac|signature)\s[^\r\n]+|[^\r\n'"\\]+)
           | (?P<key>(?:
               (?:{secret_words.WORDS_OF_SECRETS}|{secret_words.PERSONAL_WORDS})[\w.-]{{0,40}}(?:
                 =>?\s?(?=\\?['"])|=>|[=\uff1d]|%(?:25)?3D|\\{{0,7}}['"]\]?\s?(?:=>|[:=])\s?(?!=)|\s[:=]\s(?=['"]))
             | (?:x-[\w-]{{0,40}}(?:key|token|auth)|{secret_words.SPOKEN_WORDS})
               \s{{0,4}}(?:=>|[:=\uff1d\uff1a])\s{{0,4}}(?![=>:]|[\w.]+[(\[])
             | \(b?['"](?:(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{{1,30}}(?:key|token)|api-key)['"],\s?b?
               (?=['"])
             | (?:\b|_)pass=
             | \buid=(?=[^\s,]{{1,64}},\s?(?:ou|dc|cn|o)=)
             | \b(?:auth|pin|otp|sig|sid|nonce|address|city|zip)(?:=|\\?['"]\s?[:=]\s?)
             ))
             {secret_words.VALUE}""",
        keep_key,
        re.IGNORECASE,
    ),
    SecretText(
        "values of forms and queries",
        "q=ann&page=2",
        ("&",),
        r"""(?<![\w.%\[\]&-])[\w.%\[\]-]{1,60}=[^\s&'"<>=]*(?:&[\w.%\[\]-]{1,60}=[^\s&'"<>=]*)+""",
        lambda found: re.sub(r"=[^&]*", f"={MASK}", found[0]),
    ),
    SecretText(
        "passwords in sentences, in quotes or with a digit",
        "the password 'hunter2' is wrong",
        secret_words.HINTS_OF_PASSWORDS,
        rf"""((?:{secret_words.WORDS_OF_PASSWORDS})\s)(?:'[^'\n]{{1,100}}'|"[^"\n]{{1,100}}"|`[^`\n]{{1,100}}`)
           | ((?:(?:verification|security|confirmation|login|access|one-time|sms|otp)\s(?:code|pin)
                 |{secret_words.WORDS_OF_PASSWORDS})
              \s(?:is|was|ist|est|es|:)\s?:?\s?['"]?)(?=[^\s'"\d]{{0,40}}\d)[^\s'"]{{4,}}
           | ((?:api|access)[ _-]key\s(?:provided|given|received|used)\s?:\s?)\S+
           | ((?<!nexpected\s)\btoken\s?[:=]?\s?)(?:'(?=\D{{0,40}}\d)[^\s']{{8,}}'|"(?=\D{{0,40}}\d)[^\s"]{{8,}}")
           | ((?<!nexpected\s)\btoken:\s?)(?=[a-z_.~+/=-]{{0,40}}\d)(?=\d{{0,40}}[a-z])[\w.~+/=-]{{8,}}(?![\w(\[])""",
        lambda found: next(filter(None, found.groups())) + MASK,
        re.IGNORECASE,
    ),
    SecretText(
        "literals of statements of databases",
        "INSERT INTO users VALUES ('ann')",
        statements.HINTS,
        statements.PATTERN,
        lambda found: statements.without_literals(found, MASK),
        re.IGNORECASE,
    ),
    SecretText(
        "values after the name of a scheme",
        "Bearer abc123def456",
        ("bearer ", "basic ", "digest ", "token ", "negotiate ", "apikey "),
        r"""\b(bearer\s+)(?!(?:auth|token|scheme|realm|error)\w*\b)[\w.~+/=-]{6,}
          | \b((?:basic|digest|token|negotiate|apikey)\s+)(?=[\w.~+/-]{0,200}[\d=])[\w.~+/=-]{8,}""",
        lambda found: (found[1] or found[2]) + MASK,
        re.IGNORECASE,
    ),
    SecretText("JSON Web Tokens", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0", ("eyJ",), r"eyJ[\w-]{5,}(?:\.[\w-]*){0,4}"),
    SecretText(
        "keys and tokens with the prefix of their issuer",
        "AKIAIOSFODNN7EXAMPLE",
        issuer_prefixes.HINTS,
        rf"(?<![A-Za-z0-9])(?:{issuer_prefixes.PREFIXES})",
    ),
    SecretText(
        "webhooks whose path is a secret",
        "https://hooks.slack.com/services/T0/B0/abc",
        ("hook", "api.telegram.org"),
        r"((?:hooks\.(?:slack|zapier)\.com|/api/webhooks|webhook\.office\.com|api\.telegram\.org)/)[^\s'\"<>]+",
        _keep_first,
    ),
    SecretText(
        "e-mail addresses",
        "ann.miller@example.com is not known",
        ("@", "%40", "%2540", "\uff20", "&#64;"),
        r"(?<![\w.+%'-])[\w.+%'-]{1,64}?(?:@|%(?:25)?40|\uff20|&\#64;)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w:-])",
    ),
    SecretText(
        "values of rows that a database refuses",
        "Key (email)=(ann) already exists",
        (")=(",),
        r"(\)=\()[^\n]*?(?=\)[ .\n]|\)?$)",
        _keep_first,
        re.MULTILINE,
    ),
    SecretText(
        "values that a validator or a database quotes",
        "Duplicate entry 'ann' for key 'users.name'",
        (
            *("uplicate entry", "input_value=", "ailing row contains", "invalid input syntax", "Incorrect "),
            *("uplicate key value is", "dup key: {", "[generated in", "[cached since", "[raw sql", "[no key"),
        ),
        r"""((?:uplicate\ entry|invalid\ input\ syntax\ for\ [\w ]{1,40}:|Incorrect\ \w{1,40}\ value:)\ )
            (?:'[^'\n]*'|"[^"\n]*")
          | (input_value=)[^\n]*?(?=,\ input_type|\]|$) | (ailing\ row\ contains\ )\([^\n]*
          | (uplicate\ key\ value\ is\ \() [^\n]*?(?=\)\.?(?:\s|$)) | (dup\ key:\ ){[^\n]*}
          | (\[(?:generated\ in|cached\ since|raw\ sql|no\ key)[^\]\n]{0,60}\]\ )[(\[{][^\n]*""",
        lambda found: next(filter(None, found.groups())) + MASK,
        re.MULTILINE,
    ),
    SecretText(
        "values of variables that loguru and rich draw into a stack",
        "    └ 'hunter2'",
        ("\u2514", " locals \u2500"),
        r"(\u2514\ ?)[^\n]+|(\u256d\u2500+\ locals\ \u2500+\u256e)[^\u2570]*",
        lambda found: (found[1] or found[2]) + MASK,
    ),
    SecretText(
        "card numbers with a valid check digit",
        "card 4111 1111 1111 1111",
        (),
        r"(?<![\w.-])(?:\d(?:[\ -]?\d){12,18}|\d{4}(?:\.\d{4}){3})(?![\w-]|\.\d)",
        _mask_card,
    ),
    SecretText(
        "bank accounts (IBAN) with valid check digits",
        "DE89 3704 0044 0532 0130 00",
        (),
        r"\b[A-Z]{2}\d{2}(?:\ ?[A-Z0-9]{4}){2,7}(?:\ ?[A-Z0-9]{1,3})?\b",
        _mask_iban,
    ),
    SecretText(
        "social security numbers, also of Brazil (CPF)",
        "SSN 123-45-6789",
        (),
        r"(?<![\w.-])(?:\d{3}-\d{2}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2})(?![\w-])",
    ),
    SecretText(
        "phone numbers with `+`",
        "call +49 151 2345678",
        ("+",),
        r"(?<![\w.+])\+\d{1,3}[\ ().-]?(?:\d[\ ().-]{0,2}){6,13}\d(?![\w.-]\d)",
    ),
    SecretText(
        "phone numbers with `00`, or in American form",
        "call 0049 151 2345678",
        (),
        r"""(?<![\w.+-])(?:00[1-9]\d{0,2}\ \d{2,5}\ \d[\d\ ]{3,10}\d|[2-9]\d\d\.[2-9]\d\d\.\d{4})(?![\w-]|\.\d)
          | (?<![\w.-])(?:\(\d{3}\)\ ?|\d{3}-)\d{3}-\d{4}(?![\w-])""",
    ),
    SecretText(
        "passwords in SQL and in options of commands",
        "CREATE USER ann IDENTIFIED BY 'hunter2'",
        ("identified by ", "password ", "--", "-u", "-pass", " -p", " -a", " -w"),
        r"""((?:identified\ by|password)\s)(?:'[^'\n]*'|"[^"\n]*")
          | (--[\w-]{0,30}(?:password|passwd|secret|token|api-?key)\s)
            (?!(?:is|was|are|must|or|and|not|option|flag|argument|to|for|in|has|can|cannot|should|requires?|needs)\b)[\w"'][^\s]*
          | ((?<!\S)(?:-u\s?|--user\s))[^\s:/]+:\S+ | ((?<!\S)-pass(?:in|out)?\s(?:pass:)?)\S+
          | (\b(?:mysql|maria)\w{0,12}\s(?:[^\n|;&]{0,200}?\s)?(?-i:-p))[^\s]+
          | (\b(?: (?:sshpass|(?:docker|podman)\slogin|mongo\w{0,9})\s(?:[^\n|;&]{0,200}?\s)?(?-i:-p)
                 | redis-cli\s(?:[^\n|;&]{0,200}?\s)?-a | ldap\w{3,9}\s(?:[^\n|;&]{0,200}?\s)?-w )\s?)\S+""",
        lambda found: next(filter(None, found.groups())) + MASK,
        re.IGNORECASE,
    ),
    SecretText(
        "content of XML elements with a secret's name",
        "<token>abc</token>",
        ("</",),
        r"""(<(?:\w{1,20}:)?(?:password|passwd|secret|token|api_?key|(?:binary)?security_?token|access_?token|nameid|email|
            ssn|pin)(?:\s[^<>]*)?>)[^<>]+(?=</)""",
        _keep_first,
        re.IGNORECASE,
    ),
    SecretText(
        "users and passwords of databases without `://`",
        "ann:hunter2@tcp(db:3306)/shop",
        ("@",),
        r"""(?<![^\s'"(])[^\s:'"]+:[^\s'"]+@(?=(?:tcp|unix)6?\()
          | (?<![\w/.@-])[\w$]{1,30}/[^\s/@'"]{1,64}@(?=[\w.-]{1,100}:\d{2,5}[:/])""",
    ),
    SecretText(
        "the user's name in paths of home directories",
        r"C:\Users\ann\report.txt",
        ("/home/", "Users"),
        r"""((?:(?<=['"(=])|(?<=file://))/home/|(?<![\w.~/-])/home/(?=[^\s:.]{1,200}(?:\.[^\s:.]{1,200}){0,9}:\d)
              |(?:(?<![\w.~-])|(?<=file://))(?:/?[A-Za-z]:)?[\\/]{1,2}Users[\\/]{1,2})
            (?!(?:app|appuser|ec2-user|node|runner|site|ubuntu|user|Default|Public|Shared)[\\/'"])
            [^\s\\/'":<>|*?]+(?:\ [^\s\\/'":<>|*?]+)?(?=[\\/])""",
        _keep_first,
    ),
)
"""The rows are applied in this order. Database statements and private keys are removed before: see `secret_texts`."""

BLOCKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "SQLAlchemy's statement",
        "[SQL: ",
        ("]\n[parameters: ", "]\n(Background", "]\n\n", "]\\n[parameters: ", "]\\n(B", "]\n"),
    ),
    ("SQLAlchemy's parameters", "[parameters: ", ("]\n(Background", "]\\n(Background", "]\n")),
    ("private keys", "-----BEGIN ", ("-----END ",)),
    ("private keys of PuTTY", "Private-Lines: ", ("Private-MAC: ",)),
)
"""A name of the block, its start, and its end: the first of these that follows."""
