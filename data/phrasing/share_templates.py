"""Composes questions about rates of one count by another and about shares, from the bank phrases/ranks.yaml.

ShareTemplates(measures, frames, conditions, ranks).makers  ->  [(weight, maker)]
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from data.phrasing.conditions import Placeholders
from data.phrasing.templates import Maker, Phrasing
from data.phrasing.wide_templates import WideTemplates, fill, whose
from data.query.language import MEASURES
from data.query.line import Filter, Query, Rank

# what counts of a source are divided by
_UNITS = {"bat": ("matches", "innings", "innings", "balls", "dismissals", "sixes", "fours", "boundaries"),
          "bowl": ("matches", "innings_bowled", "innings_bowled", "overs_bowled", "wickets"),
          "team": ("matches", "innings_played", "wickets_lost"), "field": ("matches",), "concede": ("matches",),
          "award": ("matches",)}  # fmt: skip
# ratios that have a name of their own, or none that anybody would ask for
_NAMED_RATES = frozenset({
    "runs/dismissals", "balls/dismissals", "balls/boundaries", "balls/sixes", "runs_conceded/overs_bowled",
    "runs_conceded/wickets", "balls_bowled/wickets", "balls_bowled/overs_bowled", "overs_bowled/wickets",
    "total/innings_played", "innings/matches", "innings_bowled/matches", "innings_played/matches",
    "total/wickets_lost", "legal_balls/wickets_lost",
})  # fmt: skip
_SINGLE = ("sixes", "fours", "boundaries", "runs", "dots", "balls", "boundary_runs")  # what single balls are counted by
_BY_BALL = ("balls", "sixes", "fours", "boundaries")
_SHARED = {"bat": ("runs", "fours", "sixes", "boundaries", "boundary_runs", "balls", "dots", "fifties", "fifty_plus",
                   "hundreds", "ducks"),
           "bowl": ("wickets", "maidens", "dots_bowled", "balls_bowled", "runs_conceded", "wides", "sixes_conceded",
                    "fours_conceded", "noballs"),
           "field": ("catches", "stumpings", "run_outs", "fielding_dismissals"), "award": ("awards",)}  # fmt: skip
_SHARED_BY = {"bat": ("team", "venue", "phase", "position", "opponent", "over", "bowling", "batter"),
              "bowl": ("team", "venue", "phase", "opponent", "over", "bowler"),
              "field": ("team", "venue", "fielder"), "award": ("team", "venue", "player")}  # fmt: skip
# a count and the one that it is a part of
_PART_OF = (
    ("boundary_runs", "runs"), ("boundary_runs", "runs"), ("fours", "boundaries"), ("sixes", "boundaries"),
    ("fours", "balls"), ("sixes", "balls"), ("fifties", "innings"), ("hundreds", "innings"), ("ducks", "innings"),
    ("thirty_plus", "innings"), ("fifty_plus", "innings"), ("not_outs", "innings"),
    ("three_wicket_hauls", "innings_bowled"), ("wicketless", "innings_bowled"), ("maidens", "overs_bowled"),
    ("catches", "fielding_dismissals"), ("stumpings", "fielding_dismissals"), ("run_outs", "fielding_dismissals"),
    ("extras", "total"), ("times_all_out", "innings_played"), ("losses", "matches"), ("tosses_won", "matches"),
)  # fmt: skip
_MADE_OF = re.compile(r"came|aaye|relian|relied|depended|(?:in|from|se) \{noun\}")  # a part that the whole came in


@dataclass
class ShareTemplates(WideTemplates):
    @property
    def makers(self) -> list[tuple[float, Maker]]:
        """The makers with their weights."""
        return [(3.5, self._per), (3.5, self._share)]

    def _per(self, rng: random.Random) -> Phrasing | None:
        """One count for each of another: "P1's sixes per innings", "who took the most wickets per match"."""
        source = rng.choices(list(_UNITS), [45, 30, 10, 7, 4, 4])[0]
        unit = rng.choice(_UNITS[source])
        name = self.pick(rng, source, "count", "best")
        ratio = f"{name}/{unit}"
        if name is None or not MEASURES.counted(name) or name == unit or ratio in _NAMED_RATES:
            return None
        if unit in _BY_BALL and (name not in _SINGLE or (unit != "balls" and name not in ("runs", "balls"))):
            return None
        if unit == "wickets" and name not in ("dots_bowled", "sixes_conceded", "fours_conceded", "wides"):
            return None
        noun = self.plural(rng, name)
        if noun is None:
            return None
        key = rng.choices(["per", "per_most", "per_least", "per_most_n"], [55, 25, 10, 10])[0]
        word = rng.choice(self.ranks["per_units"][unit])
        frames = [f for f in self.ranks[key] if "{unit}s" not in f or word in ("game", "over", "wicket", "dismissal")]
        names, n = Placeholders(), rng.choice([3, 4, 5, 5, 6, 7, 8, 10]) if key == "per_most_n" else 1
        question = fill(rng, rng.choice(frames), noun=noun, unit=word, n=n)
        if key == "per":
            subject = self._subject(rng, source, names)
            question = question.replace("{s}", subject.values[0])
            query = Query((ratio,), filters=(subject,))
        else:
            query = Query((ratio,), (whose(source),), rank=Rank("bottom" if key == "per_least" else "top", n))
        return self._with_parts(rng, question, query, names, "per", source=source)

    def _share(self, rng: random.Random) -> Phrasing | None:
        """A part in per cent of the team's, of everybody's, or of another count of the same player."""
        key = rng.choices(["share_team", "share_team_most", "share_all", "share_all_most", "share_all_by", "share_part",
                           "share_part_most"], [28, 12, 16, 8, 8, 20, 8])[0]  # fmt: skip
        if key.startswith("share_part"):
            return self._share_part(rng, key)
        source = rng.choices(list(_SHARED), [50, 32, 12, 6])[0]
        name = rng.choice(_SHARED[source])
        noun = self.plural(rng, name)
        names, frame = Placeholders(), rng.choice(self.ranks[key])
        if noun is None:
            return None
        ratio, most = f"{name}%{'team' if 'team' in key else 'all'}", 1
        if key == "share_team":
            filters = (Filter(whose(source), "=", (names.new("P"),)),)
            if "{t}" in frame:
                filters += (Filter("team", "=", (names.new("T"),)),)
            question = fill(rng, frame, noun=noun, s="P1", t="T1")
            query = Query((ratio,), filters=filters)
        elif key == "share_all":
            subject = self._subject(rng, source, names)
            question = fill(rng, frame, noun=noun, s=subject.values[0])
            query = Query((ratio,), filters=(subject,))
        else:
            by = whose(source) if key == "share_team_most" else rng.choice(_SHARED_BY[source])
            if MEASURES[name].per_innings and by in ("phase", "over", "bowling"):
                return None
            question = fill(rng, frame, noun=noun, **self.dim(rng, by))
            query = Query((ratio,), (by,), rank=Rank("top", 1) if key.endswith("_most") else None)
        return self._with_parts(rng, question, query, names, "share", most, source)

    def _share_part(self, rng: random.Random, key: str) -> Phrasing | None:
        """One count in per cent of another: "what percentage of P1's runs came in boundaries"."""
        name, whole = rng.choice(_PART_OF)
        source = MEASURES[name].source
        frames = self.ranks[key]
        if whole not in ("runs", "total"):
            frames = [f for f in frames if not _MADE_OF.search(f)]
        noun = self.plural(rng, "boundaries" if name == "boundary_runs" else name)
        whole_noun = self.plural(rng, whole)
        if noun is None or whole_noun is None or not frames:
            return None
        names, question = Placeholders(), fill(rng, rng.choice(frames), noun=noun, whole=whole_noun)
        query = Query((f"{name}%{whole}",))
        if key == "share_part_most":
            query = replace(query, by=(whose(source),), rank=Rank("top", 1))
        else:
            subject = self._subject(rng, source, names)
            question, query = question.replace("{s}", subject.values[0]), replace(query, filters=(subject,))
        return self._with_parts(rng, question, query, names, "share", most=1, source=source)
