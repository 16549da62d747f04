"""Plots as SVG text: dots with whiskers, bars, curves. Colours come from the page's style sheet.

A series has its class by number: `s0` the first configuration, `s1` the second. Numbers are
written by us and labels escaped, so nothing of a document gets into a page through here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ragkit.evaluation.statistics import Difference, Interval

WIDTH = 460
_LABELS = 122  # room for the names of rows, and for numbers behind a plot
_NUMBERS = 128
_LINE = 15
_ROW_GAP = 11
_TOP, _BOTTOM = 6, 24
_CURVE_HEIGHT = _BARS_HEIGHT = 210
_AXIS = 34


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps values onto pixels in a straight line."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def dots(rows: Sequence[tuple[str, Sequence[Interval]]]) -> str:
    """Return a row for each metric: its mean as a dot on its interval, a line a series."""
    scale = _Scale(0, 1, _LABELS, WIDTH - _NUMBERS)
    ticks = [(tick, f"{tick:g}") for tick in (0, 0.25, 0.5, 0.75, 1)]
    marks = [
        (
            name,
            [
                (
                    each.mean,
                    each.low,
                    each.high,
                    f"{each.mean:.3f} [{each.low:.3f}, {each.high:.3f}]",
                )
                for each in intervals
            ],
        )
        for name, intervals in rows
    ]
    return _rows(marks, scale, ticks, title="Metrics with 95 % confidence intervals")


def differences(rows: Sequence[tuple[str, Difference]]) -> str:
    """Return a row for each metric: how far the second configuration is above the first."""
    reach = max((max(abs(d.low), abs(d.high), abs(d.mean)) for _, d in rows), default=0.0)
    reach = math.ceil(max(reach, 0.01) * 20) / 20
    scale = _Scale(-reach, reach, _LABELS, WIDTH - _NUMBERS)
    ticks = [(tick, f"{tick:+g}" if tick else "0") for tick in (-reach, 0, reach)]
    marks = [
        (name, [(d.mean, d.low, d.high, f"{d.mean:+.3f} ({_p_value(d)})")]) for name, d in rows
    ]
    return _rows(marks, scale, ticks, title="Differences with 95 % confidence intervals", first=1)


def _p_value(difference: Difference) -> str:
    return "p < 0.001" if difference.p < 0.001 else f"p = {difference.p:.3f}"


def _rows(
    rows: Sequence[tuple[str, Sequence[tuple[float, float, float, str]]]],
    scale: _Scale,
    ticks: Sequence[tuple[float, str]],
    *,
    title: str,
    first: int = 0,
) -> str:
    pieces = []
    y: float = _TOP
    for name, marks in rows:
        middle = y + _LINE * len(marks) / 2
        pieces.append(_text(_LABELS - 12, middle, name, "end"))
        for series, (mean, low, high, words) in enumerate(marks, start=first):
            at = y + _LINE / 2
            pieces.append(_line(scale(low), at, scale(high), at, f"whisker s{series}"))
            pieces.append(_dot(scale(mean), at, f"s{series}", words))
            pieces.append(_text(WIDTH - _NUMBERS + 10, at, words, "start", f"small t{series}"))
            y += _LINE
        y += _ROW_GAP
    grid = [_line(scale(tick), _TOP, scale(tick), y, "grid") for tick, _ in ticks]
    labels = [_text(scale(tick), y + 12, words, "middle", "small dim") for tick, words in ticks]
    return _svg(y + _BOTTOM, [*grid, *pieces, *labels], title)


def bars(labels: Sequence[str], series: Sequence[Sequence[int]], *, axis: str) -> str:
    """Return a group of bars for each label, one a series, with its count above it."""
    most = max((count for counts in series for count in counts), default=0) or 1
    bottom = _BARS_HEIGHT - _AXIS
    height = _Scale(0, most, bottom, _TOP + 14)
    slot = (WIDTH - 20) / len(labels)
    wide = min(26.0, slot * 0.8 / len(series))
    pieces = [_line(10, bottom, WIDTH - 10, bottom, "axis")]
    for number, label in enumerate(labels):
        middle = 10 + slot * (number + 0.5)
        left = middle - wide * len(series) / 2
        for which, counts in enumerate(series):
            top = height(counts[number])
            x = left + wide * which
            pieces.append(
                f'<rect class="bar s{which}" x="{x + 1:.1f}" y="{top:.1f}" width="{wide - 2:.1f}"'
                f' height="{bottom - top:.1f}" rx="2"/>'
            )
            if counts[number]:
                pieces.append(_text(x + wide / 2, top - 7, str(counts[number]), "middle", "tiny"))
        pieces.append(_text(middle, bottom + 12, label, "middle", "small dim"))
    pieces.append(_text(WIDTH / 2, _BARS_HEIGHT - 6, axis, "middle", "small dim"))
    return _svg(_BARS_HEIGHT, pieces, axis)


def curves(series: Sequence[Sequence[float]], *, axis: str) -> str:
    """Return a line for each series of shares, over 1, 2, 3, ..."""
    lowest = min((min(values) for values in series), default=0.0)
    low = min(math.floor(lowest * 5) / 5, 0.8)
    bottom = _CURVE_HEIGHT - _AXIS
    x = _Scale(1, max(2, len(series[0])), 40, WIDTH - 14)
    y = _Scale(low, 1, bottom, _TOP + 4)
    step = 0.1 if low > 0.5 else 0.2
    ticks = [low + step * number for number in range(round((1 - low) / step) + 1)]
    pieces = []
    for tick in ticks:
        pieces.append(_line(40, y(tick), WIDTH - 14, y(tick), "grid"))
        pieces.append(_text(33, y(tick), f"{tick:.1f}", "end", "small dim"))
    for k in (1, 5, 10, 15, 20):
        if k <= len(series[0]):
            pieces.append(_text(x(k), bottom + 12, str(k), "middle", "small dim"))
    for which, values in enumerate(series):
        points = [(x(k), y(value)) for k, value in enumerate(values, start=1)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        pieces.append(f'<polyline class="curve s{which}" points="{path}"/>')
        pieces += [
            _dot(px, py, f"s{which}", f"{axis} {k}: {value:.3f}", radius=2.6)
            for k, ((px, py), value) in enumerate(zip(points, values, strict=True), start=1)
        ]
    pieces.append(_text(WIDTH / 2, _CURVE_HEIGHT - 6, axis, "middle", "small dim"))
    return _svg(_CURVE_HEIGHT, pieces, axis)


# --- pieces ------------------------------------------------------------------------------------


def _svg(height: float, pieces: Sequence[str] | Iterator[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(pieces)}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(x: float, y: float, kind: str, words: str, *, radius: float = 4.2) -> str:
    return (
        f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
        f"<title>{escape(words)}</title></circle>"
    )


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f' dominant-baseline="central">{escape(words)}</text>'
    )
