"""The console at `/`: a web page that shows the received records.

`web` serves it, `assets` holds its files. The other modules are views: pure functions from records to JSON.
"""

from .web import Console

__all__ = ["Console"]
