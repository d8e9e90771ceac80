"""Forms of keys and tokens that begin as their issuer publishes: part of the table of secret texts.

The forms are apart because there are many of them, and they change when issuers do.
"""

from __future__ import annotations

from .._pattern import lazy_pattern

PREFIXES = (
    r"sk-[\w-]{8,}|(?:sk|pk|rk)_(?:live|test)_\w{8,}|whsec_[\w+/=]{8,}|(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|"
    r"gh[opsur]_\w{16,}|github_pat_\w{16,}|gl(?:pat|ptt|dt|soat|rt|ft)-[\w-]{10,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|"
    r"AIza[\w-]{20,}|ya29\.[\w.-]{10,}|GOCSPX-[\w-]{10,}|npm_\w{20,}|pypi-[\w-]{16,}|SG\.[\w-]{10,}\.[\w-]{10,}|"
    r"hf_[A-Za-z0-9]{16,}|do[opr]_v1_\w{16,}|shp(?:at|ss|ca|pa)_\w{16,}|dapi[0-9a-f]{16,}|sq0[a-z]{3}-[\w-]{16,}|"
    r"EAA[A-Za-z0-9]{20,}|dckr_pat_[\w-]{16,}|ATATT3[\w=-]{16,}|lin_api_\w{16,}|NRAK-\w{16,}|PMAK-[\w-]{16,}|"
    r"fig[dou]_[\w-]{16,}|hv[sb]\.[\w-]{16,}|xkeysib-[\w-]{16,}|glsa_\w{16,}|ntn_\w{16,}|gsk_\w{16,}|r8_\w{16,}|"
    r"rzp_(?:live|test)_\w{8,}|pscale_\w+_[\w.-]{10,}|CFPAT-[\w-]{16,}|sbp_\w{16,}|key-[0-9a-f]{32}|SK[0-9a-f]{32}|"
    r"AC[0-9a-f]{32}|AGE-SECRET-KEY-1\w{10,}|FwoG[\w/+=]{20,}|LTAI\w{12,}|tfp_\w{16,}|v1\.[0-9a-f]{40}|"
    r"[0-9a-f]{32}-us\d{1,2}\b|dp\.(?:pt|st|ct|sa|scim|audit)\.\w{20,}|[\w~.]{3}\dQ~[\w~.-]{30,}|glc_[\w+/=]{20,}|"
    r"pul-[0-9a-f]{32,}|rubygems_[0-9a-f]{32,}|lin_oauth_\w{16,}|sntry[su]_[\w+/=]{20,}|ATBB\w{20,}|AKCp\w{20,}|"
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{20,}|fm(?:1[ar]|2)_[\w+/=]{20,}|sb_secret_[\w-]{16,}|secret_[A-Za-z0-9]{32,}|"
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}|pat-[a-z]{2}\d-[0-9a-f-]{32,}|sl\.[A-Za-z][\w-]{60,}|pplx-\w{20,}|xai-\w{20,}|"
    r"phx_\w{20,}|nfp_\w{20,}|AQE[\w+/=-]{60,}|access_token\$\w{4,12}\$\w{8,}\$\w{8,}|IQoJb3JpZ2lu[\w+/=]{20,}|"
    r"1//0[\w-]{20,}|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|\d{8,10}:AA[\w-]{30,}"
)
HINTS = (
    *("sk-", "k_live_", "k_test_", "whsec_", "A3T", "AKIA", "ASIA", "ABIA", "ACCA", "gho_", "ghp_", "ghs_", "ghu_"),
    *("ghr_", "github_pat_", "glpat-", "glptt-", "gldt-", "glsoat-", "glrt-", "glft-", "xox", "xapp-", "AIza", "ya29."),
    *("GOCSPX-", "npm_", "pypi-", "SG.", "hf_", "_v1_", "shpat_", "shpss_", "shpca_", "shppa_", "dapi", "sq0", "EAA"),
    *("dckr_pat_", "ATATT3", "lin_api_", "NRAK-", "PMAK-", "figd_", "figo_", "figu_", "hvs.", "hvb.", "xkeysib-"),
    *("glsa_", "ntn_", "gsk_", "r8_", "rzp_", "pscale_", "CFPAT-", "sbp_", "key-", "SK", "AC", "AGE-SECRET-KEY-1"),
    *("FwoG", "LTAI", "tfp_", "v1.", ":AA"),
    *("-us", "dp.", "Q~", "glc_", "pul-", "rubygems_", "lin_oauth_", "sntrys_", "sntryu_", "ATBB", "AKCp", ".atlasv1."),
    *("fm1a_", "fm1r_", "fm2_", "secret_", "pat-", "sl.", "pplx-", "xai-", "phx_", "nfp_", "AQE", "access_token$"),
    *("IQoJb3JpZ2lu", "1//0"),
)
WITHOUT_HINT = lazy_pattern(r"\.[\w-]{6}\.[\w-]{27}|pat[A-Za-z0-9]{14}\.")
"""Discord's tokens have no hint of two letters, and Airtable's prefix `pat` is in many words."""
