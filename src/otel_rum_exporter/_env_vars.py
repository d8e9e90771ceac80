"""Names of the environment variables, as `opentelemetry-instrument` wants them to make its options from.

Every attribute that begins with `OTEL_` becomes a command-line option, so nothing else may be named here.
"""

from . import config as _config

globals().update({_config.variable(name): _config.variable(name) for name in _config.table()})
