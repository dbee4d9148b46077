"""Writes a season as the private feed that data/feed imports, to test the import without anybody's private data.

The figures are computed here from the season's deliveries, the scorecards from its derived tables, so that a mistake of
the import shows as a difference. The feed has its own ids and the traps of the real one: ids as strings and as numbers,
flags in several spellings, empty strings for nothing, overs in base six, a ball's number repeated after a wide, ends of
overs among the deliveries, squads among the players of a match, team names of a later year.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from data.season import Season

FOLDER = "Indian_Premier_League_2022-03-26"
FIRST_MATCH, FIRST_INNINGS, FIRST_PLAYER, FIRST_TEAM = 56_500, 107_000, 40, 591
LATER_NAMES = {"Royal Challengers Bangalore": "Royal Challengers Bengaluru", "Kings XI Punjab": "Punjab Kings"}
STAGES = {"qualifier_1": "Qualifier 1", "qualifier_2": "Qualifier 2", "eliminator": "Eliminator", "final": "Final",
          "semi_final": "Semi Final", "third_place": "3rd Place Play-Off"}  # fmt: skip
DISMISSALS = {"caught and bowled": "caught", "run out": "runout", "hit wicket": "hitwicket", "retired hurt": "retired",
              "retired out": "retiredout", "obstructing the field": "obstructing"}  # fmt: skip
WAGON_FIELDS = ["batsman_id", "bowler_id", "over", "bat_run", "team_run", "x", "y", "zone_id", "event_name",
                "unique_over"]  # fmt: skip

Row = dict[str, Any]
Files = dict[str, Any]  # path in the feed -> content


class FeedWriter:
    """`FeedWriter(season).files` is the feed as plain values, to be changed by a test and written by `write_feed`."""

    def __init__(self, season: Season) -> None:
        self.season = season
        self.year = season.year
        self.players = {r["player"]: r for r in self.rows("SELECT * FROM players ORDER BY player")}
        self.pid = {player: FIRST_PLAYER + 2 * i for i, player in enumerate(self.players)}
        self.teams = {r["name"]: FIRST_TEAM + i for i, r in enumerate(self.rows("FROM (SELECT DISTINCT team::TEXT AS "
                      "name, any_value(short) AS short FROM team_names GROUP BY ALL) ORDER BY name"))}  # fmt: skip
        self.short = dict(self.tuples("SELECT DISTINCT team::TEXT, short FROM team_names"))
        self.matches = self.rows("SELECT * FROM matches ORDER BY date, match_id")
        # In the order of the season's own ids, by which equal rows are sorted.
        self.match_ids = {
            match_id: FIRST_MATCH + i for i, match_id in enumerate(sorted(m["match_id"] for m in self.matches))
        }

    def tuples(self, sql: str) -> list[tuple[Any, ...]]:
        return self.season.connection.cursor().execute(sql).fetchall()

    def rows(self, sql: str) -> list[Row]:
        cursor = self.season.connection.cursor().execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def by_innings(self, table: str, order: str) -> dict[tuple[int, int], list[Row]]:
        found: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for row in self.rows(f"SELECT * FROM {table} ORDER BY match_id, innings, {order}"):
            found[row["match_id"], row["innings"]].append(row)
        return found

    @cached_property
    def super_overs(self) -> dict[tuple[int, int], list[Row]]:
        return self.by_innings("super_over_deliveries", "seq")

    @cached_property
    def deliveries(self) -> dict[tuple[int, int], list[Row]]:
        return {**self.by_innings("deliveries", "seq"), **self.super_overs}

    @cached_property
    def dismissals(self) -> dict[tuple[int, int], list[Row]]:
        return self.by_innings("dismissals", "over, ball, wicket_number")

    @cached_property
    def fielding(self) -> dict[tuple[int, int], list[Row]]:
        return self.by_innings("fielding", "over, ball")

    @cached_property
    def appearances(self) -> dict[tuple[int, str], list[str]]:
        found: dict[tuple[int, str], list[str]] = defaultdict(list)
        for match_id, player, team in self.tuples("SELECT match_id, player, team::TEXT FROM appearances ORDER BY ALL"):
            found[match_id, team].append(player)
        return found

    @cached_property
    def files(self) -> Files:
        batting, bowling = self.by_innings("batting", "position"), self.by_innings("bowling", "bowler")
        made: Files = {"teams/teams.json": [self.team(name) for name in self.teams],
                       "squads/squads.json": self.squads(), "matches/matches.json": [],
                       "standings/standings.json": self.standings()}  # fmt: skip
        for match in self.matches:
            fixture = self.fixture(match)
            made["matches/matches.json"].append(fixture)
            name = f"{match['team1']}_vs_{match['team2']}_Match_{match['number']}".replace(" ", "_")
            made[f"match_info/{name}_info.json"] = fixture | {"match_number": int(match["number"])}
            if match["result"] == "abandoned":
                continue
            innings = self.rows(f"SELECT * FROM innings WHERE match_id = {match['match_id']} ORDER BY innings")
            cards = [self.card(match, i, batting[match["match_id"], i["innings"]],
                               bowling[match["match_id"], i["innings"]]) for i in innings]  # fmt: skip
            cards += [self.super_over(*at) for at in sorted(self.super_overs) if at[0] == match["match_id"]]
            best = match["player_of_match"]
            made[f"scorecards/{name}_scorecard.json"] = fixture | {
                "innings": cards, "players": self.profiles(match),
                "man_of_the_match": {"pid": self.pid[best], "name": self.title(best)} if best else "",
                "man_of_the_series": "",
            }  # fmt: skip
            for card in cards:
                log = f"innings_{card['number']}_{name}_match_innings_{card['number']}_commentary.json"
                made[f"match_innings_commentary/{log}"] = self.commentary(match, card)
            made[f"match_wagon_wheel/{name}_wagon.json"] = {
                "match_id": self.match_ids[match["match_id"]], "wagon_fields": WAGON_FIELDS,
                "innings": [self.wagon(match, card) for card in cards],
            }  # fmt: skip
        for player in self.players:
            made[f"player_career_stats/{self.title(player).replace(' ', '_')}_{self.pid[player]}.json"] = {
                "player": self.profile(player),
                "batting": {"t20": {"matches": 100, "innings": "90", "notout": 9, "runs": 2500 + self.pid[player],
                                    "balls": "1900", "highest": "101*", "run100": 1, "run50": 12, "run4": 200,
                                    "run6": "99", "average": "31.20", "strike": "133.3", "catches": 40, "stumpings": 0},
                            "test": {"matches": "", "innings": ""}},
                "bowling": {"t20": {"matches": 100, "innings": 20, "balls": 300, "runs": "410", "wickets": 15,
                                    "bestinning": "3/21", "bestmatch": "3/21", "econ": "8.20", "average": "27.33",
                                    "strike": "20.00", "wicket4i": 0, "wicket5i": 0, "wicket10m": ""}},
            }  # fmt: skip
        made["batting_stats/batting_most_runs.json"] = {"status": "ok", "response": {"stats": []}}
        return made

    def title(self, player: str) -> str:
        return self.players[player]["display"]

    def team(self, name: str) -> Row:
        later = LATER_NAMES.get(name, name)
        return {"tid": self.teams[name], "title": later, "abbr": self.short[name], "logo_url": ""}

    def profile(self, player: str) -> Row:
        row = self.players[player]
        full = (row["full_name"] or row["display"]).split(" ")
        roles = {"Bowler": "bowl", "Allrounder": "all", "Wicketkeeper": "wk", "Wicketkeeper Batter": "wkbat"}
        return {
            "pid": self.pid[player], "title": row["display"], "short_name": row["name"], "first_name": full[0],
            "middle_name": " ".join(full[1:-1]), "last_name": full[-1] if len(full) > 1 else "",
            "birthdate": row["born"].isoformat() if row["born"] else "0000-00-00",
            "country": "in" if row["country"] == "India" else "", "nationality": row["country"] or "",
            "playing_role": roles.get(row["role"] or "", "bat"),
            "batting_style": f"{(row['batting_hand'] or '').title()} Hand Bat",
            "bowling_style": row["bowling_style"] or "",
        }  # fmt: skip

    def profiles(self, match: Row) -> list[Row]:
        """The players of a match as the feed has them: everybody of both squads."""
        teams = {match["team1"], match["team2"]}
        return [self.profile(p) for p, row in self.players.items() if teams & set(row["teams"])]

    def squads(self) -> list[Row]:
        return [
            {"team_id": tid, "title": LATER_NAMES.get(name, name), "team": self.team(name),
             "players": [self.profile(p) for p, row in self.players.items() if name in row["teams"]]}
            for name, tid in self.teams.items()
        ]  # fmt: skip

    def side(self, match: Row, team: str) -> Row:
        return {"team_id": self.teams[team], "name": team, "short_name": self.short[team], "scores_full": "",
                "overs": ""}  # fmt: skip

    def fixture(self, match: Row) -> Row:
        margin = ""
        if match["result"] in ("runs", "wickets"):
            margin = f"{match['margin']} {match['result'][: -1 if match['margin'] == 1 else None]}"
        note = {"tie": "Match tied", "no_result": "No result", "abandoned": "Match abandoned"}.get(match["result"])
        league = match["stage"] == "league"
        umpires = [f"{match[kind]} (India{mark})" for kind, mark in
                   (("umpire1", ""), ("umpire2", ""), ("tv_umpire", ", TV")) if match[kind]]  # fmt: skip
        toss = {
            "text": f"{match['toss_winner']} elected to {'bat' if match['toss_decision'] == 'bat' else 'bowl'}",
            "winner": self.teams.get(match["toss_winner"]), "decision": 1 if match["toss_decision"] == "bat" else 2,
        }  # fmt: skip
        return {
            "match_id": self.match_ids[match["match_id"]], "match_number": str(match["number"]),
            "title": f"{match['team1']} vs {match['team2']}", "short_title": "",
            "subtitle": f"Match {match['number']}" if league else STAGES[match["stage"]],
            "format": 6, "format_str": "T20", "status": 4 if match["result"] == "abandoned" else 2,
            "status_str": "Completed", "status_note": note or f"{match['winner']} won by {margin}",
            "result": note or f"{match['winner']} won by {margin}", "result_type": 1, "win_margin": margin,
            "winning_team_id": self.teams[match["winner"]] if match["winner"] else "",
            "match_dls_affected": "true" if match["method"] else "false",
            "competition": {"cid": 123883, "title": "Indian Premier League", "abbr": f"IPL {self.year}",
                            "season": str(self.year), "match_format": "t20"},
            "teama": self.side(match, match["team1"]), "teamb": self.side(match, match["team2"]),
            "date_start": f"{match['date']} 14:00:00", "date_start_ist": f"{match['date']} 19:30:00",
            "venue": {"venue_id": "24", "name": match["venue"], "location": match["city"] or "", "timezone": "+1"},
            "umpires": ", ".join(umpires), "referee": f"{match['referee']} (India)" if match["referee"] else "",
            "toss": toss if match["toss_winner"] else "",
        }  # fmt: skip

    def card(self, match: Row, innings: Row, batting: list[Row], bowling: list[Row]) -> Row:
        at = match["match_id"], innings["innings"]
        out = {d["player_out"]: d for d in self.dismissals[at]}
        balls = self.deliveries[at]
        batted = [b["batter"] for b in batting]
        extras = {kind: sum(d[kind] for d in balls) for kind in ("byes", "legbyes", "wides", "noballs")}
        penalty = sum(d["penalty"] for d in balls)
        return {
            "iid": FIRST_INNINGS + 2 * self.match_ids[at[0]] + at[1], "number": at[1], "issuperover": "false",
            "name": f"{innings['batting_team']} innings", "batting_team_id": self.teams[innings["batting_team"]],
            "fielding_team_id": self.teams[innings["bowling_team"]],
            "batsmen": [self.batsman(at, b, out.get(b["batter"])) for b in batting],
            "did_not_bat": [{"player_id": str(self.pid[p]), "name": self.title(p)}
                            for p in self.appearances[at[0], innings["batting_team"]] if p not in batted],
            "bowlers": [{"bowler_id": str(self.pid[b["bowler"]]), "name": self.title(b["bowler"]),
                         "overs": overs(b["balls"]), "maidens": str(b["maidens"]), "runs_conceded": str(b["runs"]),
                         "wickets": str(b["wickets"]), "noballs": str(b["noballs"]), "wides": str(b["wides"]),
                         "run0": str(b["dots"])} for b in bowling],
            "fielder": [{"fielder_id": str(self.pid[f["fielder"]]), "fielder_name": self.title(f["fielder"]),
                         "is_substitute": "true" if f["substitute"] else "false"} for f in self.fielding[at]],
            "fows": [], "extra_runs": {**extras, "penalty": str(penalty) if penalty else "",
                                       "total": sum(extras.values()) + penalty},
            "equations": {"runs": innings["runs"], "wickets": innings["wickets"], "overs": overs(innings["balls"])},
            "max_over": overs(innings["quota_balls"]).removesuffix(".0"),
            "target": str(innings["target"] or ""), "powerplay": [],
        }  # fmt: skip

    def super_over(self, match_id: int, number: int) -> Row:
        """The scorecard of a super over, of whose wickets the tables have only that they fell."""
        balls = self.super_overs[match_id, number]
        batters = dict.fromkeys(p for d in balls for p in (d["batter"], d["non_striker"]))
        kinds = ("byes", "legbyes", "wides", "noballs")
        batsmen = [
            {"batsman_id": str(self.pid[p]), "name": self.title(p), "dismissal": "", "how_out": "not out",
             "runs": sum(d["runs"] for d in balls if d["batter"] == p),
             "balls_faced": sum(d["faced"] for d in balls if d["batter"] == p),
             "fours": sum(d["four"] for d in balls if d["batter"] == p),
             "sixes": sum(d["six"] for d in balls if d["batter"] == p)} for p in batters
        ]  # fmt: skip
        return {
            "iid": FIRST_INNINGS + 2000 + 10 * self.match_ids[match_id] + number, "number": number,
            "issuperover": "true", "batting_team_id": self.teams[balls[0]["batting_team"]],
            "fielding_team_id": self.teams[balls[0]["bowling_team"]], "batsmen": batsmen, "did_not_bat": "",
            "bowlers": [{"bowler_id": self.pid[balls[0]["bowler"]], "overs": overs(sum(d["legal"] for d in balls)),
                         "runs_conceded": sum(d["conceded"] for d in balls), "wickets": 0}],
            "fielder": [], "extra_runs": {kind: sum(d[kind] for d in balls) for kind in kinds},
            "equations": {"runs": sum(d["total"] for d in balls), "wickets": 0,
                          "overs": overs(sum(d["legal"] for d in balls))},
            "max_over": "1", "target": "", "powerplay": [],
        }  # fmt: skip

    def batsman(self, at: tuple[int, int], row: Row, out: Row | None) -> Row:
        by = [f["fielder"] for f in self.fielding[at] if f["player_out"] == row["batter"]]
        fielders = [str(self.pid[p]) for p in by] + ["", "", ""]
        how = row["how"] or ""
        bowler = out["bowler"] if out and out["bowler"] else None
        words = {"": "not out", "bowled": "b", "caught": "c X b", "caught and bowled": "c & b", "stumped": "st X b"}
        return {
            "batsman_id": str(self.pid[row["batter"]]), "name": self.title(row["batter"]),
            "role": "", "runs": str(row["runs"]), "balls_faced": str(row["balls"]), "fours": str(row["fours"]),
            "sixes": row["sixes"], "run0": str(row["dots"]),
            "how_out": f"{words.get(how, how)} {self.title(bowler) if bowler else ''}".strip(),
            "dismissal": DISMISSALS.get(how, how), "bowler_id": str(self.pid[bowler]) if bowler else "",
            "first_fielder_id": fielders[0], "second_fielder_id": fielders[1], "third_fielder_id": fielders[2],
        }  # fmt: skip

    def commentary(self, match: Row, card: Row) -> Row:
        at = match["match_id"], card["number"]
        out = {(d["over"], d["ball"]): d for d in self.dismissals[at]}
        events: list[Row] = []
        legal = 0
        balls = self.deliveries[at]
        for i, d in enumerate(balls):
            wicket = out.get((d["over"], d["ball"]))
            number = legal + 1  # a wide or a no-ball is repeated, and so is its number
            legal += d["legal"]
            pair = [{"batsman_id": self.pid[d["batter"]], "runs": 0}, {"batsman_id": self.pid[d["non_striker"]]}]
            event = {
                "event_id": str(1000 * card["iid"] + i), "event": "wicket" if wicket else "ball",
                "batsman_id": str(self.pid[d["batter"]]), "bowler_id": str(self.pid[d["bowler"]]),
                "over": str(d["over"] - 1), "ball": str(number), "score": d["total"], "commentary": "", "text": "",
                "timestamp": 1_648_303_200 + 40 * i, "run": d["total"], "bat_run": str(d["runs"]),
                "noball_run": str(d["noballs"]), "wide_run": str(d["wides"]), "bye_run": str(d["byes"]),
                "legbye_run": str(d["legbyes"]), "noball": d["noballs"] > 0, "wideball": 1 if d["wides"] else 0,
                "four": d["four"], "six": "true" if d["six"] else "false", "noball_dismissal": False,
                "batsmen": pair[:: 1 if i % 2 else -1],
            }  # fmt: skip
            if wicket:
                event |= {"wicket_batsman_id": str(self.pid[wicket["player_out"]]), "how_out": wicket["kind"]}
            events.append(event)
            if i + 1 == len(balls) or balls[i + 1]["over"] != d["over"]:
                events.append({"event": "overend", "over": d["over"], "runs": 0, "score": "", "bats": [], "bowls": []})
                legal = 0
        inning = {key: card[key] for key in ("iid", "number", "issuperover", "batting_team_id", "fielding_team_id",
                                             "max_over", "target")}  # fmt: skip
        return {"match": {"match_id": self.match_ids[at[0]]}, "inning": inning, "commentaries": events,
                "players": self.profiles(match)}  # fmt: skip

    def wagon(self, match: Row, card: Row) -> Row:
        balls = self.deliveries[match["match_id"], card["number"]]
        return {"inning_id": card["iid"], "wagons": [
            [self.pid[d["batter"]], str(self.pid[d["bowler"]]), f"{d['over'] - 1}.{d['ball']}", d["runs"], d["total"],
             str(100 + d["seq"] % 90), 180, d["seq"] % 8, "", ""] for d in balls
        ]}  # fmt: skip

    def standings(self) -> Row:
        rows = self.rows("SELECT * FROM standings ORDER BY position")
        return {"standing_type": "completed", "standings": [{"round": {"name": "League"}, "standings": [
            {"team_id": str(self.teams[r["team"]]), "team": self.team(r["team"]), "played": str(r["played"]),
             "win": str(r["won"]), "loss": r["lost"], "draw": "0", "nr": str(r["no_result"]),
             "points": str(r["points"]), "netrr": f"{r['net_run_rate']:.3f}"} for r in rows
        ]}]}  # fmt: skip


def overs(balls: int) -> str:
    """Overs in base six: 106 balls are 17.4."""
    return f"{balls // 6}.{balls % 6}"


def write_feed(files: Files, folder: Path) -> Path:
    """Write the feed as a folder; text is written as it stands, anything else as JSON. The feed's own folder."""
    for name, content in files.items():
        path = folder / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder / FOLDER


def zip_feed(files: Files, path: Path) -> Path:
    """Write the feed as a zip with its folder inside."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{FOLDER}/{name}", content if isinstance(content, str) else json.dumps(content))
        archive.writestr(f"__MACOSX/{FOLDER}/matches/._matches.json", b"\0\5")
    return path


def named(files: Files, pattern: str) -> str:
    """The first path of the feed that the pattern matches."""
    return next(name for name in files if re.search(pattern, name))


def smaller(files: Files, matches: Iterable[int]) -> Files:
    """The feed with only the matches of these ids, without careers and standings; a copy."""
    wanted = set(matches)
    kept: Files = {}
    for name, content in json.loads(json.dumps(files)).items():
        folder = name.partition("/")[0]
        if folder == "matches":
            kept[name] = [m for m in content if m["match_id"] in wanted]
        elif folder in ("teams", "squads") or _match_of(content) in wanted:
            kept[name] = content
    return kept


def _match_of(content: Any) -> int | None:
    if not isinstance(content, dict):
        return None
    return content.get("match_id") or (content.get("match") or {}).get("match_id")
