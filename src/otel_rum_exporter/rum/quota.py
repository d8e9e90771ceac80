"""RUM's quota for an account and region: https://docs.aws.amazon.com/general/latest/gr/cw_rum_region.html."""

from __future__ import annotations

QUOTA_CODE = "L-35851224"
QUOTA_NAME = "RUM Events per second"
DEFAULT_QUOTA = 50
