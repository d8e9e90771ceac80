"""A backtracking regex matcher that counts its steps, so that a test can compare inputs of two sizes without a clock.

It tries the same alternatives in the same order as `re`, which does not report how many it tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

Node = tuple[Any, Any]
Continue = Callable[[int], int]

NO_MATCH = -1
_PARSER: Any = getattr(re, "_parser", None) or getattr(re, "sre_parse", None)
_CATEGORIES = {
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
}


class StepCounter:
    """Find all matches of a pattern in a text, as `Pattern.finditer` does; `steps` counts the work."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self.steps = 0
        self._text = text
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._is_multiline = bool(pattern.flags & re.MULTILINE)
        nodes = list(_PARSER.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
        self.spans: list[tuple[int, int]] = []
        start = 0
        while start <= len(text):
            end = self._match(nodes, start, lambda at: at)
            if end != NO_MATCH:
                self.spans.append((start, end))
            start = max(end, start + 1)

    def _match(self, nodes: Sequence[Node], at: int, go_on: Continue) -> int:  # noqa: PLR0911 - one per kind of node
        """Return the end of a match of nodes, and of what follows them, at a position."""
        self.steps += 1
        if not nodes:
            return go_on(at)
        (kind, value), rest = nodes[0], nodes[1:]
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(nodes[0], at, lambda end: self._match(rest, end, go_on))
            case "SUBPATTERN":
                return self._match(list(value[-1]), at, lambda end: self._match(rest, end, go_on))
            case "BRANCH":
                ends = (self._match([*branch, *rest], at, go_on) for branch in value[1])
                return next((end for end in ends if end != NO_MATCH), NO_MATCH)
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = value
                found = self._match(list(inner), at - 1 if direction < 0 else at, lambda end: end)
                is_met = (found != NO_MATCH and at + direction >= 0) == (str(kind) == "ASSERT")
                return self._match(rest, at, go_on) if is_met else NO_MATCH
            case "AT":
                if str(value) == "AT_BOUNDARY":
                    sides = (self._is_word(at - 1), self._is_word(at))
                    return self._match(rest, at, go_on) if sides[0] != sides[1] else NO_MATCH
                if str(value) == "AT_END_STRING":
                    return self._match(rest, at, go_on) if at == len(self._text) else NO_MATCH
                assert str(value) == "AT_END"
                if self._is_multiline and self._text[at : at + 1] == "\n":
                    return self._match(rest, at, go_on)
                is_end = at == len(self._text) or self._text[at:] == "\n"
                return self._match(rest, at, go_on) if is_end else NO_MATCH
        return self._match(rest, at + 1, go_on) if self._accepts(nodes[0], at) else NO_MATCH

    def _repeat(self, node: Node, at: int, go_on: Continue) -> int:
        kind, (least, most, inner) = node
        (first, *others) = inner
        if others or str(first[0]) not in {"LITERAL", "NOT_LITERAL", "ANY", "IN"}:
            return self._repeat_group(node, 0, at, go_on)
        count = 0
        while count < most and self._accepts(first, at + count):
            count += 1
        self.steps += count
        counts = range(count, least - 1, -1) if str(kind) == "MAX_REPEAT" else range(least, count + 1)
        ends = (go_on(at + number) for number in counts)
        return next((end for end in ends if end != NO_MATCH), NO_MATCH)

    def _repeat_group(self, node: Node, count: int, at: int, go_on: Continue) -> int:
        kind, (least, most, inner) = node
        assert str(kind) == "MAX_REPEAT"
        if count < most:
            end = self._match(list(inner), at, lambda next_at: self._repeat_group(node, count + 1, next_at, go_on))
            if end != NO_MATCH:
                return end
        return go_on(at) if count >= least else NO_MATCH

    def _is_word(self, at: int) -> bool:
        return 0 <= at < len(self._text) and re.match(r"\w", self._text[at]) is not None

    def _accepts(self, node: Node, at: int) -> bool:
        if not 0 <= at < len(self._text):
            return False
        character, (kind, value) = self._text[at], node
        match str(kind):
            case "ANY":
                return character != "\n"
            case "LITERAL":
                return self._equals(character, value)
            case "NOT_LITERAL":
                return not self._equals(character, value)
            case "IN":
                is_negated = str(value[0][0]) == "NEGATE"
                return any(self._is_in(character, one) for one in value[is_negated:]) != is_negated
        raise NotImplementedError(kind)

    def _is_in(self, character: str, item: Node) -> bool:
        kind, value = item
        match str(kind):
            case "LITERAL":
                return self._equals(character, value)
            case "RANGE":
                least, most = value
                return bool(least <= ord(character) <= most)
            case "CATEGORY":
                return re.match(_CATEGORIES[str(value)], character) is not None
        raise NotImplementedError(kind)

    def _equals(self, character: str, code: int) -> bool:
        return character == chr(code) or (self._ignores_case and character.lower() == chr(code).lower())
