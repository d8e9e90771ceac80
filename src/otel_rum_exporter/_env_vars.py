"""Names of the environment variables, from which `opentelemetry-instrument` makes its command-line options.

It makes an option from every attribute that begins with `OTEL_`, so no other name may begin so.
"""

from . import config as _config

globals().update({_config.variable(name): _config.variable(name) for name in _config.table()})
