"""The form of a UUID, as RUM accepts it for app monitors, sessions, users and events.

`config` checks app monitor ids with it, so it is below `rum.ids`, which makes UUIDs and imports OpenSSL for that.
"""

from ._pattern import lazy_pattern

UUID = lazy_pattern(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
