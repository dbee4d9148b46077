"""One innings of the feed as a record of Cricsheet's format: the commentary's deliveries, the scorecard's dismissals.

The commentary says on which ball a wicket fell, the scorecard how, and who caught it; a batter is out once in an
innings, so that the two join by the batter. Knows nothing about matches, persons or tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from data.cricsheet.format import Delivery, Extras, Fielder, Innings, Over, PenaltyRuns, Runs, Target, Wicket
from data.errors import SourceError
from data.feed.format import Batsman, CardInnings, Commentary, Event

# The scorecard's `dismissal`, letters only. "retired" is told by the words of how_out.
_KINDS = {
    "bowled": "bowled", "caught": "caught", "caughtandbowled": "caught and bowled", "lbw": "lbw",
    "stumped": "stumped", "runout": "run out", "hitwicket": "hit wicket", "retired": "retired hurt",
    "retiredhurt": "retired hurt", "retiredout": "retired out", "retirednotout": "retired not out",
    "obstructingthefield": "obstructing the field", "obstructing": "obstructing the field",
    "hittheballtwice": "hit the ball twice", "hitballtwice": "hit the ball twice",
    "handledtheball": "handled the ball", "handledball": "handled the ball", "timedout": "timed out",
}  # fmt: skip
# The words of how_out, where the scorecard has no `dismissal`.
_WORDS = (
    (re.compile(r"^c (?:&|and) b\b"), "caught and bowled"),
    (re.compile(r"^c\b"), "caught"),
    (re.compile(r"^lbw\b"), "lbw"),
    (re.compile(r"^st\b"), "stumped"),
    (re.compile(r"^run ?out\b"), "run out"),
    (re.compile(r"^hit wicket\b"), "hit wicket"),
    (re.compile(r"^b\b"), "bowled"),
)
NOT_OUT = frozenset({"", "notout", "batting", "absent", "absenthurt", "didnotbat"})


@dataclass
class _Ball:
    """A delivery before it is a record: extras and wickets may still be added."""

    over: int
    event: Event
    batter: int
    non_striker: int
    extras: dict[str, int]
    wickets: list[Wicket] = field(default_factory=list)


def innings_of(
    file: str,
    card: CardInnings,
    log: Commentary,
    key: Callable[[int], str],
    called: Callable[[int], str],
    note: Callable[[str], None],
) -> Innings:
    """The innings, in which `key` names a player id; `note` is told, with usual names by `called`, what differs.

    Raises SourceError naming `file` where a delivery has no batter, bowler or number of runs that can be right.
    """
    balls = _balls(file, card, log, note)
    _add_extras(card, balls, note)
    _add_wickets(file, card, balls, key, called, note)
    overs: dict[int, list[Delivery]] = {}
    for ball in balls:
        overs.setdefault(ball.over, []).append(_delivery(ball, key))
    attributed = sum(ball.extras["penalty"] for ball in balls)
    target = card.target or log.inning.target
    return Innings(
        team=str(card.batting_team_id),
        overs=tuple(Over(over=number, deliveries=tuple(bowled)) for number, bowled in sorted(overs.items())),
        target=Target(runs=target, overs=float(f"{card.max_over // 6}.{card.max_over % 6}") if card.max_over else None)
        if target and card.number % 2 == 0
        else None,
        super_over=card.issuperover,
        absent_hurt=tuple(key(b.batsman_id) for b in card.batsmen if b.batsman_id and _absent(b)),
        penalty_runs=PenaltyRuns(post=max(0, card.extra_runs.penalty - attributed)),
    )  # fmt: skip


def kind_of(batsman: Batsman) -> str | None:
    """How he was out, in Cricsheet's words; None if he was not, or nobody can tell."""
    letters, words = _letters(batsman.dismissal), batsman.how_out.lower().strip()
    if letters in NOT_OUT and (letters or _letters(words) in NOT_OUT):
        return None
    kind = _KINDS.get(letters) or _KINDS.get(_letters(words))
    kind = kind or next((kind for pattern, kind in _WORDS if pattern.search(words)), None)
    if kind == "retired hurt" and "not out" not in words and re.search(r"\bout\b", words):
        return "retired out"
    caught_by_himself = batsman.first_fielder_id is not None and batsman.first_fielder_id == batsman.bowler_id
    return "caught and bowled" if kind == "caught" and caught_by_himself else kind


def _absent(batsman: Batsman) -> bool:
    return _letters(batsman.dismissal).startswith("absent")


def _letters(words: str) -> str:
    return re.sub(r"[^a-z]", "", words.lower())


def _balls(file: str, card: CardInnings, log: Commentary, note: Callable[[str], None]) -> list[_Ball]:
    events = [e for e in log.commentaries if e.event in ("ball", "wicket")]
    numbers = [_over(file, e) for e in events]
    if numbers and numbers[0] > numbers[-1]:  # the newest first, as the API shows a match that is being played
        events, numbers = events[::-1], numbers[::-1]
    if numbers != sorted(numbers):
        note("the commentary's overs are not in order; they were sorted")
        order = sorted(range(len(events)), key=lambda i: numbers[i])
        events, numbers = [events[i] for i in order], [numbers[i] for i in order]
    crease = _Crease([b.batsman_id for b in card.batsmen if b.batsman_id])
    found: list[_Ball] = []
    seen: set[str] = set()
    for number, event in zip(numbers, events, strict=True):
        if event.event_id and event.event_id in seen:
            note(f"event {event.event_id} of the commentary is there twice; the first was taken")
            continue
        seen.add(event.event_id)
        if event.batsman_id is None or event.bowler_id is None:
            missing = "batsman_id" if event.batsman_id is None else "bowler_id"
            raise SourceError(file, f"event {event.event_id} in over {number} has no {missing}; get the file again")
        other = crease.other(event)
        if other is None:
            raise SourceError(file, f"event {event.event_id} in over {number} does not tell who the non-striker is; "
                                    "its `batsmen` should name both batters")  # fmt: skip
        extras = {
            "wides": event.wide_run, "noballs": event.noball_run, "byes": event.bye_run,
            "legbyes": event.legbye_run, "penalty": 0,
        }  # fmt: skip
        found.append(_Ball(number, event, event.batsman_id, other, extras))
    return found


def _over(file: str, event: Event) -> int:
    whole = event.over.partition(".")[0]
    if not whole.isdigit():
        raise SourceError(file, f"event {event.event_id}: over {event.over!r} is no number; get the file again")
    return int(whole)


class _Crease:
    """Who is in: by the event's `batsmen`, else by the order of the scorecard."""

    def __init__(self, order: list[int]) -> None:
        self.waiting = list(order)
        self.pair: list[int] = []

    def other(self, event: Event) -> int | None:
        """The batter at the other end; None if nobody can tell."""
        striker = event.batsman_id
        assert striker is not None
        named = [b.batsman_id for b in event.batsmen if b.batsman_id not in (None, striker)]
        if named and named[0]:
            self.pair = [striker, named[0]]
        else:
            stayed = [player for player in self.pair if player != striker][:1]
            self.pair = [striker, *(stayed or self._next(striker))]
        for player in self.pair:
            if player in self.waiting:
                self.waiting.remove(player)
        found = self.pair[1] if len(self.pair) == 2 else None
        if event.event == "wicket":
            out = event.wicket_batsman_id or striker
            self.pair = [player for player in self.pair if player != out]
        return found

    def _next(self, striker: int) -> list[int]:
        return [player for player in self.waiting if player != striker][:1]


def _add_extras(card: CardInnings, balls: list[_Ball], note: Callable[[str], None]) -> None:
    """Give runs that no part of a delivery has to the kind of which the scorecard has more than the commentary."""
    given = card.extra_runs
    for ball in balls:
        event, parts = ball.event, ball.event.bat_run + sum(ball.extras.values())
        rest = event.run - parts
        if not rest:
            continue
        where = f"over {ball.over}, event {event.event_id}"
        if rest < 0:
            note(f"{where}: {event.run} runs, but its parts are {parts}; the parts were taken")
            continue
        short = {
            kind: getattr(given, kind) - sum(b.extras[kind] for b in balls)
            for kind in ("byes", "legbyes", "penalty", "wides", "noballs")
        }
        if event.noball and not ball.extras["noballs"]:
            ball.extras["noballs"], rest = 1, rest - 1
        elif event.wideball and not ball.extras["wides"]:
            ball.extras["wides"], rest = rest, 0
        kind = next((kind for kind, runs in short.items() if runs >= rest), "byes")
        ball.extras[kind] += rest
        if rest:
            note(f"{where}: {rest} of {event.run} runs are of no kind in the commentary; they were taken as {kind}")


def _add_wickets(
    file: str,
    card: CardInnings,
    balls: list[_Ball],
    key: Callable[[int], str],
    called: Callable[[int], str],
    note: Callable[[str], None],
) -> None:
    cards = {b.batsman_id: b for b in card.batsmen if b.batsman_id is not None}
    substitutes = {f.fielder_id for f in card.fielder if f.is_substitute}
    fallen: set[int] = set()
    for ball in balls:
        if ball.event.event != "wicket":
            continue
        player = ball.event.wicket_batsman_id or ball.batter
        batsman = cards.get(player)
        if batsman is None or kind_of(batsman) is None:
            # The scorecard of somebody who retired hurt and came back tells only how he ended.
            words = Batsman(batsman_id=player, how_out=ball.event.how_out, bowler_id=ball.event.bowler_id)
            if kind_of(words) is None:
                raise SourceError(file, f"{called(player)} is out in over {ball.over}, but neither the scorecard nor "
                                        f"how_out {ball.event.how_out!r} says how; correct one of them")  # fmt: skip
            note(f"{called(player)} is out in the commentary and not in the scorecard")
            batsman = words
        if player in fallen:
            note(f"{called(player)} is out twice in the commentary; the first time was taken")
            continue
        fallen.add(player)
        ball.wickets.append(_wicket(batsman, key, substitutes))
    for player, batsman in cards.items():
        kind = kind_of(batsman)
        if kind is None or player in fallen:
            continue
        # Somebody who retires is out on no ball, and Cricsheet writes it to the last one that he saw.
        last = next((ball for ball in reversed(balls) if player in (ball.batter, ball.non_striker)), None)
        if last is None:
            note(f"{called(player)} is out in the scorecard ({kind}) and in no ball of the commentary")
            continue
        if not kind.startswith("retired"):
            note(f"{called(player)} is out in the scorecard ({kind}) on no ball of the commentary; "
                 f"the last ball before was taken")  # fmt: skip
        last.wickets.append(_wicket(batsman, key, substitutes))


def _wicket(batsman: Batsman, key: Callable[[int], str], substitutes: Iterable[int | None]) -> Wicket:
    kind = kind_of(batsman)
    assert kind is not None and batsman.batsman_id is not None
    ids = [batsman.first_fielder_id, batsman.second_fielder_id, batsman.third_fielder_id]
    taking_part = {"caught": 1, "stumped": 1, "run out": 3}.get(kind, 0)
    named = dict.fromkeys(player for player in ids[:taking_part] if player is not None)
    fielders = tuple(Fielder(name=key(player), substitute=player in substitutes) for player in named)
    return Wicket.model_validate({"kind": kind, "player_out": key(batsman.batsman_id), "fielders": fielders})


def _delivery(ball: _Ball, key: Callable[[int], str]) -> Delivery:
    event, extras = ball.event, sum(ball.extras.values())
    assert event.bowler_id is not None
    # All run, or with overthrows: 4 or 6 off the bat that no flag calls a boundary.
    run = (event.bat_run == 4 and not event.four) or (event.bat_run == 6 and not event.six)
    return Delivery(
        batter=key(ball.batter),
        bowler=key(event.bowler_id),
        non_striker=key(ball.non_striker),
        runs=Runs(batter=event.bat_run, extras=extras, total=event.bat_run + extras, non_boundary=run),
        extras=Extras(**ball.extras),
        wickets=tuple(ball.wickets),
    )
