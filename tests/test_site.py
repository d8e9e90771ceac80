"""The documentation site."""

from __future__ import annotations

import re

from docs.site_pages import PAGES, ROOT


def test_the_navigation_of_the_site_has_every_page() -> None:
    """Zensical builds a page that is missing there, and says nothing."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)) == sorted(PAGES.values())
