"""Copies the pages of the documentation site into build/docs, for `make docs-site`.

Links between files of the repository become links between pages, or to the repository where the site has no such page.
A link to a file that does not exist is an error.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "build" / "docs"
REPOSITORY = "https://github.com/otel-rum-exporter/otel-rum-exporter/blob/main"

PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    **{f"docs/{file.name}": file.name for file in sorted((ROOT / "docs").glob("*.md"))},
}
"""Files of the repository and the names of their pages."""

IMAGES = {f"docs/{file.name}": file.name for file in sorted((ROOT / "docs").glob("*.png"))}

_LINK = re.compile(r'(?P<before>\]\(|\b(?:src|srcset|href)=")(?P<path>[^)"#?:\s]+)(?=[)"#?])')
_CODE = re.compile(r"^( *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Write all pages and images."""
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    for source, name in PAGES.items():
        page = (ROOT / source).read_text(encoding="utf-8")
        (TARGET / name).write_text(with_links_of_the_site(page, source), encoding="utf-8")
    for source, name in IMAGES.items():
        shutil.copy(ROOT / source, TARGET / name)


def with_links_of_the_site(page: str, source: str) -> str:
    """Return a page with its relative links rewritten."""
    folder = Path(source).parent

    def rewritten(link: re.Match[str]) -> str:
        path = os.path.normpath(folder / link["path"])
        if not (ROOT / path).exists():
            raise SystemExit(f"{source}: broken link to {link['path']}")
        return link["before"] + ((PAGES | IMAGES).get(path) or f"{REPOSITORY}/{path}")

    # A link in an example is none of the page's.
    parts = _CODE.split(page)
    parts[::2] = (_LINK.sub(rewritten, text) for text in parts[::2])
    return "".join(parts)


if __name__ == "__main__":
    main()
