"""The console at `/`: what the stand-in received, as a page for people.

`web` serves; `assets` are its files; every other module is one view of what was received: pure functions from records
to JSON, without a clock and without I/O.
"""

from .web import Console

__all__ = ["Console"]
