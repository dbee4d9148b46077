"""Turns one match record into rows of the stored tables: deliveries, dismissals, who batted and played.

The rules are the laws' and the league's conventions; a comment explains each that is not obvious. Knows nothing about
files, DuckDB or other matches; what needs a whole season (keepers, match numbers) is in data/cricsheet/importer.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from data.cricsheet.format import BOWLER_KINDS, NOT_A_DISMISSAL, Delivery, Info, Innings, Match
from data.cricsheet.innings import InningsLength, balls_by_overs, innings_lengths, is_legal
from data.cricsheet.league import STAGES, season_year, stage_of, team_of, venue_of
from data.cricsheet.people import Person, person_of
from data.errors import SourceError

Row = tuple[Any, ...]


@dataclass
class Rows:
    """Rows by table, and the persons in them by id."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)

    def add(self, table: str, *row: Any) -> None:
        self.tables.setdefault(table, []).append(row)


def add_match(rows: Rows, file: str, match_id: int, match: Match) -> None:
    """Append the match to `rows`."""
    _Scorer(rows, file, match_id, match).run()


def officials(info: Info) -> tuple[str | None, ...]:
    """Names of the two umpires, the TV umpire, the reserve umpire and the referee; None where the file has none."""
    kinds = ("umpires", "umpires", "tv_umpires", "reserve_umpires", "match_referees")
    named = [info.officials.get(kind, ()) for kind in kinds]
    return tuple(
        names[place] if len(names) > place else None for names, place in zip(named, (0, 1, 0, 0, 0), strict=True)
    )


class _Scorer:
    def __init__(self, rows: Rows, file: str, match_id: int, match: Match) -> None:
        self.rows, self.file, self.match_id, self.match = rows, file, match_id, match
        self.ids = match.info.registry.people
        self.year = season_year(match.info.season)

    def team(self, name: str) -> str:
        return team_of(name, self.year)

    def key(self, name: str) -> str:
        return self.person(name).player

    def person(self, name: str) -> Person:
        if name not in self.ids:
            raise SourceError(self.file, f"{name!r} is not in info.registry.people")
        player = self.ids[name]
        found = self.rows.people.get(player)
        if found is None:
            found = self.rows.people[player] = person_of(player, name)
        return found

    def run(self) -> None:
        lengths = innings_lengths(self.match)
        main = [i for i in self.match.innings if not i.super_over]
        for number, (innings, length) in enumerate(zip(main, lengths, strict=True), 1):
            self.add_innings(number, innings, length)
        for number, innings in enumerate((i for i in self.match.innings if i.super_over), len(main) + 1):
            _InningsScorer(self, number, innings, InningsLength(6, 1, 0, 1), super_over=True).run()
        self.add_match_row(main, lengths)
        self.add_appearances()

    def add_innings(self, number: int, innings: Innings, length: InningsLength) -> None:
        scorer = _InningsScorer(self, number, innings, length)
        scorer.run()
        balls = balls_by_overs(innings)
        # All out: ten wickets, or fewer if batters are retired or absent hurt.
        all_out = innings.wickets + len(innings.absent_hurt) + len(scorer.retired) >= 10
        self.rows.add(
            "innings",
            self.match_id,
            number,
            self.team(innings.team),
            scorer.bowling_team,
            innings.runs,
            innings.wickets,
            scorer.legal_balls,
            length.quota_balls,
            innings.target.runs if innings.target else None,
            all_out,
            scorer.extras + innings.penalty_runs.pre + innings.penalty_runs.post,
            length.powerplay_overs,
            length.scheduled_overs,
            length.quota_balls if all_out else min(balls, length.quota_balls),
        )

    def add_match_row(self, main: list[Innings], lengths: list[InningsLength]) -> None:
        info, outcome = self.match.info, self.match.info.outcome
        stage = stage_of(info.event.stage)
        if stage is None:
            raise SourceError(self.file, f"unknown stage {info.event.stage!r}, expected one of {', '.join(STAGES)}")
        venue = venue_of(info.venue, info.city)
        winner = outcome.winner or outcome.eliminator or outcome.bowl_out
        by = outcome.by
        result, margin = "no_result", None
        if outcome.result == "no result" and not self.match.innings:
            result = "abandoned"
        elif outcome.result == "tie":
            result = "tie"
        elif by is not None and by.runs is not None:
            result, margin = "runs", by.runs
        elif by is not None and by.wickets is not None:
            result, margin = "wickets", by.wickets
        elif outcome.result != "no result":
            raise SourceError(self.file, f"outcome {outcome.model_dump(exclude_none=True)} has neither margin nor tie")
        overs = math.ceil(min(s.quota_balls for s in lengths) / 6) if lengths else info.overs
        self.rows.add(
            "matches",
            self.match_id,
            str(self.year),
            info.dates[0],
            info.event.match_number,
            stage,
            venue.name,
            venue.city,
            self.team(info.teams[0]),
            self.team(info.teams[1]),
            self.team(info.toss.winner) if info.toss.winner else None,
            info.toss.decision,
            self.team(winner) if winner else None,
            result,
            margin,
            outcome.method,
            any(i.super_over for i in self.match.innings),
            overs,
            overs < info.overs,
            self.key(info.player_of_match[0]) if info.player_of_match else None,
            lengths[1].quota_balls - balls_by_overs(main[1]) if result == "wickets" else None,
            *officials(info),
        )

    def add_appearances(self) -> None:
        """Everybody who played: the elevens, impact players and concussion substitutes."""
        replaced_by = {
            r.player_in
            for innings in self.match.innings
            for over in innings.overs
            for d in over.deliveries
            if d.replacements
            for r in d.replacements.match
        }
        first, second = self.match.info.teams
        for team, opponent in ((first, second), (second, first)):
            for name in self.match.info.players[team]:
                self.rows.add(
                    "appearances",
                    self.match_id,
                    self.key(name),
                    self.team(team),
                    self.team(opponent),
                    name in replaced_by,
                )


class _InningsScorer:
    def __init__(
        self, match: _Scorer, number: int, innings: Innings, length: InningsLength, super_over: bool = False
    ) -> None:
        self.match, self.number, self.innings, self.length = match, number, innings, length
        self.super_over = super_over
        self.rows = match.rows
        teams = match.match.info.teams
        self.batting_team = match.team(innings.team)
        self.bowling_team = match.team(teams[1] if innings.team == teams[0] else teams[0])
        self.positions: dict[str, int] = {}
        self.how: dict[str, str] = {}
        self.retired: set[str] = set()
        self.wickets = self.legal_balls = self.extras = 0

    def run(self) -> None:
        seq = 0
        for over in self.innings.overs:
            for ball, d in enumerate(over.deliveries, 1):
                seq += 1
                self.add_delivery(over.over + 1, ball, seq, d)
        if self.super_over:
            return
        for player, position in self.positions.items():
            how = self.how.get(player)
            out = how is not None and how not in NOT_A_DISMISSAL
            self.rows.add(
                "batters",
                self.match.match_id,
                self.number,
                self.batting_team,
                self.bowling_team,
                player,
                position,
                out,
                how,
            )

    def came_in(self, name: str) -> str:
        player = self.match.key(name)
        self.positions.setdefault(player, len(self.positions) + 1)
        return player

    def add_delivery(self, over: int, ball: int, seq: int, d: Delivery) -> None:
        batter, non_striker = self.came_in(d.batter), self.came_in(d.non_striker)
        for player in (batter, non_striker):
            if player in self.retired:  # retired hurt and batting again
                self.retired.discard(player)
                self.how.pop(player, None)
        bowler = self.match.person(d.bowler)
        extras, legal, phase = d.extras, is_legal(d), self.length.phase(over)
        boundary = not d.runs.non_boundary  # four run, or with overthrows, is not a boundary
        self.legal_balls += legal
        self.extras += d.runs.extras
        kind = bowler.bowling
        self.rows.add(
            "super_over_deliveries" if self.super_over else "deliveries",
            self.match.match_id,
            self.number,
            over,
            ball,
            seq,
            self.batting_team,
            self.bowling_team,
            batter,
            bowler.player,
            non_striker,
            d.runs.batter,
            d.runs.extras,
            d.runs.total,
            extras.wides,
            extras.noballs,
            extras.byes,
            extras.legbyes,
            extras.penalty,
            boundary and d.runs.batter == 4,
            boundary and d.runs.batter == 6,
            legal,
            not extras.wides,
            d.runs.total - extras.byes - extras.legbyes - extras.penalty,
            any(w.kind in BOWLER_KINDS for w in d.wickets),
            None if self.super_over else phase,
            self.positions[batter],
            kind.pace_or_spin,
            kind.arm,
            kind.kind,
            self.match.person(d.batter).batting_hand,
            self.length.scheduled_overs - over + 1,
            self.wickets + 1,
        )
        for wicket in d.wickets:
            player_out = self.came_in(wicket.player_out)
            self.how[player_out] = wicket.kind
            if wicket.kind in NOT_A_DISMISSAL:
                self.retired.add(player_out)
                continue
            self.wickets += 1
            if self.super_over:
                continue
            credited = wicket.kind in BOWLER_KINDS
            # A dismissal has a bowler only if it is credited to him.
            by = bowler.player if credited else None
            style = kind if credited else None
            self.rows.add(
                "dismissals",
                self.match.match_id,
                self.number,
                over,
                ball,
                player_out,
                wicket.kind,
                by,
                credited,
                self.batting_team,
                self.bowling_team,
                phase,
                self.wickets,
                style and style.pace_or_spin,
                style and style.arm,
                style and style.kind,
                self.positions[player_out],
            )
            fielding = {
                "caught": "catch",
                "caught and bowled": "catch",
                "stumped": "stumping",
                "run out": "run_out",
            }.get(wicket.kind)
            names = [(f.name, f.substitute) for f in wicket.fielders if f.name is not None]
            if wicket.kind == "caught and bowled" and not names:
                names = [(d.bowler, False)]
            for name, substitute in names if fielding else ():
                self.rows.add(
                    "fielding",
                    self.match.match_id,
                    self.number,
                    over,
                    ball,
                    self.match.key(name),
                    fielding,
                    substitute,
                    None,
                    self.bowling_team,
                    self.batting_team,
                    player_out,
                    bowler.player,
                    phase,
                )
