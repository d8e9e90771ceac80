"""A plot of the cost of one span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt

from .bench import NAMES, OURS

mpl.use("Agg")


def draw(rounds: Sequence[Mapping[str, Mapping[str, float]]], path: str) -> None:
    """Draw CPU and bytes per span as bars, with this exporter first."""
    exporters = [name for name in NAMES if all(name in one for one in rounds)]
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.6 + 0.5 * len(exporters)), sharey=True)
    for axis, (key, title) in zip(
        axes,
        (("cpu_micros_per_span", "CPU per span, µs"), ("bytes_per_span", "bytes per span on the wire")),
        strict=True,
    ):
        values = [median(one[name][key] for one in rounds) for name in exporters]
        bars = axis.barh(
            [NAMES[name] for name in exporters],
            values,
            color=["#e8710a" if name == OURS else "#9aa7b5" for name in exporters],
        )
        axis.bar_label(bars, fmt="{:,.0f}", padding=3)
        axis.set_xlim(0, max(values) * 1.15)
        axis.set_xticks([])
        axis.set_title(title, loc="left", fontsize=10)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=150)
