"""A slow, plain reference of the query line, for comparison with the engine: `Reference(season).answer(query)`.

Works on the stored rows (matches, innings, deliveries, dismissals, fielding, appearances, batters, players) with
Python loops alone. It shares the definition's names with the engine (what a measure is called, which minimum a
leaderboard has) and none of its SQL, sources or relations. What a figure means:

- A whole-innings question reads the cards: everybody who came in has batted, also without a ball; a team's extras
  include penalty runs of the innings. One that looks at single balls (over, phase, kind of bowling, the other man,
  ...) sums the balls that pass, and who saw none of them has no innings.
- A ball is faced unless it is a wide, legal unless a wide or no-ball. A bowler's dot concedes him nothing (byes may
  be run); a batter's dot is a faced ball without a run off the bat. Wides and no-balls count deliveries.
- A run-out, or a man retired out, is nobody's wicket: such a dismissal has no bowler and no kind of bowling. The
  hand and place of a dismissal are the dismissed man's, also where his partner faced the ball.
- A maiden is a whole over of one bowler who conceded nothing. A hat-trick is three wickets with three balls in a
  row of one bowler in a match, wides and no-balls between them not counted.
- A fielder's record leaves out what he caught as a substitute; his side's does not. A run-out by two is one
  dismissal.
- A super over decides who won and counts for nothing else. Abandoned matches (no toss, no ball) are in the league
  table only. A side may win a chase "by runs" (Duckworth-Lewis), so margins never look at who batted first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.line import Filter, Query
from data.season import Season

BAT_SUMS = ("runs", "balls", "fours", "sixes", "dots", "outs")
BOWL_SUMS = ("runs", "balls", "wickets", "dots", "wides", "noballs", "fours", "sixes", "maidens")
TEAM_SUMS = ("runs", "balls", "extras", "wickets", "fours", "sixes")
SUMS = {"bat": BAT_SUMS, "bowl": BOWL_SUMS, "team": TEAM_SUMS, "concede": TEAM_SUMS}
SUBJECT = {"bat": "batter", "bowl": "bowler", "field": "fielder", "award": "player"}
PEOPLE = ("batter", "bowler", "fielder", "player")
Row = dict[str, Any]


def rows_of(season: Season, table: str, order: str) -> list[Row]:
    cursor = season.connection.cursor().execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Reference:
    """Everything as lists of dicts: `balls[source]` single events, `cards[source]` whole innings."""

    def __init__(self, season: Season):
        self.several = len(season.years) > 1
        self.matches = {m["match_id"]: m for m in rows_of(season, "matches", "date, number, match_id")}
        self.order = {m: i for i, m in enumerate(self.matches)}
        self.players = {p["player"]: p for p in rows_of(season, "players", "player")}
        self.innings = rows_of(season, "innings", "match_id, innings")
        self.deliveries = rows_of(season, "deliveries", "match_id, innings, seq")
        self.dismissals = rows_of(season, "dismissals", "match_id, innings, over, ball, wicket_number")
        self.appeared = defaultdict(set)
        for a in rows_of(season, "appearances", "match_id"):
            self.appeared[a["match_id"], a["team"]].add(a["player"])
        homes = rows_of(season, "team_matches", "match_id")
        self.home = {(t["match_id"], t["team"]): {True: "home", False: "away", None: None}[t["home"]] for t in homes}
        self.side = {}
        for m in self.matches.values():
            for team, opponent in ((m["team1"], m["team2"]), (m["team2"], m["team1"])):
                if m["result"] != "abandoned":
                    self.side[m["match_id"], team] = self._side(m, team, opponent)
        self.balls: dict[str, list[Row]] = {s: [] for s in SUMS}
        self.cards: dict[str, list[Row]] = {s: [] for s in (*SUMS, "field", "stand", "award", "result")}
        self._read_balls()
        self._read_cards(rows_of(season, "batters", "match_id, innings, position"))
        self._read_fielding(rows_of(season, "fielding", "match_id, innings, over, ball, player_out"))
        self._read_stands()
        for (match_id, team), side in self.side.items():
            row = side | {"innings": side["bat_innings"]}
            self.cards["result"].append(row)
            star = self.matches[match_id]["player_of_match"]
            if star in self.appeared[match_id, team]:
                self.cards["award"].append(row | {"player": star})

    def _side(self, m: Row, team: str, opponent: str) -> Row:
        innings = [i for i in self.innings if i["match_id"] == m["match_id"]]
        own = next((i for i in innings if i["batting_team"] == team), None)
        other = next((i for i in innings if i["batting_team"] == opponent), None)
        if m["result"] == "no_result":
            result = "no_result"
        else:
            result = "tied" if m["winner"] is None else "won" if m["winner"] == team else "lost"
        return {
            "match": m["match_id"], "date": m["date"].isoformat(), "number": m["number"], "stage": m["stage"],
            "venue": m["venue"], "team": team, "opponent": opponent, "home": self.home[m["match_id"], team],
            "bat_innings": own and own["innings"], "toss": "won" if m["toss_winner"] == team else "lost",
            "chose": m["toss_decision"], "result": result, "won_by": m["result"], "margin": m["margin"],
            "balls_left": m["balls_left"], "shortened": "yes" if m["shortened"] else "no",
            "total": own and own["runs"], "target": other and other["runs"],
        }  # fmt: skip

    # -- events and cards

    def _read_balls(self) -> None:
        at = {(d["match_id"], d["innings"], d["over"], d["ball"]): d for d in self.deliveries}
        overs = defaultdict(list)
        for d in self.deliveries:
            overs[d["match_id"], d["innings"], d["over"]].append(d)
        last = Counter()
        for match_id, innings, over in overs:
            last[match_id, innings] = max(last[match_id, innings], over)
        taken = {
            (x["match_id"], x["innings"], x["over"], x["ball"]): x["kind"] for x in self.dismissals if x["credited"]
        }
        for d in self.deliveries:
            place, over = (
                (d["match_id"], d["innings"], d["over"], d["ball"]),
                overs[d["match_id"], d["innings"], d["over"]],
            )
            ball = self._ball(d) | {"batter": d["batter"], "position": d["position"], "hand": d["batting_hand"]}
            ball |= self._style(d)
            batting, bowling = self.side[d["match_id"], d["batting_team"]], self.side[d["match_id"], d["bowling_team"]]
            boundaries = {"fours": int(d["four"]), "sixes": int(d["six"])}
            self.balls["bat"].append(batting | ball | boundaries | {
                "runs": d["runs"], "balls": int(d["faced"]), "dots": int(d["faced"] and not d["runs"]), "outs": 0,
            })  # fmt: skip
            whole = sum(b["legal"] for b in over) >= 6 or d["over"] < last[d["match_id"], d["innings"]]
            maiden = whole and len({b["bowler"] for b in over}) == 1 and not any(b["conceded"] for b in over)
            kind = taken.get(place)
            self.balls["bowl"].append(bowling | ball | boundaries | {
                "runs": d["conceded"], "balls": int(d["legal"]), "wickets": int(kind is not None),
                "dots": int(not d["conceded"]), "wides": int(d["wides"] > 0), "noballs": int(d["noballs"] > 0),
                "maidens": int(maiden and d is over[0]), "dismissal": kind and kind.replace(" ", "_"),
            })  # fmt: skip
            counts = boundaries | {"runs": d["total"], "balls": int(d["legal"]), "extras": d["extras"], "wickets": 0}
            self.balls["team"].append(batting | ball | counts)
            self.balls["concede"].append(bowling | ball | counts)
        for x in self.dismissals:
            d = at[x["match_id"], x["innings"], x["over"], x["ball"]]
            nobody = {"bowler": None, "pace_or_spin": None, "arm": None, "bowling_kind": None}
            out = self._ball(d) | self._style(d if x["credited"] else nobody) | {
                "batter": x["player_out"], "position": x["position"], "dismissal": x["kind"].replace(" ", "_"),
                "hand": self.players[x["player_out"]]["batting_hand"],
            }  # fmt: skip
            batting, bowling = self.side[x["match_id"], x["batting_team"]], self.side[x["match_id"], x["bowling_team"]]
            self.balls["bat"].append(batting | out | dict.fromkeys(BAT_SUMS, 0) | {"outs": 1})
            self.balls["team"].append(batting | out | dict.fromkeys(TEAM_SUMS, 0) | {"wickets": 1})
            self.balls["concede"].append(bowling | out | dict.fromkeys(TEAM_SUMS, 0) | {"wickets": 1})

    def _ball(self, d: Row) -> Row:
        return {k: d[k] for k in ("innings", "over", "ball", "from_end", "phase")} | {
            "wicket": d["wicket_stand"],
            "dismissal": None,
        }

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
            card |= {"position": b["position"], "hand": self.players[b["batter"]]["batting_hand"]} | sums(
                events, BAT_SUMS
            )
            card |= {"outs": int(b["out"])} | {f"reached_{n}": balls_to(n, events) for n in (50, 100)}
            self.cards["bat"].append(card)
        for (match_id, innings, bowler), events in by_bowler.items():
            card = self.side[match_id, events[0]["team"]] | {"innings": innings, "bowler": bowler}
            style = {k: events[0][k] for k in ("bowling", "arm", "kind")}
            self.cards["bowl"].append(card | style | sums(events, BOWL_SUMS) | {"hat_tricks": hat_tricks(events)})
        for i in self.innings:
            balls = [d for d in self.deliveries if (d["match_id"], d["innings"]) == (i["match_id"], i["innings"])]
            card = {k: i[k] for k in ("innings", "runs", "balls", "extras", "wickets")} | {"all_out": int(i["all_out"])}
            card |= {"fours": sum(d["four"] for d in balls), "sixes": sum(d["six"] for d in balls)}
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

    # -- one query

    def answer(self, query: Query) -> dict[str, Any]:
        """`items`: (dimension values, {asked measure: value}) in order of rank, a score as (runs, not out) and the
        like; `n`: how many of them to take; `unordered`, `by_match`: how the order is to be compared."""
        by, asked = self.completed(query)
        having = list(query.having)
        least = self.qualification(query, by, asked)
        if least:
            having.append(least)
        wanted = list(dict.fromkeys([*asked, *(h.measure if not isinstance(h, tuple) else h[0] for h in having)]))
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        sources = {MEASURES[n].source for n in asked}
        for name in wanted:
            source = "stand" if name == "matches" and "pair" in by else MEASURES[name].source
            for key, value in self.figures(name, source, query, by).items():
                if source in sources or key in rows:
                    rows.setdefault(key, {})[name] = value
        for record in rows.values():
            for name in wanted:
                record.setdefault(name, 0 if MEASURES[name].kind == "count" else None)
        kept = {}
        for key, record in rows.items():
            tests = [h if isinstance(h, tuple) else (h.measure, h.op, h.value) for h in having]
            if not all(holds(plain(name, record[name]), op, value) for name, op, value in tests):
                continue
            if by and all(record[n] is None for n in asked):
                continue
            kept[key] = {n: record[n] for n in asked}
        return self.ranked(query, by, asked, kept)

    def completed(self, query: Query) -> tuple[list[str], list[str]]:
        by, asked = list(dict.fromkeys(query.by)), list(dict.fromkeys(query.measures))
        sources = {MEASURES[m].source for m in asked}
        for f in query.filters:
            person = f.key in PEOPLE
            if (person or f.key == "team") and f.op == "=" and len(f.values) > 1 and f.key not in by:
                if not (person and ("stand" in sources or "match" in by or "pair" in by)):
                    by.append(f.key)
        if (sources & {"match"} or (query.rank and query.rank.kind in ("first", "last"))) and "match" not in by:
            by.append("match")
        if "table" in sources and "team" not in by:
            by.append("team")
        if "partnership" in asked and not by:
            by = ["pair"]
        return by, asked

    def qualification(self, query: Query, by: list[str], asked: list[str]) -> tuple[str, str, float] | None:
        first = MEASURES[asked[0]]
        subject = SUBJECT.get(first.source)
        if not (query.rank and first.least and set(by) & {subject, "player"}) or query.having or "match" in by:
            return None
        equal = [f for f in query.filters if f.op == "="]
        if any(f.key in PEOPLE and f.key in by for f in equal) or any(
            f.key in ("date", "match") for f in query.filters
        ):
            return None
        if any(f.key == "stage" and len(f.values) == 1 and f.values[0] not in ("league", "playoffs")
               for f in query.filters):  # fmt: skip
            return None
        name, season_long, narrowed = first.least
        return (name, ">=", narrowed if equal else season_long)

    def figures(self, name: str, source: str, query: Query, by: list[str]) -> dict[tuple[Any, ...], Any]:
        if source == "table":
            return self.table_figures(name, query)
        groups = defaultdict(list)
        for row in self.rows(source, query, by):
            key = tuple(row.get(self.column(source, d)) for d in by)
            if None not in key:
                groups[key].append(row)
        if not by and not groups:
            zero = source not in ("bat", "bowl") or any(f.key in ("score", "haul", "dismissal") for f in query.filters)
            return {(): FIGURES[name]([])} if zero else {}
        if MEASURES[name].kind == "fact":
            return {key: self.fact(name, key[by.index("match")]) for key in groups}
        return {key: FIGURES[name](rows) for key, rows in groups.items()}

    def column(self, source: str, dimension: str) -> str:
        if dimension == "player" and source in SUBJECT:
            return SUBJECT[source]
        if source in ("result", "match") and dimension in PEOPLE:
            return "player"
        return "player" if source == "award" and dimension == "batter" else dimension

    def rows(self, source: str, query: Query, by: list[str]) -> list[Row]:
        """Innings rows that pass: cards, or sums of the balls that pass where a card cannot tell."""
        store = "result" if source == "match" else source
        dims = [self.column(source, d) for d in by]
        rows = self.cards[store]
        if store == "result" and "player" in dims:
            rows = [r | {"player": p} for r in rows for p in self.appeared[r["match"], r["team"]]]
        thresholds = [f for f in query.filters if f.key in ("score", "haul", "stand")]
        others = [f for f in query.filters if f not in thresholds]
        looks_at = {c for f in others for c in self.columns_of(store, f, dims)} | set(dims)
        if source in SUMS and not looks_at <= set(self.cards[source][0]):
            keep = list(dict.fromkeys(["match", "team", "innings", SUBJECT.get(source), *dims]))
            groups = defaultdict(list)
            for e in self.balls[source]:
                if all(self.passes(source, f, e, query, dims) for f in others):
                    groups[tuple(e.get(k) for k in keep)].append(e)
            rows = [dict(zip(keep, key, strict=True)) | sums(events, SUMS[source]) for key, events in groups.items()]
        else:
            rows = [r for r in rows if all(self.passes(source, f, r, query, dims) for f in others)]
        column = {"score": "runs", "haul": "wickets", "stand": "runs"}
        return [r for r in rows if all(holds(r[column[f.key]], f.op, float(f.values[0])) for f in thresholds)]

    def columns_of(self, source: str, f: Filter, dims: list[str]) -> list[str]:
        if f.key in PEOPLE:
            if source in ("result", "stand") or (source in ("team", "concede") and f.key == "player"):
                return []
            return [self.column(source, f.key)]
        if f.key == "keeper":
            return ["keeper"] if source == "field" else []
        return [{"overs": "over", "last": "from_end", "match": "number", "between": "opponent"}.get(f.key, f.key)]

    def passes(self, source: str, f: Filter, row: Row, query: Query, dims: list[str]) -> bool:
        if f.key in PEOPLE:
            if source == "stand":
                found = bool(set(row["pair"]) & set(f.values))
            elif (
                source in ("result", "match")
                and "player" not in dims
                or (source in ("team", "concede") and f.key == "player")
            ):
                found = bool(self.appeared[row["match"], row["team"]] & set(f.values))
            else:
                found = row.get(self.column(source, f.key))
                if found is None:
                    return False
                found = found in f.values
            return found if f.op == "=" else not found
        if f.key in ("team", "opponent") and f.op == "=":
            if query.filter({"bat": "bowler", "bowl": "batter"}.get(source, "")):
                return row["team"] in f.values or row["opponent"] in f.values
        if f.key == "between":
            return row["team"] in f.values and row["opponent"] in f.values
        if f.key in ("overs", "match", "position", "wicket"):
            value = row[{"overs": "over", "match": "number"}.get(f.key, f.key)]
            spans = [v.split("-") for v in f.values]
            return value is not None and any(int(s[0]) <= value <= int(s[-1]) for s in spans)
        if f.key == "last":
            return row["from_end"] <= float(f.values[0])
        if f.key in ("margin", "total", "target"):
            return row[f.key] is not None and holds(row[f.key], f.op, float(f.values[0]))
        if f.key == "stage":
            return any(row["stage"] == v or (v == "playoffs" and row["stage"] != "league") for v in f.values)
        if f.key == "bowling":
            return any(is_bowling(row, v) for v in f.values)
        if f.key == "keeper" and source != "field":
            return ("yes" if self.players[row[SUBJECT.get(source, "player")]]["keeper"] else "no") in f.values
        found = row[f.key] is not None and str(row[f.key]) in f.values
        if f.op == "!=":
            return not found and (row[f.key] is not None or f.key in ("bowler", "fielder"))
        return found

    def fact(self, name: str, match_id: int) -> Any:
        m = self.matches[match_id]
        if name == "winner":
            return m["winner"] or "no winner"
        if name == "player_of_match":
            star = m["player_of_match"]
            return star and self.players[star]["display"]
        if name in ("date", "venue"):
            return m[name]
        if name == "toss":
            return m["toss_winner"] and f"{m['toss_winner']}, who chose to {m['toss_decision']}"
        if name == "scores":
            innings = [i for i in self.innings if i["match_id"] == match_id]
            texts = [f"{i['runs']}" if i["wickets"] == 10 else f"{i['runs']}/{i['wickets']}" for i in innings]
            return ", ".join(f"{i['batting_team']} {t}" for i, t in zip(innings, texts, strict=True)) or None
        if m["super_over"]:
            return "a super over"
        if m["margin"] is None:
            return m["result"].replace("_", " ")
        unit = m["result"] if m["margin"] > 1 else m["result"][:-1]
        return f"{m['margin']} {unit}" + (f" ({m['method']})" if m["method"] else "")

    def table_figures(self, name: str, query: Query) -> dict[tuple[Any, ...], Any]:
        table = self.league_table()
        for f in query.filters:
            if f.key in ("team", "between"):
                table = {key: row for key, row in table.items() if (key[1] in f.values) == (f.op == "=")}
        return {(f"{team} {season}" if self.several else team,): row[name] for (season, team), row in table.items()}

    def league_table(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Points, then wins, then net run rate; rules as in data/season/standings.py, whose tests cite published tables."""
        points, wins, rates = Counter(), Counter(), defaultdict(lambda: [0, 0, 0, 0])
        for m in self.matches.values():
            if m["stage"] != "league":
                continue
            innings = {i["innings"]: i for i in self.innings if i["match_id"] == m["match_id"]}
            for team in (m["team1"], m["team2"]):
                key = (m["season"], team)
                points[key] += 2 if m["winner"] == team else 0 if m["winner"] else 1
                wins[key] += m["winner"] == team
                if m["result"] not in ("runs", "wickets", "tie"):
                    continue
                for number, i in innings.items():
                    runs, balls = i["runs"], i["nrr_balls"]
                    if m["method"] and number == 1:
                        runs, balls = innings[2]["target"] - 1, innings[2]["quota_balls"]
                    side = 0 if i["batting_team"] == team else 2
                    rates[key][side] += runs
                    rates[key][side + 1] += balls
        exact = {k: 6 * r[0] / r[1] - 6 * r[2] / r[3] if r[1] and r[3] else None for k, r in rates.items()}
        table = {}
        for key in points:
            rank = {k: (points[k], wins[k], exact.get(k)) for k in points if k[0] == key[0]}
            place = 1 + sum(1 for other in rank.values() if other > rank[key])
            table[key] = {"points": points[key], "net_run_rate": round(exact[key], 3), "position": place}
        return table

    def ranked(self, query: Query, by: list[str], asked: list[str], rows: dict) -> dict | list:
        """The rows in order; equal rows (which may stand in any order) are told apart by the comparison in the test."""
        rank, first = query.rank, asked[0]
        items = list(rows.items())
        if MEASURES[first].kind == "fact" or (rank and rank.kind in ("first", "last")):
            items.sort(key=lambda kr: self.order[kr[0][by.index("match")]], reverse=bool(rank and rank.kind == "last"))
            return {"items": items, "n": rank.n if rank else None, "by_match": True}
        ordered = set(by) & {"over", "phase", "position", "innings", "wicket", "match"}
        if rank is None and (not by or ordered):
            return {"items": items, "n": None, "unordered": True}
        items = [(k, r) for k, r in items if r[first] is not None]
        top = rank is None or rank.kind == "top"
        if rank and top and MEASURES[first].kind == "count":
            items = [(k, r) for k, r in items if r[first]]
        places = self.places(query) if first == "points" else {}

        def value(kr):
            return -places[kr[0]] if first == "points" else kr[1][first]

        items.sort(key=lambda kr: [better_last(n, kr[1][n]) for n in asked[1:]], reverse=True)
        items.sort(key=value, reverse=top)
        if rank is None or len(items) <= rank.n:
            return {"items": items, "n": None}
        last = value(items[rank.n - 1])
        return {"items": items[: rank.n] + [kr for kr in items[rank.n :] if value(kr) == last], "n": None}

    def places(self, query: Query) -> dict[tuple[Any, ...], int]:
        return self.table_figures("position", query)


def better_last(name: str, value: Any) -> Any:
    """Sort key that puts the better figure last; facts and undefined figures do not decide."""
    if value is None or MEASURES[name].kind == "fact":
        return (0,)
    parts = value if isinstance(value, tuple) else (value,)
    return tuple(-p for p in parts) if name in LESS_IS_BETTER else tuple(parts)


def holds(value: Any, op: str, bound: float) -> bool:
    if value is None:
        return False
    if op == "=":
        return value == bound
    return (
        value >= bound
        if op == ">="
        else value <= bound
        if op == "<="
        else value > bound
        if op == ">"
        else value < bound
    )


def plain(name: str, value: Any) -> Any:
    """The number that a condition compares: the runs of (124, not out), the wickets of (5, -21)."""
    return value[0] if isinstance(value, tuple) else value


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


def is_bowling(row: Row, kind: str) -> bool:
    if row["bowling"] is None and row["arm"] is None:
        return False
    if kind in ("pace", "spin"):
        return row["bowling"] == kind
    if kind in ("left_arm", "right_arm"):
        return row["arm"] == kind[:-4]
    if kind in ("left_arm_pace", "right_arm_pace"):
        return (row["arm"], row["bowling"]) == (kind[:-9], "pace")
    return row["kind"] == kind


# -- what each measure is, over innings rows


def total(column: str):
    return lambda rows: sum(r[column] for r in rows) if rows else None


def ratio(above, below, factor: float = 1.0):
    def figure(rows: list[Row]) -> float | None:
        divisor = sum(map(below, rows))
        return factor * sum(map(above, rows)) / divisor if divisor else None

    return figure


def count(test):
    return lambda rows: sum(1 for r in rows if test(r)) if rows else None


def distinct(*columns: str):
    return lambda rows: len({tuple(r.get(c) for c in columns) for r in rows})


def best(pick, value):
    def figure(rows: list[Row]) -> Any:
        values = [v for v in map(value, rows) if v is not None]
        return pick(values) if values else None

    return figure


def col(name: str):
    return lambda row: row[name]


def boundaries(row: Row) -> int:
    return row["fours"] + row["sixes"]


def won(row: Row) -> bool:
    return row["result"] == "won"


def won_by(how: str, column: str):
    return best(max, lambda r: r[column] if won(r) and r["won_by"] == how else None)


def falls(*kinds: str):
    return lambda rows: len({r["fall"] for r in rows if r["did"] in kinds})


FIGURES = {
    "runs": total("runs"),
    "balls": total("balls"),
    "innings": distinct("match", "innings", "batter"),
    "average": ratio(col("runs"), col("outs")),
    "strike_rate": ratio(col("runs"), col("balls"), 100),
    "fours": total("fours"),
    "sixes": total("sixes"),
    "boundaries": lambda rows: sum(map(boundaries, rows)) if rows else None,
    "boundary_percent": ratio(boundaries, col("balls"), 100),
    "boundary_runs": lambda rows: sum(4 * r["fours"] + 6 * r["sixes"] for r in rows) if rows else None,
    "balls_per_boundary": ratio(col("balls"), boundaries),
    "balls_per_six": ratio(col("balls"), col("sixes")),
    "dots": total("dots"),
    "dot_percent": ratio(col("dots"), col("balls"), 100),
    "dismissals": total("outs"),
    "not_outs": count(lambda r: not r["outs"]),
    "balls_per_dismissal": ratio(col("balls"), col("outs")),
    "highest_score": best(max, lambda r: (r["runs"], not r["outs"])),
    "fifties": count(lambda r: 50 <= r["runs"] < 100),
    "hundreds": count(lambda r: r["runs"] >= 100),
    "fifty_plus": count(lambda r: r["runs"] >= 50),
    "thirty_plus": count(lambda r: r["runs"] >= 30),
    "ducks": count(lambda r: r["outs"] and not r["runs"]),
    "golden_ducks": count(lambda r: r["outs"] and not r["runs"] and r["balls"] == 1),
    "balls_to_fifty": best(min, lambda r: r["reached_50"]),
    "balls_to_hundred": best(min, lambda r: r["reached_100"]),
    "wickets": total("wickets"),
    "runs_conceded": total("runs"),
    "balls_bowled": total("balls"),
    "overs_bowled": lambda rows: sum(r["balls"] for r in rows) / 6 if rows else None,
    "innings_bowled": distinct("match", "innings", "bowler"),
    "economy": ratio(col("runs"), col("balls"), 6),
    "bowling_average": ratio(col("runs"), col("wickets")),
    "bowling_strike_rate": ratio(col("balls"), col("wickets")),
    "dots_bowled": total("dots"),
    "dot_ball_percent": ratio(col("dots"), col("balls"), 100),
    "maidens": total("maidens"),
    "best_figures": best(max, lambda r: (r["wickets"], -r["runs"])),
    "three_wicket_hauls": count(lambda r: r["wickets"] >= 3),
    "four_wicket_hauls": count(lambda r: r["wickets"] >= 4),
    "five_wicket_hauls": count(lambda r: r["wickets"] >= 5),
    "wicketless": count(lambda r: not r["wickets"]),
    "wides": total("wides"),
    "noballs": total("noballs"),
    "fours_conceded": total("fours"),
    "sixes_conceded": total("sixes"),
    "hat_tricks": total("hat_tricks"),
    "catches": count(lambda r: r["did"] == "catch"),
    "stumpings": count(lambda r: r["did"] == "stumping"),
    "run_outs": falls("run_out"),
    "fielding_dismissals": falls("catch", "stumping", "run_out"),
    "total": total("runs"),
    "innings_played": distinct("match", "innings"),
    "wickets_lost": total("wickets"),
    "highest_total": best(max, lambda r: (r["runs"], -r["wickets"])),
    "lowest_total": best(min, lambda r: (r["runs"], -r["wickets"])),
    "average_total": lambda rows: sum(r["runs"] for r in rows) / len(rows) if rows else None,
    "run_rate": ratio(col("runs"), col("balls"), 6),
    "legal_balls": total("balls"),
    "extras": total("extras"),
    "team_fours": total("fours"),
    "team_sixes": total("sixes"),
    "times_all_out": total("all_out"),
    "conceded": total("runs"),
    "legal_balls_bowled": total("balls"),
    "concede_rate": ratio(col("runs"), col("balls"), 6),
    "wickets_taken": total("wickets"),
    "extras_conceded": total("extras"),
    "matches": distinct("match"),
    "wins": count(won),
    "losses": count(lambda r: r["result"] == "lost"),
    "win_percent": lambda rows: 100 * sum(map(won, rows)) / len(rows) if rows else None,
    "tosses_won": count(lambda r: r["toss"] == "won"),
    "tosses_lost": count(lambda r: r["toss"] == "lost"),
    "margin_runs": won_by("runs", "margin"),
    "margin_wickets": won_by("wickets", "margin"),
    "balls_left": won_by("wickets", "balls_left"),
    "partnership": best(max, lambda r: (r["runs"], r["unbroken"])),
    "stands": len,
    "partnership_runs": total("runs"),
    "partnership_average": lambda rows: sum(r["runs"] for r in rows) / len(rows) if rows else None,
    "awards": len,
}
