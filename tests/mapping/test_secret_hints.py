"""The rows that are tried for a text, found by its words, against a search for each hint in the whole text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otel_rum_exporter.mapping import secret_hints, secret_texts
from otel_rum_exporter.mapping.issuer_prefixes import WITHOUT_HINT
from otel_rum_exporter.mapping.secret_forms import BLOCKS, MASK, SECRET_TEXTS
from otel_rum_exporter.mapping.secret_hints import BLOCK, ISSUED, KEYS, OF_DIGITS, has_hint, names_secret, rows_of
from otel_rum_exporter.mapping.secret_texts import scrub_text

STARTS = [start for _, start, _ in BLOCKS]
HINTS = [
    *(hint for row in SECRET_TEXTS for hint in row.hints),
    *(row.example for row in SECRET_TEXTS),
    *secret_hints._STEMS,
    *STARTS,
]
BETWEEN = [
    *("", "", " ", "  ", "       ", "\n", "\r", "\t", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0"),
    *("\u2028", "\u2029", "\u3000", "=", ":", "-", ".", "(", "'", "\u03a3", "\u0130", "\u212a"),
]
CHANGES: list[Callable[[str], str]] = [str, str, str, str.upper, str.lower, str.capitalize]
CHARS = st.text("abcxyzKS0123456789\u0663 -._=:/@\n", max_size=12)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return parts of hints between white space and signs, some in other letters."""
    parts = []
    for hint in draw(st.lists(st.sampled_from(HINTS) | CHARS, min_size=1, max_size=6)):
        start = draw(st.sampled_from((0, 0, 0, 1, 2)))
        end = draw(st.sampled_from((0, 0, 0, 1, 2)))
        change = draw(st.sampled_from(CHANGES))
        parts += [change(hint[start : len(hint) - end]), draw(st.sampled_from(BETWEEN))]
    return "".join(parts)


def expected_rows(text: str) -> set[int]:
    """Return the same by a search for each hint in the whole text."""
    small = text.lower().replace("i\u0307", "i").replace("\u0131", "i").replace("\u017f", "s")
    normalized = " ".join(small.split())
    rows = {
        number
        for number, row in enumerate(SECRET_TEXTS)
        if any(hint in (normalized if row.flags & re.IGNORECASE else text) for hint in row.hints)
    }
    rows -= {KEYS, ISSUED}
    if secret_hints._HAS_SEPARATOR.search(text) and any(stem in small for stem in secret_hints._STEMS):
        rows.add(KEYS)
    has_prefix = any(hint in text for hint in SECRET_TEXTS[ISSUED].hints) or WITHOUT_HINT.search(text)
    if has_prefix and secret_hints._HAS_RUN.search(text):
        rows.add(ISSUED)
    if secret_hints._DIGITS.search(text):
        rows |= {number for number, row in enumerate(SECRET_TEXTS) if not row.hints}
    return rows | {BLOCK} if any(start in text for start in STARTS) else rows


IBAN = next(number for number, row in enumerate(SECRET_TEXTS) if "IBAN" in row.what)
"""Its pattern matches numbers with fewer digits in a row than those of any country have."""


@pytest.mark.parametrize("number", sorted({*range(len(SECRET_TEXTS))} - {IBAN}))
@given(st.data())
def test_a_row_is_tried_for_each_text_that_its_pattern_matches(number: int, data: st.DataObject) -> None:
    """`Kennwort 'abc'` and `SECURITY CODE IS 1234` were sent: the patterns ignore case, and the hints did not."""
    pattern = SECRET_TEXTS[number].pattern
    text = data.draw(st.from_regex(pattern))
    assume(pattern.search(text))
    assert number in rows_of(text)
    assert has_hint(number, text) or number in OF_DIGITS


@pytest.mark.parametrize(
    "text",
    [
        "Kennwort 'sword7fish' falsch",
        "das kennwort ist sword7fish",
        "Mot de passe 'sword7fish' incorrect",
        "HASŁO 'sword7fish'",
        "THE PASSWORD IS SWORD7FISH",
        "Your Login Code is sword7fish",
        "Your login code\tis sword7fish",
        "API Key provided: sword7fish",
        "Token 'sword7fish'",
        "Authentication BASIC sword7fish",
        "CREATE USER ann Identified By 'sword7fish'",
        "redis-cli -asword7fish ping",
        "\u015e\u0130FRE: sword7fish",
        "\u015e\u0130FRE 'sword7fish'",
        "P\u0130N=sword7fish",
        "pa\u017f\u017fword=sword7fish",
        "\u0130NSERT \u0130NTO users VALUES ('sword7fish')",
        "Select * From users Where name = 'sword7fish'",
    ],
)
def test_capital_letters_and_white_space_hide_no_secret(text: str) -> None:
    """Most of them were sent: hints were searched in the letters and white space of the table."""
    assert "sword7fish" not in scrub_text(text).lower()


@given(texts())
def test_the_words_of_a_text_have_the_same_rows_as_the_text(text: str) -> None:
    """White space in hints, in digits and between lines changes nothing."""
    assert rows_of(text) == expected_rows(text)


@given(texts())
def test_a_line_names_a_secret_if_the_row_is_tried_for_it(line: str) -> None:
    """The same condition decides about a line and the whole text."""
    assert names_secret(line) == (KEYS in expected_rows(line))


@given(texts())
def test_a_row_has_a_hint_in_the_text_if_it_is_tried_for_it(text: str) -> None:
    """Both ways to find the rows agree."""
    rows = {number for number in range(len(SECRET_TEXTS)) if number not in OF_DIGITS and has_hint(number, text)}
    assert rows == expected_rows(text) - OF_DIGITS - {BLOCK}


def test_a_text_that_many_rows_change_is_divided_into_words_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long word takes milliseconds, and a client of the gateway can send many."""
    divided: list[str] = []

    def counted(text: str) -> set[int]:
        divided.append(text)
        return rows_of(text)

    monkeypatch.setattr(secret_texts, "rows_of", counted)
    text = "".join(row.example.replace(" ", "") for row in SECRET_TEXTS) + "x" * 200
    assert scrub_text(text).count(MASK) > 3
    assert divided == [text]
