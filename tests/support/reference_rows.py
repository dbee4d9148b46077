"""The rows of a season for the slow reference of the query line, made with Python loops alone.

`Rows(season)` has `balls[source]`, single events, and `cards[source]`, whole innings, matches, dismissals and stands as
dicts. It reads the stored rows (matches, innings, deliveries, dismissals, fielding, appearances, batters, players) and
shares nothing with the engine's views.

- A ball is faced unless it is a wide, legal unless a wide or no-ball. A bowler's dot concedes him nothing (byes may be
  run); a batter's dot is a faced ball without a run off the bat. Wides and no-balls count deliveries.
- A run-out, or a man retired out, is nobody's wicket: such a dismissal has no bowler and no kind of bowling. The hand,
  place and innings so far of a dismissal are the dismissed man's, also where his partner faced the ball.
- A maiden is a whole over of one bowler who conceded nothing. A hat-trick is three wickets with three balls in a row of
  one bowler in a match, wides and no-balls between them not counted.
- A fielder's record leaves out what he caught as a substitute; his side's does not.
- A wide or no-ball has the number of the ball that replaces it; the ball after a no-ball is a free hit, and the next
  one while wides come between.
- Abandoned matches (no toss, no ball) are matches without a result, and count as nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from data.season import Season

BAT_SUMS = ("runs", "balls", "fours", "sixes", "dots", "outs")
BOWL_SUMS = ("runs", "balls", "wickets", "dots", "wide_balls", "no_balls", "wide_runs", "noball_runs", "fours", "sixes",
             "maidens", "all_runs")  # fmt: skip
TEAM_SUMS = ("runs", "balls", "extras", "wickets", "fours", "sixes", "bye_runs", "legbye_runs", "penalty")
SUMS = {"bat": BAT_SUMS, "bowl": BOWL_SUMS, "team": TEAM_SUMS, "concede": TEAM_SUMS}
Row = dict[str, Any]


def rows_of(season: Season, table: str, order: str) -> list[Row]:
    cursor = season.connection.cursor().execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def year_of(m: Row) -> int:
    """The season by its year: 2007/08 is 2008, 2020/21 is 2020, the year in which it was played."""
    return int(m["season"]) if m["season"].isdigit() else m["date"].year


class Rows:
    """Everything as lists of dicts."""

    def __init__(self, season: Season):
        self.matches = {m["match_id"]: m for m in rows_of(season, "matches", "date, number, match_id")}
        self.order = {m: i for i, m in enumerate(self.matches)}
        self.years = sorted({year_of(m) for m in self.matches.values()})
        self.players = {p["player"]: p for p in rows_of(season, "players", "player")}
        self.innings = rows_of(season, "innings", "match_id, innings")
        self.deliveries = rows_of(season, "deliveries", "match_id, innings, seq")
        self.dismissals = rows_of(season, "dismissals", "match_id, innings, over, ball, wicket_number")
        self.appeared = defaultdict(dict)
        for a in rows_of(season, "appearances", "match_id"):
            self.appeared[a["match_id"], a["team"]][a["player"]] = a["substitute"]
        homes = rows_of(season, "team_matches", "match_id")
        self.home = {(t["match_id"], t["team"]): {True: "home", False: "away", None: None}[t["home"]] for t in homes}
        league = Counter(year_of(m) for m in self.matches.values() if m["stage"] == "league")
        self.side = {}
        for m in self.matches.values():
            for team, opponent in ((m["team1"], m["team2"]), (m["team2"], m["team1"])):
                self.side[m["match_id"], team] = self._side(m, team, opponent, league)
        self.balls: dict[str, list[Row]] = {s: [] for s in SUMS}
        self.cards: dict[str, list[Row]] = {s: [] for s in (*SUMS, "field", "stand", "award", "result", "run")}
        self._read_balls()
        self._read_cards(rows_of(season, "batters", "match_id, innings, position"))
        self._read_fielding(rows_of(season, "fielding", "match_id, innings, over, ball, player_out"))
        self._read_stands()
        self._read_runs()
        for (match_id, team), side in self.side.items():
            row = side | {"innings": side["bat_innings"]}
            self.cards["result"].append(row)
            star = self.matches[match_id]["player_of_match"]
            if star in self.appeared[match_id, team]:
                self.cards["award"].append(row | {"player": star})
        self.all_rounders = self._all_rounders()

    def _side(self, m: Row, team: str, opponent: str, league: Counter) -> Row:
        innings = [i for i in self.innings if i["match_id"] == m["match_id"]]
        own = next((i for i in innings if i["batting_team"] == team), None)
        other = next((i for i in innings if i["batting_team"] == opponent), None)
        if m["result"] in ("no_result", "abandoned"):
            result = "no_result"
        else:
            result = "tied" if m["winner"] is None else "won" if m["winner"] == team else "lost"
        half = None
        if m["stage"] == "league":
            half = 1 if 2 * m["number"] <= league[year_of(m)] else 2
        toss = None if m["toss_winner"] is None else "won" if m["toss_winner"] == team else "lost"
        return {
            "match": m["match_id"], "order": self.order[m["match_id"]], "season": year_of(m),
            "date": m["date"].isoformat(), "month": m["date"].strftime("%B").lower(),
            "weekday": m["date"].strftime("%A").lower(), "number": m["number"], "half": half, "stage": m["stage"],
            "venue": m["venue"], "city": m["city"], "team": team, "opponent": opponent,
            "home": self.home[m["match_id"], team], "bat_innings": own and own["innings"],
            "bowl_innings": other and other["innings"], "toss": toss, "chose": m["toss_decision"], "result": result,
            "won_by": m["result"], "margin": m["margin"], "balls_left": m["balls_left"],
            "shortened": "yes" if m["shortened"] else "no", "total": own and own["runs"],
            "target": other and other["runs"], "played": m["result"] != "abandoned",
        }  # fmt: skip

    # -- events and cards

    def _read_balls(self) -> None:
        at = {(d["match_id"], d["innings"], d["over"], d["ball"]): d for d in self.deliveries}
        overs = defaultdict(list)
        innings = defaultdict(list)
        for d in self.deliveries:
            overs[d["match_id"], d["innings"], d["over"]].append(d)
            innings[d["match_id"], d["innings"]].append(d)
        for balls in innings.values():
            self._number(balls)
        taken = {
            (x["match_id"], x["innings"], x["over"], x["ball"]): x["kind"] for x in self.dismissals if x["credited"]
        }
        for d in self.deliveries:
            place = (d["match_id"], d["innings"], d["over"], d["ball"])
            over = overs[d["match_id"], d["innings"], d["over"]]
            ball = self._ball(d) | self._style(d) | {k: d[k] for k in ("faced_no", "made", "left_over", "position")}
            ball |= {"batter": d["batter"], "partner": d["non_striker"], "hand": d["batting_hand"]}
            batting, bowling = self.side[d["match_id"], d["batting_team"]], self.side[d["match_id"], d["bowling_team"]]
            boundaries = {"fours": int(d["four"]), "sixes": int(d["six"])}
            self.balls["bat"].append(batting | ball | boundaries | {
                "runs": d["runs"], "balls": int(d["faced"]), "dots": int(d["faced"] and not d["runs"]), "outs": 0,
            })  # fmt: skip
            last = innings[d["match_id"], d["innings"]][-1]["over"]
            whole = sum(b["legal"] for b in over) >= 6 or d["over"] < last
            maiden = whole and len({b["bowler"] for b in over}) == 1 and not any(b["conceded"] for b in over)
            kind = taken.get(place)
            self.balls["bowl"].append(bowling | ball | boundaries | {
                "runs": d["conceded"], "balls": int(d["legal"]), "wickets": int(kind is not None),
                "dots": int(not d["conceded"]), "wide_balls": int(d["wides"] > 0), "no_balls": int(d["noballs"] > 0),
                "wide_runs": d["wides"], "noball_runs": d["noballs"], "all_runs": d["total"],
                "maidens": int(maiden and d is over[0]), "dismissal": kind and kind.replace(" ", "_"),
            })  # fmt: skip
            extras = {k: d[k] for k in ("extras", "penalty")} | {"bye_runs": d["byes"], "legbye_runs": d["legbyes"]}
            counts = boundaries | extras | {"runs": d["total"], "balls": int(d["legal"]), "wickets": 0}
            self.balls["team"].append(batting | ball | counts)
            self.balls["concede"].append(bowling | ball | counts)
        for x in self.dismissals:
            d = at[x["match_id"], x["innings"], x["over"], x["ball"]]
            self._read_fall(x, d, innings[x["match_id"], x["innings"]])

    def _number(self, balls: list[Row]) -> None:
        """What each ball of an innings is: of its over, of the batter's innings, of the whole."""
        faced, runs, legal = Counter(), Counter(), Counter()
        all_faced = Counter(d["batter"] for d in balls if d["faced"])
        free = False
        for d in balls:
            d["made"] = runs[d["batter"]]
            runs[d["batter"]] += d["runs"]
            faced[d["batter"]] += d["faced"]
            d["faced_no"], d["left_over"] = faced[d["batter"]], all_faced[d["batter"]] - faced[d["batter"]]
            d["legal_no"] = legal[d["over"]] + 1
            legal[d["over"]] += d["legal"]
            d["last_ball"], d["free_hit"] = d is balls[-1], free
            free = True if d["noballs"] else False if d["legal"] else free

    def _read_fall(self, x: Row, d: Row, balls: list[Row]) -> None:
        nobody = {"bowler": None, "pace_or_spin": None, "arm": None, "bowling_kind": None}
        own = [b for b in balls if b["batter"] == x["player_out"] and b["seq"] <= d["seq"]]
        faced = sum(b["faced"] for b in own)
        made = sum(b["runs"] for b in own if b["seq"] < d["seq"])
        out = self._ball(d) | self._style(d if x["credited"] else nobody) | {
            "batter": x["player_out"], "position": x["position"], "dismissal": x["kind"].replace(" ", "_"),
            "hand": self.players[x["player_out"]]["batting_hand"], "faced_no": faced, "made": made, "left_over": 0,
            "partner": d["non_striker"] if x["player_out"] == d["batter"] else d["batter"],
            "score": f"{sum(b['total'] for b in balls if b['seq'] <= d['seq'])}/{x['wicket_number']}",
        }  # fmt: skip
        batting, bowling = self.side[x["match_id"], x["batting_team"]], self.side[x["match_id"], x["bowling_team"]]
        self.balls["bat"].append(batting | out | dict.fromkeys(BAT_SUMS, 0) | {"outs": 1})
        self.balls["team"].append(batting | out | dict.fromkeys(TEAM_SUMS, 0) | {"wickets": 1})
        self.balls["concede"].append(bowling | out | dict.fromkeys(TEAM_SUMS, 0) | {"wickets": 1})

    def _ball(self, d: Row) -> Row:
        columns = ("innings", "over", "ball", "seq", "from_end", "phase", "legal_no", "last_ball", "free_hit", "wides",
                   "noballs", "byes", "legbyes")  # fmt: skip
        return {k: d[k] for k in columns} | {"wicket": d["wicket_stand"], "dismissal": None}

    def _style(self, d: Row) -> Row:
        return {"bowler": d["bowler"], "bowling": d["pace_or_spin"], "arm": d["arm"], "kind": d["bowling_kind"]}

    def _read_cards(self, batters: list[Row]) -> None:
        by_batter, by_bowler = defaultdict(list), defaultdict(list)
        for e in self.balls["bat"]:
            by_batter[e["match"], e["innings"], e["batter"]].append(e)
        for e in self.balls["bowl"]:
            by_bowler[e["match"], e["innings"], e["bowler"]].append(e)
        for b in batters:
            events = by_batter[b["match_id"], b["innings"], b["batter"]]
            card = self.side[b["match_id"], b["team"]] | {"innings": b["innings"], "batter": b["batter"]}
            card |= {"position": b["position"], "hand": self.players[b["batter"]]["batting_hand"]}
            card |= sums(events, BAT_SUMS) | {"outs": int(b["out"])}
            card |= {f"reached_{n}": balls_to(n, events) for n in (50, 100)}
            self.cards["bat"].append(card)
        for (match_id, innings, bowler), events in by_bowler.items():
            card = self.side[match_id, events[0]["team"]] | {"innings": innings, "bowler": bowler}
            style = {k: events[0][k] for k in ("bowling", "arm", "kind")}
            self.cards["bowl"].append(card | style | sums(events, BOWL_SUMS) | {"hat_tricks": hat_tricks(events)})
        by_innings = defaultdict(list)
        for d in self.deliveries:
            by_innings[d["match_id"], d["innings"]].append(d)
        for i in self.innings:
            balls = by_innings[i["match_id"], i["innings"]]
            card = {k: i[k] for k in ("innings", "runs", "balls", "extras", "wickets")} | {"all_out": int(i["all_out"])}
            card |= {"fours": sum(d["four"] for d in balls), "sixes": sum(d["six"] for d in balls)}
            card |= {"bye_runs": sum(d["byes"] for d in balls), "legbye_runs": sum(d["legbyes"] for d in balls)}
            before_and_after = i["extras"] - sum(d["extras"] for d in balls)
            card["penalty"] = sum(d["penalty"] for d in balls) + before_and_after
            self.cards["team"].append(self.side[i["match_id"], i["batting_team"]] | card)
            self.cards["concede"].append(self.side[i["match_id"], i["bowling_team"]] | card)

    def _read_fielding(self, fielding: list[Row]) -> None:
        at = {(d["match_id"], d["innings"], d["over"], d["ball"]): d for d in self.deliveries}
        kinds = {
            (x["match_id"], x["innings"], x["over"], x["ball"], x["player_out"]): x["kind"] for x in self.dismissals
        }
        for f in fielding:
            place = (f["match_id"], f["innings"], f["over"], f["ball"])
            d = at[place]
            self.cards["field"].append(self.side[f["match_id"], f["team"]] | self._ball(d) | self._style(d) | {
                "fielder": None if f["substitute"] else f["fielder"], "batter": f["player_out"], "did": f["kind"],
                "hand": self.players[f["player_out"]]["batting_hand"], "keeper": "yes" if f["keeper"] else "no",
                "dismissal": kinds[*place, f["player_out"]].replace(" ", "_"), "fall": (*place, f["player_out"]),
            })  # fmt: skip
            del self.cards["field"][-1]["wicket"]

    def _read_stands(self) -> None:
        """A stand goes on while the same two bat with the same number of wickets down."""
        fell = {(x["match_id"], x["innings"], x["over"], x["ball"]) for x in self.dismissals}
        stand, before = None, None
        for d in self.deliveries:
            pair = tuple(sorted((d["batter"], d["non_striker"])))
            now = (d["match_id"], d["innings"], d["wicket_stand"], pair)
            if now != before:
                stand = self.side[d["match_id"], d["batting_team"]] | {
                    "innings": d["innings"],
                    "wicket": d["wicket_stand"],
                    "pair": pair,
                    "runs": 0,
                    "unbroken": True,
                }
                self.cards["stand"].append(stand)
                before = now
            stand["runs"] += d["total"]
            stand["unbroken"] = (d["match_id"], d["innings"], d["over"], d["ball"]) not in fell

    def _read_runs(self) -> None:
        """Balls of an innings in a row, of two and more."""
        of_batter, of_bowler = defaultdict(list), defaultdict(list)
        for d in self.deliveries:
            if d["faced"]:
                of_batter[d["match_id"], d["innings"], d["batter"]].append(d)
            of_bowler[d["match_id"], d["innings"], d["bowler"]].append(d)
        tests = {"dot": lambda d: not d["runs"], "four": lambda d: d["four"], "six": lambda d: d["six"],
                 "boundary": lambda d: d["four"] or d["six"]}  # fmt: skip
        for (_, _, batter), balls in of_batter.items():
            for kind, test in tests.items():
                self._add_runs(kind, balls, test, balls[0]["batting_team"], {"batter": batter, "bowler": None})
        for (_, _, bowler), balls in of_bowler.items():
            whose = {"batter": None, "bowler": bowler}
            self._add_runs("dot", balls, lambda d: not d["conceded"], balls[0]["bowling_team"], whose)
            counted = [d for d in balls if d["legal"] or d["wicket"]]
            self._add_runs("wicket", counted, lambda d: d["wicket"], balls[0]["bowling_team"], whose)

    def _add_runs(self, kind: str, balls: list[Row], test: Any, team: str, whose: Row) -> None:
        row: list[Row] = []
        for d in [*balls, None]:
            if d is not None and test(d):
                row.append(d)
                continue
            if len(row) > 1:
                others = "bowler" if whose["batter"] else "batter"
                between = [b for b in self._of(row[0], whose) if row[0]["seq"] <= b["seq"] <= row[-1]["seq"]]
                self.cards["run"].append(self.side[row[0]["match_id"], team] | whose | {
                    "innings": row[0]["innings"], "kind": kind, "length": len(row),
                    "player": whose["batter"] or whose["bowler"],
                    "others": list(dict.fromkeys(b[others] for b in between)),
                })  # fmt: skip
            row = []

    def _of(self, d: Row, whose: Row) -> list[Row]:
        """All balls of the innings that the batter was on strike for, or that the bowler bowled."""
        if not hasattr(self, "_by_innings"):
            self._by_innings = defaultdict(list)
            for b in self.deliveries:
                self._by_innings[b["match_id"], b["innings"]].append(b)
        key, value = ("batter", whose["batter"]) if whose["batter"] else ("bowler", whose["bowler"])
        return [b for b in self._by_innings[d["match_id"], d["innings"]] if b[key] == value]

    def _all_rounders(self) -> set[tuple[int, str]]:
        runs, wickets = Counter(), Counter()
        for card in self.cards["bat"]:
            runs[card["season"], card["batter"]] += card["runs"]
        for card in self.cards["bowl"]:
            wickets[card["season"], card["bowler"]] += card["wickets"]
        return {key for key in runs if runs[key] >= 100 and wickets[key] >= 5}


def sums(events: list[Row], columns: tuple[str, ...]) -> Row:
    return {c: sum(e[c] for e in events) for c in columns}


def balls_to(mark: int, events: list[Row]) -> int | None:
    """Balls faced when the batter reached `mark`; events are in order of play."""
    runs = balls = 0
    for e in events:
        runs, balls = runs + e["runs"], balls + e["balls"]
        if runs >= mark:
            return balls
    return None


def hat_tricks(events: list[Row]) -> int:
    found = streak = 0
    for e in events:
        if e["wickets"]:
            streak += 1
            found, streak = (found + 1, 0) if streak == 3 else (found, streak)
        elif e["balls"]:
            streak = 0
    return found
