"""Small charts as inline SVG, coloured by the page's CSS, which has a light and a dark scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 320, 132
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 22


@dataclass(frozen=True)
class Point:
    """One day's share (0 to 1) of `of` cases, None without cases; `low` and `high` if an interval is shown."""

    day: date
    value: float | None
    of: int
    low: float | None = None
    high: float | None = None


def rate_chart(points: Sequence[Point], current_from: date | None, usual: float | None, name: str) -> str:
    """A share by day as a line. The current window is shaded; `usual`, the share of the reference window, is dashed."""
    known = [p for p in points if p.value is not None]
    tops = [p.high if p.high is not None else p.value for p in known]
    top = _top(max([*tops, usual or 0.0, 0.01]))
    first, last = points[0].day.toordinal(), points[-1].day.toordinal()

    def x(day: date) -> float:
        return LEFT + (day.toordinal() - first) / max(1, last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)

    parts = []
    if current_from is not None:
        at = max(LEFT, x(current_from) - 3)
        parts.append(f'<rect class="now" x="{at:.1f}" y="{TOP}" width="{WIDTH - RIGHT - at:.1f}" '
                     f'height="{HEIGHT - TOP - BOTTOM}"/>')  # fmt: skip
    for value in (0, top / 2, top):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 5}" y="{y(value) + 3.5:.1f}" text-anchor="end">'
                     f'{_percent(value)}</text>')  # fmt: skip
    if usual is not None:
        parts.append(f'<line class="usual" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(usual):.1f}" y2="{y(usual):.1f}"/>')
    for point in known:
        if point.low is not None and point.high is not None:
            at = x(point.day)
            parts.append(f'<line class="whisker" x1="{at:.1f}" x2="{at:.1f}" y1="{y(point.low):.1f}" '
                         f'y2="{y(point.high):.1f}"/>')  # fmt: skip
    path = " ".join(f"{x(p.day):.1f},{y(p.value):.1f}" for p in known)
    parts.append(f'<polyline class="line" points="{path}"/>')
    for point in known:
        parts.append(f'<circle class="dot" cx="{x(point.day):.1f}" cy="{y(point.value):.1f}" r="2.5"><title>'
                     f'{point.day:%a %d %b}: {100 * point.value:.1f} % of {point.of}</title></circle>')  # fmt: skip
    for day, anchor in ((points[0].day, "start"), (points[-1].day, "end")):
        parts.append(f'<text class="tick" x="{x(day):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">'
                     f'{day.day} {day:%b}</text>')  # fmt: skip
    return _svg(WIDTH, HEIGHT, f"{name} by day", parts)


def paired_bars(rows: Sequence[tuple[str, float, float]], name: str) -> str:
    """Two bars for each (category, share before, share now). The names are above them: a phone is 390 px wide."""
    label, width, step = 0, WIDTH, 46
    room = width - label - 52
    most = max([*(max(before, now) for _, before, now in rows), 0.01])
    parts = []
    for i, (category, before, now) in enumerate(rows):
        at = i * step
        parts.append(f'<text class="name" x="{label}" y="{at + 12}">{escape(category)}</text>')
        for value, css, shift in ((before, "before", 18), (now, "after", 29)):
            bar = max(1.0, value / most * room)
            parts.append(f'<rect class="{css}" x="{label}" y="{at + shift}" width="{bar:.1f}" height="10" rx="2"/>')
            end = label + bar + 5
            parts.append(f'<text class="tick" x="{end:.1f}" y="{at + shift + 9}">{100 * value:.1f} %</text>')
    return _svg(width, len(rows) * step, name, parts)


def _svg(width: int, height: int, name: str, parts: Sequence[str]) -> str:
    return (f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name, quote=True)}">'
            f'{"".join(parts)}</svg>')  # fmt: skip


def _top(value: float) -> float:
    """The next round number at or above a share."""
    return next((mark for mark in (0.02, 0.04, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8) if value <= mark), 1.0)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
