"""The static files of the console, read once and served from memory: request paths never reach the file system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """The content of a file."""

    content: bytes
    media_type: str


class Assets:
    """All files by path. `digest` changes with any file, so clients may cache paths that contain it forever."""

    def __init__(self) -> None:
        self._by_path = dict(_read(Path(__file__).with_name("static")))
        content = sha256()
        for path, asset in sorted(self._by_path.items()):
            content.update(path.encode() + b"\0" + asset.content)
        self.digest = content.hexdigest()[:16]
        index = self._by_path.pop(_INDEX).content.replace(b"$digest", self.digest.encode())
        # Browsers request all modules at once, instead of each when the module that imports it is read.
        modules = (path for path in sorted(self._by_path) if path.endswith(".js"))
        links = (f'<link rel="modulepreload" href="/console/{self.digest}/{path}">' for path in modules)
        self.index = index.replace(b"$modules", "\n".join(links).encode())

    def get(self, digest: str, path: str) -> Asset | None:
        """Return a file; None when path or digest does not match."""
        return self._by_path.get(path) if digest == self.digest else None


def _read(folder: Path) -> Iterator[tuple[str, Asset]]:
    for file in folder.rglob("*"):
        if media_type := _MEDIA_TYPES.get(file.suffix):
            yield file.relative_to(folder).as_posix(), Asset(file.read_bytes(), media_type)
