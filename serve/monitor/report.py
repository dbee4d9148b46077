"""The report on a log and its feedback: `build(log, judgements)`, then `html(report)`, one page that loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from serve.monitor import charts
from serve.monitor.accuracy import Share, accuracy, settled
from serve.monitor.charts import Point
from serve.monitor.drift import ALARM_RATE, Finding, Windows, compare, too_few, windows
from serve.monitor.labelling import Candidate, worth_labelling
from serve.monitor.records import Asked, Judgement, Log
from serve.monitor.relevance import LEAST, relevance
from serve.monitor.signals import SIGNALS, YES


@dataclass(frozen=True)
class Report:
    """The content of the page."""

    log: Log
    over: Windows
    findings: Sequence[Finding]
    untested: str | None  # why no signal could be tested
    alarm_rate: float
    judged: Mapping[str, Judgement]  # one per answer, by request id
    before: Share  # right answers in the reference window
    now: Share  # in the current window
    reviewers: Share  # in the current window, by reviewers alone
    relevant_before: Share  # answers about what was asked, in the reference window
    relevant: Share  # in the current window
    labels: Sequence[Candidate]

    @property
    def irrelevant(self) -> bool:
        """Whether relevance is below its least value by more than chance (its 95 % interval lies below)."""
        return self.relevant.of > 0 and self.relevant.high < LEAST

    @property
    def flagged(self) -> list[Finding]:
        return [f for f in self.findings if f.flagged]

    def sentences(self) -> list[str]:
        """The result in sentences: which signals moved, or that none did."""
        if self.irrelevant:
            low = [f"Relevance is {_share(self.relevant)}, below {100 * LEAST:.0f} %."]
        else:
            low = []
        if self.untested:
            return [f"Not tested: {self.untested}.", *low]
        if not self.flagged:
            return [f"No drift. By chance alone one report in {1 / self.alarm_rate:.0f} would show some.", *low]
        return low + [f"{f.signal.name} moved ({moved(f)}): PSI {f.psi:.3f}, p = {f.p:.4f}" for f in self.flagged]


def build(
    log: Log,
    judgements: Sequence[Judgement],
    current_days: int = 7,
    reference_days: int = 28,
    alarm_rate: float = ALARM_RATE,
) -> Report:
    """Compare the last `current_days` with the `reference_days` before. Raises MonitorError where there are none."""
    over = windows(log.days, current_days, reference_days)
    judged = settled(judgements)
    where = {a.request_id: a.day for a in log.asked}

    def share(days: Sequence[date]) -> Share:
        return accuracy(j for j in judged.values() if where.get(j.request_id, j.at.date()) in days)

    recent = [a for a in log.asked if a.day in over.current]
    return Report(
        log,
        over,
        compare(log.asked, judged, over, alarm_rate),
        too_few(over, alarm_rate),
        alarm_rate,
        judged,
        share(over.reference),
        share(over.current),
        accuracy(j for j in judged.values() if j.reviewed and where.get(j.request_id, j.at.date()) in over.current),
        relevance(a for a in log.asked if a.day in over.reference),
        relevance(recent),
        worth_labelling(recent, judgements),
    )


def html(report: Report) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "moved": moved, "share": _share}
    return environment.get_template("report.html.j2").render(
        report=report,
        rates=_rates(report),
        shapes=_shapes(report),
        recent=sum(a.day in report.over.current for a in report.log.asked),
    )


def moved(finding: Finding) -> str:
    """How a signal moved: its rates before and now, or those of the category that moved most."""
    if finding.signal.rate:
        return f"{percent(finding.rate('reference'))} to {percent(finding.rate('current'))}"
    before, now = _portions(finding)
    most = max(before, key=lambda c: abs(now[c] - before[c]))
    return f"{most}: {percent(before[most])} to {percent(now[most])}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _share(share: Share) -> str:
    return f"{percent(share.value)} ({100 * share.low:.0f} to {100 * share.high:.0f} %)" if share.of else "–"


def _portions(finding: Finding) -> tuple[dict[str, float], dict[str, float]]:
    before, now = sum(finding.reference.values()), sum(finding.current.values())
    return ({c: n / before for c, n in finding.reference.items()}, {c: n / now for c, n in finding.current.items()})


def _rates(report: Report) -> list[tuple[Finding, Markup]]:
    """A chart of each yes/no signal by day; judgements are few and shown by week, with intervals."""
    shown = []
    start = report.over.current[0] if report.over.current else None
    days = [*report.over.reference, *report.over.current]
    for finding in report.findings:
        if not finding.signal.rate:
            continue
        weekly = finding.signal.name == "judged wrong"
        points = _weeks(report, finding, days) if weekly else [_point(report, finding, (day,), day) for day in days]
        svg = charts.rate_chart(points, start, finding.rate("reference"), finding.signal.name)
        shown.append((finding, Markup(svg)))
    return shown


def _weeks(report: Report, finding: Finding, days: Sequence[date]) -> list[Point]:
    """A point for every seven days, counted back from the last day."""
    last, points = days[-1], []
    while last >= days[0]:
        week = tuple(day for day in days if last - timedelta(days=7) < day <= last)
        if week:
            points.append(_point(report, finding, week, week[-1], interval=True))
        last -= timedelta(days=7)
    return points[::-1]


def _point(report: Report, finding: Finding, days: tuple[date, ...], at: date, interval: bool = False) -> Point:
    found = [finding.signal.of(a, report.judged) for a in _of(report.log.asked, days)]
    known = [category for category in found if category is not None]
    share = Share(known.count(YES), len(known))
    bounds = (share.low, share.high) if interval and share.of else (None, None)
    return Point(at, share.value, share.of, *bounds)


def _of(asked: Sequence[Asked], days: tuple[date, ...]) -> list[Asked]:
    return [a for a in asked if a.day in days]


def _in_order(categories: Iterable[str]) -> list[str]:
    """Classes of a count ("0", "1 to 2", "3 or more") by their size; others as they come."""
    names = list(categories)
    if not all(name[:1].isdigit() for name in names):
        return names
    return sorted(names, key=lambda name: int(name.split()[0]))


def _shapes(report: Report) -> list[tuple[Finding, Markup]]:
    """A chart of the categories before and now, for the first signal and for those that moved."""
    shown = []
    for finding in report.findings:
        if finding.signal.rate or not (finding.flagged or finding.signal is SIGNALS[0]):
            continue
        before, now = _portions(finding)
        rows = [(c.replace("_", " "), before[c], now[c]) for c in _in_order(before)][:12]
        shown.append((finding, Markup(charts.paired_bars(rows, f"{finding.signal.name}, before and now"))))
    return shown
