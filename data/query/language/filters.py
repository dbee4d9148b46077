"""The filters: their names, what they take, and the words of those that take one of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

YES_NO = ("yes", "no")
ENUMS: dict[str, tuple[str, ...]] = {
    "month": ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
              "november", "december"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekend", "weekday"),
    "half": ("1", "2"),
    "innings": ("1", "2"),
    "phase": ("powerplay", "middle", "death"),
    "last_ball": YES_NO,
    "extra": ("wide", "noball", "bye", "legbye"),
    "free_hit": YES_NO,
    "bowling": ("pace", "spin", "left_arm_pace", "right_arm_pace", "off_spin", "leg_spin", "left_arm_orthodox",
                "left_arm_wrist_spin", "left_arm", "right_arm"),
    "hand": ("left", "right"),
    "origin": ("indian", "overseas"),
    "batter_origin": ("indian", "overseas"),
    "bowler_origin": ("indian", "overseas"),
    "all_rounder": YES_NO,
    "dismissal": ("caught", "bowled", "lbw", "stumped", "run_out", "caught_and_bowled", "hit_wicket",
                  "obstructing_the_field", "retired_out"),
    "result": ("won", "lost", "tied", "no_result"),
    "home": ("home", "away"),
    "stage": ("league", "playoffs", "qualifier_1", "eliminator", "qualifier_2", "final"),
    "toss": ("won", "lost"),
    "chose": ("bat", "field"),
    "won_by": ("runs", "wickets"),
    "keeper": YES_NO,
    "shortened": YES_NO,
}  # fmt: skip

# what a filter takes: P player, T team, V venue, D date, Y season, a range (7, 1-35 or 8-), a whole number, a number
# that is compared, or one of a few words
Takes = Literal["P", "T", "V", "D", "Y", "range", "whole", "number", "enum"]
Looks = Literal["match", "sequence", "ball", "person"]


@dataclass(frozen=True)
class FilterKey:
    """`looks` says what it is about: the match, the subject's own sequence of matches or innings, single balls, or the
    person whose figure it is. `names` is whether its values are names, resolved by the caller of the engine."""

    name: str
    takes: Takes
    text: str
    looks: Looks = "match"
    negatable: bool = False

    @property
    def names(self) -> bool:
        return self.takes in ("P", "T", "V", "D", "Y")

    @property
    def ball(self) -> bool:
        return self.looks == "ball"


def _f(name: str, takes: Takes, text: str, looks: Looks = "match") -> FilterKey:
    return FilterKey(name, takes, text, looks)


def _n(name: str, takes: Takes, text: str, looks: Looks = "match") -> FilterKey:
    return FilterKey(name, takes, text, looks, negatable=True)


FILTERS: dict[str, FilterKey] = {
    f.name: f
    for f in (
        _n("batter", "P", "the batter", "ball"),
        _n("bowler", "P", "the bowler", "ball"),
        _n("fielder", "P", "the fielder", "ball"),
        _n("player", "P", "the player, whatever he did", "person"),
        _f("partner", "P", "the batter at the other end", "ball"),
        _f("with", "P", "matches in which he played, on either side"),
        _f("without", "P", "matches in which he did not play"),
        _n("team", "T", "the team that bats, bowls, fields or plays"),
        _n("opponent", "T", "its opponent"),
        _f("between", "T", "matches between these two teams"),
        _n("venue", "V", "the ground, or a city's grounds"),
        _n("season", "Y", "year of the season: 2016, 2018- (and later), 2015-2020, all; the latest if not given"),
        _n("date", "D", "the day of the match"),
        _f("after", "D", "matches after that day"),
        _f("before", "D", "matches before that day"),
        _f("from", "D", "matches on that day and later"),
        _f("to", "D", "matches up to that day"),
        _n("month", "enum", "the month of the match"),
        _n("weekday", "enum", "the day of the week; weekend is Saturday and Sunday, weekday the others"),
        _n("match", "range", "match number of the season; league matches come first"),
        _f("half", "enum", "first or second half of the league stage, by match number"),
        _f("nth_match", "range", "the subject's own matches in their order: a player's, else the team's", "sequence"),
        _f("last_matches", "whole", "the subject's last n matches", "sequence"),
        _f("nth_innings", "range", "the subject's own innings in their order", "sequence"),
        _f("last_innings", "whole", "the subject's last n innings", "sequence"),
        _f("innings", "enum", "1: batting first (bowling first for a bowler), 2: second"),
        _f("overs", "range", "overs a to b, 1-based", "ball"),
        _f("last", "number", "the last n scheduled overs", "ball"),
        _n("phase", "enum", "powerplay, middle or death", "ball"),
        _f(
            "ball",
            "range",
            "ball of the over, 1 to 6; a wide or no-ball has the number of the ball that replaces it",
            "ball",
        ),
        _f("last_ball", "enum", "the last ball of an innings", "ball"),
        _f("first_balls", "whole", "the first n balls that the batter faced in his innings", "ball"),
        _f("last_balls", "whole", "the last n balls that the batter faced in his innings", "ball"),
        _f("from_score", "whole", "balls at which the batter already had that many runs", "ball"),
        _f("extra", "enum", "deliveries with such an extra", "ball"),
        _f("free_hit", "enum", "the ball after a no-ball, until one is legal", "ball"),
        _f("position", "range", "batting position", "person"),
        _f("bowling", "enum", "kind of bowling faced or bowled", "ball"),
        _f("hand", "enum", "the batter's hand", "ball"),
        _f("origin", "enum", "where the player whose figure it is comes from", "person"),
        _f("batter_origin", "enum", "where the batter comes from", "ball"),
        _f("bowler_origin", "enum", "where the bowler comes from", "ball"),
        _f("all_rounder", "enum", "whether he made 100 runs and took 5 wickets in that season", "person"),
        _f("dismissal", "enum", "kind of dismissal", "ball"),
        _f("wicket", "range", "wicket of the partnership", "ball"),
        _f("result", "enum", "won, lost: of the player's or team's own side; no_result counts abandoned matches, too"),
        _f("home", "enum", "home or away"),
        _n("stage", "enum", "stage of the season"),
        _f("toss", "enum", "toss won or lost by that side"),
        _f("chose", "enum", "what the toss winner chose"),
        _f("won_by", "enum", "matches won by runs or by wickets"),
        _f("margin", "number", "size of the margin"),
        _f("keeper", "enum", "wicket-keepers only, or without them", "person"),
        _f("shortened", "enum", "matches cut short by rain, or full ones"),
        _f("score", "number", "innings of that many runs (batter)", "person"),
        _f("haul", "number", "innings with that many wickets (bowler)", "person"),
        _f("stand", "number", "partnerships of that many runs", "person"),
        _f("total", "number", "own side's innings total"),
        _f("target", "number", "the other side's innings total"),
    )
}
