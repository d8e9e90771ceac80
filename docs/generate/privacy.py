"""The tables in docs/privacy.md, which `make docs` writes: the tables that the code applies."""

from otel_rum_exporter.mapping.path_ids import ID_FORMS, mask_path
from otel_rum_exporter.mapping.private_names import COUNTS, KINDS, PRIVATE_NAMES
from otel_rum_exporter.mapping.secret_forms import BLOCKS, SECRET_TEXTS
from otel_rum_exporter.mapping.secret_texts import scrub_text


def names() -> str:
    """Return the attributes whose values are never sent, as a Markdown table."""
    lines = ["| what | names, for example | sent nevertheless |", "|---|---|---|"]
    lines += (
        f"| {row.what} | {row.shown} | {_sent(row.treatment.value, has_kinds=row.has_kinds)} |" for row in PRIVATE_NAMES
    )
    return "\n".join(lines)


def texts() -> str:
    """Return what is removed from texts, as a Markdown table."""
    lines = ["| what | example | becomes |", "|---|---|---|"]
    lines += (f"| {row.what} | `{row.example}` | `{scrub_text(row.example)}` |" for row in SECRET_TEXTS)
    lines += (f"| {what} | `{start}…` | `{start}***` |" for what, start, _ in BLOCKS)
    return "\n".join(lines)


def ids() -> str:
    """Return what is masked in paths and names, as a Markdown table."""
    lines = ["| what | example | becomes |", "|---|---|---|"]
    lines += (f"| {what} | `/x/{example}` | `{mask_path(f'/x/{example}')}` |" for what, example, _ in ID_FORMS)
    return "\n".join(lines)


def words() -> str:
    """Return the words that make a name harmless."""
    counts, kinds = (", ".join(f"`{word}`" for word in found) for found in (COUNTS, KINDS))
    return f"- Counts: {counts}\n- Kinds, at the end of a name: {kinds}"


def _sent(treatment: str, *, has_kinds: bool) -> str:
    found = {"never sent": "nothing", "sent if it is a truth value": "true and false"}.get(
        treatment, "true, false, counts"
    )
    return f"{found}, kinds" if has_kinds else found
