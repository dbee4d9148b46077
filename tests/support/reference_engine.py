"""A slow, plain reference of the query line, for comparison with the engine: `Reference(season).answer(query)`.

Works on the rows of tests/support/reference_rows.py with Python loops alone. It shares the definition's names with the
engine (what a measure is called, which minimum a leaderboard has) and none of its SQL, sources or relations.

- A whole-innings question reads the cards: everybody who came in has batted, also without a ball; a team's extras
  include penalty runs of the innings. One that looks at single balls (over, phase, kind of bowling, the other man,
  ...) sums the balls that pass, and who saw none of them has no innings.
- A run-out by two is one dismissal.
- A super over decides who won and counts for nothing else. Abandoned matches (no toss, no ball) are in the league
  table, and matches without a result. A side may win a chase "by runs" (Duckworth-Lewis), so margins never look at who
  batted first.
- A team's lowest total is that of an innings which nothing cut short.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.query import Filter, Having, Query
from tests.support.reference_figures import FIGURES
from tests.support.reference_rows import SUMS, Row, Rows, sums, year_of

SUBJECT = {"bat": "batter", "bowl": "bowler", "field": "fielder", "award": "player", "over": "bowler",
           "batter_over": "batter", "run": "player", "person": "player", "lineup": "player"}  # fmt: skip
PEOPLE = ("batter", "bowler", "fielder", "player")
# sources that are rows of another one
STORE = {"match": "result", "no_result": "result", "person": "result", "lineup": "result", "over": "bowl",
         "batter_over": "bat"}  # fmt: skip
OF_MATCH = {"with", "without", "team", "opponent", "between", "venue", "date", "after", "before", "from", "to", "month",
            "weekday", "match", "half", "result", "home", "stage", "toss", "chose", "won_by", "margin", "shortened",
            "total", "target"}  # fmt: skip
SEQUENCES = ("nth_match", "last_matches", "nth_innings", "last_innings")
Key = tuple[Any, ...]


class Reference(Rows):
    """Answers of single queries over the rows of a season."""

    # -- one query

    def answer(self, query: Query) -> dict[str, Any]:
        """`items`: (dimension values, {asked measure: value}) in order of rank, a score as (runs, not out) and the
        like; `n`: how many of them to take; `unordered`, `by_match`: how the order is to be compared."""
        query = replace(query, measures=tuple(dict.fromkeys(query.measures)), by=tuple(dict.fromkeys(query.by)))
        years = self.seasons(query)
        by, asked = self.completed(query, years)
        rows = self.records(query, by, asked, years)
        if query.place is not None:
            return self.placed(query, by, asked, rows)
        return self.ranked(query, by, asked, rows)

    def records(self, query: Query, by: list[str], asked: list[str], years: list[int]) -> dict[Key, Row]:
        """The figures of every row that satisfies the conditions."""
        having = [(h.measure, h.op, h.value) for h in query.having]
        least = self.qualification(query, by, asked, years)
        if least:
            having.append(least)
        wanted = list(dict.fromkeys([*asked, *(name for name, _, _ in having)]))
        needed = list(dict.fromkeys(part for name in wanted for part in self.parts(name)))
        rows: dict[Key, Row] = {}
        sources = {MEASURES[n].source for n in asked}
        for name in needed:
            source = "stand" if name == "matches" and "pair" in by else MEASURES[name].source
            for key, value in self.figures(name, source, query, by, years).items():
                if source in sources or key in rows:
                    rows.setdefault(key, {})[name] = value
        for record in rows.values():
            for name in needed:
                record.setdefault(name, 0 if MEASURES[name].kind == "count" else None)
        for name in wanted:
            self.divide(name, query, by, years, rows)
        kept = {}
        for key, record in rows.items():
            if not all(holds(plain(name, record[name]), op, value) for name, op, value in having):
                continue
            if by and all(record[n] is None for n in asked):
                continue
            kept[key] = {n: record[n] for n in asked}
        return kept

    def parts(self, name: str) -> list[str]:
        parts = MEASURES[name].parts
        return [name] if parts is None else list(parts.counted)

    def divide(self, name: str, query: Query, by: list[str], years: list[int], rows: dict[Key, Row]) -> None:
        parts = MEASURES[name].parts
        if parts is None:
            return
        for key, record in rows.items():
            below = self.whole(name, query, by, years, key) if parts.of_whole else record[parts.below]
            above = record[parts.above] or 0
            record[name] = (100 if parts.op == "%" else 1) * above / below if below else None

    def whole(self, name: str, query: Query, by: list[str], years: list[int], key: Key) -> float:
        """The whole of which a row is a share: the same line without the person, of the teams that he was with."""
        parts = MEASURES[name].parts
        source = MEASURES[parts.above].source
        who = {
            "bat": {"batter", "player", "position", "hand", "origin", "batter_origin", "keeper", "all_rounder",
                    "partner", "first_balls", "last_balls", "from_score", "score", "pair"},
            "bowl": {"bowler", "player", "bowling", "kind", "origin", "bowler_origin", "keeper", "all_rounder", "haul"},
            "field": {"fielder", "player", "keeper", "origin", "all_rounder"},
            "stand": {"batter", "player", "partner", "pair", "wicket", "stand"},
        }.get(source, set(PEOPLE))  # fmt: skip
        if parts.below == "all":
            who = who | {"team", "home", "toss", "result", "total"}
        persons = who & {*PEOPLE, "team", "pair"}
        split = persons & {*by, *(f.key for f in query.filters if f.op == "=")}
        shared = [d for d in by if d not in who and split]
        filters = tuple(f for f in query.filters if f.key not in who or f.op != "=")
        rest = replace(query, filters=filters, each=())
        other = {"runs": "total", "wickets": "wickets_taken"}.get(parts.above, parts.above)
        fixed = {d: v for d, v in zip(by, key, strict=True) if d in shared}
        total = 0
        if parts.below == "all":
            found = self.figures(other, MEASURES[other].source, rest, shared, years, whose=query)
            return found.get(tuple(fixed.values()), 0) or 0
        own = self.figures(parts.above, source, query, [*by, "season", "team"], years)
        for found_key in own:
            if found_key[: len(by)] == key:
                place = (*fixed.values(), *found_key[len(by) :])
                sides = [*shared, "season", "team"]
                found = self.figures(other, MEASURES[other].source, rest, sides, years, whose=query)
                total += found.get(place, 0) or 0
        return total

    # -- what is left unsaid

    def seasons(self, query: Query) -> list[int]:
        named = [f for f in query.filters if f.key == "season"]
        found = set(self.years)
        for f in named:
            meant = set()
            for value in f.values:
                low, dash, high = ("0", "-", "9999") if value == "all" else value.partition("-")
                top = int(high) if high else 9999 if dash else int(low)
                meant |= {y for y in self.years if int(low) <= y <= top}
            found = found - meant if f.op == "!=" else found & meant
        if named or "season" in query.by:
            return sorted(found)
        days = [int(v[:4]) for f in query.filters if f.key in ("date", "after", "before", "from", "to") and f.op == "="
                for v in f.values]  # fmt: skip
        dated = [y for y in self.years if days and min(days) <= y <= max(days)]
        return dated or self.years[-1:]

    def completed(self, query: Query, years: list[int]) -> tuple[list[str], list[str]]:
        by, asked = list(dict.fromkeys(query.by)), list(dict.fromkeys(query.measures))
        if any(MEASURES[h.measure].source == "batter_over" for h in query.each):
            asked = ["overs_batted" if m == "overs" else m for m in asked]
        sources = {MEASURES[m].source for m in asked}
        kinds = {MEASURES[m].kind for m in asked}
        if query.place is not None and not by:
            by.append(SUBJECT.get(MEASURES[asked[0]].source, "team"))
        for f in query.filters:
            person = f.key in PEOPLE
            if (person or f.key in ("team", "season")) and f.op == "=" and len(f.values) > 1 and f.key not in by:
                if not (person and ("stand" in sources or "match" in by or "pair" in by)):
                    by.append(f.key)
        if "partnership" in asked and not by:
            by = ["pair"]
        if sources & {"person", "lineup"} and not set(by) & set(PEOPLE):
            by.append("player")
        if "run" in sources and not by and not any(f.key in PEOPLE for f in query.filters):
            by = [self.run_role(query, asked)]
        over = next(
            (m for m in asked if MEASURES[m].source in ("over", "batter_over") and MEASURES[m].kind == "best"), None
        )
        if over and not by:
            by = [SUBJECT[MEASURES[over].source], "match", "innings", "over"]
        in_time = query.rank is not None and query.rank.kind in ("first", "last")
        one_each = query.reach is not None or "streak" in kinds or "season" in by
        if "match" not in by and (sources & {"match", "lineup"} or (in_time and not one_each)):
            by.append("match")
        if "table" in sources:
            by += [d for d in ["team"] + ["season"] * (len(years) > 1) if d not in by]
        if query.reach is not None and not by:
            named = any(f.op == "=" and f.key in (*PEOPLE, "team") for f in query.filters)
            by = [] if named else [SUBJECT.get(MEASURES[asked[0]].source, "team")]
        return by, asked

    def run_role(self, query: Query, asked: list[str]) -> str:
        runs = {m for m in asked if MEASURES[m].source == "run"}
        if "wicket_streak" in runs:
            return "bowler"
        if "batter" in query.by or any(f.key == "batter" for f in query.filters):
            return "batter"
        return "bowler" if runs == {"dot_streak"} else "batter"

    def qualification(
        self, query: Query, by: list[str], asked: list[str], years: list[int]
    ) -> tuple[str, str, float] | None:
        first = MEASURES[asked[0]]
        subject = SUBJECT.get(first.source)
        ranked = query.rank or query.place is not None
        if not (ranked and first.least and set(by) & {subject, "player"}) or query.having:
            return None
        equal = [f for f in query.filters if f.op == "="]
        if any(f.key in PEOPLE and f.key in by for f in equal) or any(
            f.key in ("date", "match") for f in query.filters
        ):
            return None
        if any(f.key == "stage" and len(f.values) == 1 and f.values[0] not in ("league", "playoffs")
               for f in equal):  # fmt: skip
            return None
        name, season_long, narrowed = first.least
        if "match" in by:
            single = len(by) == 2 and not any(f.key == "score" for f in query.filters)
            enough = {"balls": 10, "balls_bowled": 12}.get(name) if single else None
            return (name, ">=", enough) if enough else None
        seasons = 1 if "season" in by else min(len(years), 5)
        narrows = [f for f in equal if f.key != "season"] or (query.rank and query.rank.per not in ("", "season"))
        return (name, ">=", seasons * (narrowed if narrows else season_long))

    # -- figures by dimension

    def figures(
        self, name: str, source: str, query: Query, by: list[str], years: list[int], whose: Query | None = None
    ) -> dict[Key, Any]:
        if source == "table":
            return self.table_figures(name, query, by, years)
        groups = defaultdict(list)
        for row in self.rows(source, query, by, years, whose=whose):
            key = tuple(row.get(self.column(source, d)) for d in by)
            if None not in key:
                groups[key].append(row)
        if not by and not groups:
            thresholds = any(f.key in ("score", "haul", "dismissal") for f in query.filters) or query.each
            return {(): FIGURES[name]([])} if source not in ("bat", "bowl") or thresholds else {}
        if source == "match":
            return {key: self.fact(name, key[by.index("match")]) for key in groups}
        if source == "person":
            place = next(i for i, d in enumerate(by) if d in PEOPLE)
            rows = [row for group in groups.values() for row in group]
            return {key: self.person(name, key[place], rows) for key in groups}
        return {key: FIGURES[name](rows) for key, rows in groups.items()}

    def column(self, source: str, dimension: str) -> str:
        if dimension == "player" and source in SUBJECT:
            return SUBJECT[source]
        if source in ("result", "match", "no_result", "person", "lineup") and dimension in PEOPLE:
            return "player"
        return "player" if source == "award" and dimension == "batter" else dimension

    def rows(
        self,
        source: str,
        query: Query,
        by: list[str],
        years: list[int],
        each: bool = True,
        whose: Query | None = None,
    ) -> list[Row]:
        """Innings rows that pass: cards, or sums of the balls that pass where a card cannot tell."""
        if source == "run":
            return self.balls_in_a_row(query, by, years)
        store = STORE.get(source, source)
        dims = [self.column(source, d) for d in by]
        of_people = store == "result" and ("player" in dims or source in ("person", "lineup"))
        rows = self.cards[store]
        if of_people:
            rows = [r | {"player": p, "substitute": came_in} for r in rows
                    for p, came_in in self.appeared[r["match"], r["team"]].items()]  # fmt: skip
        if store == "result":
            washed_out = any(f.key == "result" and "no_result" in f.values for f in query.filters)
            if source == "no_result":
                rows = [r for r in rows if r["result"] == "no_result"]
            elif not washed_out:
                rows = [r for r in rows if r["played"]]
        thresholds = [f for f in query.filters if f.key in ("score", "haul", "stand")]
        others = [f for f in query.filters if f not in thresholds and f.key not in SEQUENCES and f.key != "season"]
        chosen = [self.sequence(source, f, whose or query, by, years) for f in query.filters if f.key in SEQUENCES]

        def passes(row: Row) -> bool:
            return (
                row["season"] in years
                and all(self.passes(source, f, row, query, dims) for f in others)
                and all(test(row) for test in chosen)
            )

        looks_at = {c for f in others for c in self.columns_of(source, f, dims)} | set(dims)
        whole = source not in ("over", "batter_over") and (
            store not in SUMS or looks_at <= set(self.cards[store][0])
        )  # fmt: skip
        if whole:
            rows = [r for r in rows if passes(r)]
        else:
            over = ["over"] if source in ("over", "batter_over") else []
            facts = ["result", "shortened", "order", "season"]
            subject = SUBJECT.get(source)
            whose_rows = [subject] if subject else []
            keep = list(dict.fromkeys(["match", "team", "innings", *facts, *whose_rows, *over, *dims]))
            groups = defaultdict(list)
            for e in self.balls[store]:
                if passes(e):
                    groups[tuple(e.get(k) for k in keep)].append(e)
            rows = [dict(zip(keep, key, strict=True)) | sums(events, SUMS[store]) for key, events in groups.items()]
        column = {"score": "runs", "haul": "wickets", "stand": "runs"}
        rows = [r for r in rows if all(holds(r[column[f.key]], f.op, float(f.values[0])) for f in thresholds)]
        for h in query.each if each else ():
            test = self.each_test(source, h, query, dims)
            rows = [r for r in rows if test(r)]
        return rows

    def balls_in_a_row(self, query: Query, by: list[str], years: list[int]) -> list[Row]:
        """Unbroken rows of two and more dots, sixes ... among the balls that pass, of the same dimension values."""
        role = self.run_role(query, list(query.measures))
        source = "bat" if role == "batter" else "bowl"
        dims = [role if d == "player" else self.column(source, d) for d in by]
        chosen = [self.sequence(source, f, query, by, years) for f in query.filters if f.key in SEQUENCES]
        others = [f for f in query.filters if f.key not in SEQUENCES and f.key != "season"]
        groups = defaultdict(list)
        for e in self.balls[source]:
            good = e["season"] in years and not e.get("outs") and all(test(e) for test in chosen)
            if good and all(self.passes(source, f, e, query, dims) for f in others):
                groups[e["match"], e["innings"], e["team"], *(e[d] for d in [role, *dims])].append(e)
        rows = []
        asked = {*query.measures, *(h.measure for h in query.having)}
        for kind, (counts, test) in _IN_A_ROW[role].items():
            if f"{kind}_streak" not in asked:
                continue
            for key, events in groups.items():
                length = 0
                for e in [*sorted(filter(counts, events), key=lambda e: e["seq"]), None]:
                    if e is not None and test(e):
                        length += 1
                        continue
                    if length > 1:
                        row = dict(zip(["match", "innings", "team", "player", *dims], key, strict=True))
                        rows.append(row | {"kind_of_row": kind, "length": length, "season": events[0]["season"]})
                    length = 0
        for h in query.each:
            test = self.each_test("run", h, query, dims)
            rows = [r for r in rows if test(r)]
        return rows

    # -- conditions on single innings and matches

    def each_test(self, source: str, h: Having, query: Query, dims: list[str]) -> Any:
        """Whether a row satisfies a condition: on itself, or on what the same player or side did in that match."""
        measure = MEASURES[h.measure]
        on_rows = ("bat", "bowl", "team", "concede", "stand", "over", "batter_over", "result")
        if measure.source == source and source in on_rows:
            return lambda row: holds(FIGURES[h.measure]([row]), h.op, h.value)
        of_person = measure.source in ("bat", "bowl", "field", "award")
        person = ("player" if "player" in dims else None) if source in ("result", "match", "no_result") else None
        if source in SUBJECT and source not in ("match",):
            person = SUBJECT[source]
        named = {k for f in query.filters if f.op == "=" and f.key in PEOPLE for k in f.values}
        found = defaultdict(list)
        for row in self.cards[measure.source]:
            if of_person and not person and row[SUBJECT[measure.source]] not in named:
                continue
            who = row[SUBJECT[measure.source]] if of_person and person else row["team"]
            found[row["match"], who].append(row)

        def test(row: Row) -> bool:
            who = row[person] if of_person and person else row["team"]
            if who is None:
                return False
            rows = found.get((row["match"], who))
            if rows is None:
                counts = measure.kind == "count" and measure.source not in ("bat", "bowl", "team", "concede")
                return counts and holds(0, h.op, h.value)
            return holds(FIGURES[h.measure](rows), h.op, h.value)

        return test

    # -- the subject's own matches and innings

    def sequence(self, source: str, f: Filter, query: Query, by: list[str], years: list[int]) -> Any:
        """Whether a row is among the matches or innings that the filter picks."""
        subject = SUBJECT.get(source)
        of_results = source in ("result", "match", "no_result")
        own = "player" if of_results and "player" in [self.column(source, d) for d in by] else subject
        keys = {"player", subject} if subject in ("batter", "bowler", "fielder") else set(PEOPLE)
        named = [k for g in query.filters if g.op == "=" and g.key in keys for k in g.values]
        of_team = any(g.key == "team" for g in query.filters) and next(
            g for g in query.filters if g.key == "team"
        ).op == "="  # fmt: skip
        personal = bool(named) or (own is not None and not of_team)
        innings = f.key.endswith("innings")
        if innings:
            store = {"bat": "bat", "batter_over": "bat", "bowl": "bowl", "over": "bowl", "team": "team"}.get(
                source, "concede"
            )
            store = store if personal else {"bat": "team", "bowl": "concede"}.get(store, store)
            rows = [r | {"player": r.get(str(subject))} for r in self.cards[store]]
        elif personal:
            rows = [r | {"player": p} for r in self.cards["result"] for p in self.appeared[r["match"], r["team"]]]
        else:
            rows = self.cards["result"]
        if not innings:
            rows = [r for r in rows if r["played"]]
        fielding = source in ("bowl", "over", "concede", "field")
        duel = source in ("bat", "bowl") and any(g.key == {"bat": "bowler", "bowl": "batter"}[source]
                                                 for g in query.filters)  # fmt: skip
        groups = defaultdict(list)
        for row in rows:
            if row["season"] not in years or (named and row["player"] not in named):
                continue
            good = True
            for g in query.filters:
                if g.key == "innings":
                    number = row["bowl_innings"] if fielding and not innings else row["innings"]
                    good &= number is not None and str(number) in g.values
                elif g.key in OF_MATCH:
                    good &= self.of_match(g, row, duel)
            if good:
                groups[row["player"] if personal else row["team"]].append(row)
        picked = set()
        for who, own_rows in groups.items():
            own_rows.sort(key=lambda r: (r["order"], r["innings"] or 0))
            if f.key.startswith("last"):
                own_rows = own_rows[-int(f.values[0]) :]
            else:
                own_rows = [r for n, r in enumerate(own_rows, 1) if any(low <= n <= high for low, high in spans(f))]
            for r in own_rows:
                whose = who if personal and own else r["team"]
                picked.add((r["match"], r["innings"] if innings else None, whose))

        def test(row: Row) -> bool:
            whose = row.get(own) if personal and own else row["team"]
            return (row["match"], row["innings"] if innings else None, whose) in picked

        return test

    # -- filters

    def columns_of(self, source: str, f: Filter, dims: list[str]) -> list[str]:
        """The columns that a row must have for the filter to look at it."""
        if f.key in PEOPLE:
            if source in ("result", "stand", "match", "no_result") or (
                source in ("team", "concede") and f.key == "player"
            ):
                return []
            return [self.column(source, f.key)]
        if f.key == "keeper":
            return ["keeper"] if source == "field" else []
        if f.key in ("with", "without", "origin", "all_rounder"):
            return []
        return [{"overs": "over", "last": "from_end", "match": "number", "between": "opponent", "ball": "legal_no",
                 "first_balls": "faced_no", "last_balls": "left_over", "from_score": "made", "extra": "wides",
                 "batter_origin": "batter", "bowler_origin": "bowler", "after": "date", "before": "date",
                 "from": "date", "to": "date"}.get(f.key, f.key)]  # fmt: skip

    def of_match(self, f: Filter, row: Row, duel: bool) -> bool:
        """Filters on the match, which every row can answer."""
        found = self._of_match(f, row, duel)
        return found if f.op != "!=" else (not found and row[{"match": "number"}.get(f.key, f.key)] is not None)

    def _of_match(self, f: Filter, row: Row, duel: bool) -> bool:
        if f.key in ("with", "without"):
            there = {p for team in (row["team"], row["opponent"]) for p in self.appeared[row["match"], team]}
            return bool(there & set(f.values)) == (f.key == "with")
        if f.key in ("team", "opponent") and f.op == "=" and duel:
            return row["team"] in f.values or row["opponent"] in f.values
        if f.key == "between":
            return row["team"] in f.values and row["opponent"] in f.values
        if f.key in ("after", "before", "from", "to"):
            return all({"after": row["date"] > v, "before": row["date"] < v, "from": row["date"] >= v,
                        "to": row["date"] <= v}[f.key] for v in f.values)  # fmt: skip
        if f.key == "match":
            return any(low <= row["number"] <= high for low, high in spans(f))
        if f.key in ("margin", "total", "target"):
            return row[f.key] is not None and holds(row[f.key], f.op, float(f.values[0]))
        if f.key == "stage":
            return any(row["stage"] == v or (v == "playoffs" and row["stage"] != "league") for v in f.values)
        if f.key == "weekday":
            weekend = row["weekday"] in ("saturday", "sunday")
            return any({"weekend": weekend, "weekday": not weekend}.get(v, row["weekday"] == v) for v in f.values)
        return row[f.key] is not None and str(row[f.key]) in f.values

    def passes(self, source: str, f: Filter, row: Row, query: Query, dims: list[str]) -> bool:
        if f.key in PEOPLE:
            return self.of_person(source, f, row, dims)
        if f.key in OF_MATCH:
            duel = any(g.key == {"bat": "bowler", "bowl": "batter"}.get(source) for g in query.filters)
            return self.of_match(f, row, duel)
        if f.key == "partner":
            return bool(set(row["pair"]) & set(f.values)) if source == "stand" else row["partner"] in f.values
        if f.key in ("overs", "position", "wicket", "ball"):
            value = row[{"overs": "over", "ball": "legal_no"}.get(f.key, f.key)]
            return value is not None and any(low <= value <= high for low, high in spans(f))
        if f.key == "last":
            return row["from_end"] <= float(f.values[0])
        if f.key == "first_balls":
            return row["faced_no"] <= int(f.values[0])
        if f.key == "last_balls":
            return row["left_over"] < int(f.values[0])
        if f.key == "from_score":
            return row["made"] >= int(f.values[0])
        if f.key == "extra":
            return any(row[{"wide": "wides", "noball": "noballs", "bye": "byes", "legbye": "legbyes"}[v]] > 0
                       for v in f.values)  # fmt: skip
        if f.key in ("last_ball", "free_hit"):
            return ("yes" if row[f.key] else "no") in f.values
        if f.key == "bowling":
            return any(is_bowling(row, v) for v in f.values)
        if f.key in ("origin", "batter_origin", "bowler_origin"):
            who = row[{"batter_origin": "batter", "bowler_origin": "bowler"}.get(f.key, SUBJECT.get(source, "player"))]
            country = who and self.players[who]["country"]
            return country is not None and ("indian" if country == "India" else "overseas") in f.values
        if f.key == "all_rounder":
            who = row[SUBJECT.get(source, "player")]
            found = (row["season"], who) in self.all_rounders
            return who is not None and ("yes" if found else "no") in f.values
        if f.key == "keeper" and source != "field":
            return ("yes" if self.players[row[SUBJECT.get(source, "player")]]["keeper"] else "no") in f.values
        found = row[f.key] is not None and str(row[f.key]) in f.values
        return (not found and row[f.key] is not None) if f.op == "!=" else found

    def of_person(self, source: str, f: Filter, row: Row, dims: list[str]) -> bool:
        if source == "stand":
            found = bool(set(row["pair"]) & set(f.values))
        elif (
            source in ("result", "match", "no_result")
            and "player" not in dims
            or (source in ("team", "concede") and f.key == "player")
        ):
            found = bool(set(self.appeared[row["match"], row["team"]]) & set(f.values))
        else:
            value = row.get(self.column(source, f.key))
            if value is None:
                return f.op == "!="  # a run-out is no bowler's: not his either
            found = value in f.values
        return found if f.op == "=" else not found

    # -- facts, and the league table

    def fact(self, name: str, match_id: int) -> Any:
        m = self.matches[match_id]
        if name == "winner":
            return m["winner"] or "no winner"
        if name == "player_of_match":
            star = m["player_of_match"]
            return star and self.players[star]["display"]
        if name in ("date", "venue", "city"):
            return m[name]
        if name == "toss":
            return m["toss_winner"] and f"{m['toss_winner']}, who chose to {m['toss_decision']}"
        if name == "super_over":
            return "yes" if m["super_over"] else "no"
        if name in ("tv_umpire", "referee"):
            return m.get(name)
        if name == "umpires":
            return " and ".join(u for u in (m.get("umpire1"), m.get("umpire2")) if u) or None
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

    def person(self, name: str, player: str, rows: list[Row]) -> Any:
        if name == "sides":
            own = sorted((r for r in rows if r["player"] == player), key=lambda r: r["order"])
            return ", ".join(dict.fromkeys(r["team"] for r in own))
        value = self.players[player][name]
        return f"{value}-handed" if name == "batting_hand" and value else value

    def table_figures(self, name: str, query: Query, by: list[str], years: list[int]) -> dict[Key, Any]:
        table = self.league_table()
        for f in query.filters:
            if f.key in ("team", "between"):
                table = {key: row for key, row in table.items() if (key[1] in f.values) == (f.op == "=")}
        return {tuple({"team": team, "season": year}[d] for d in by): row[name]
                for (year, team), row in table.items() if year in years}  # fmt: skip

    def league_table(self) -> dict[tuple[int, str], dict[str, Any]]:
        """Points, then wins, then net run rate; rules as in data/season/standings.py, whose tests cite published
        tables."""
        points, wins, rates = Counter(), Counter(), defaultdict(lambda: [0, 0, 0, 0])
        for m in self.matches.values():
            if m["stage"] != "league":
                continue
            innings = {i["innings"]: i for i in self.innings if i["match_id"] == m["match_id"]}
            for team in (m["team1"], m["team2"]):
                key = (year_of(m), team)
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

    # -- order

    def ranked(self, query: Query, by: list[str], asked: list[str], rows: dict) -> dict | list:
        """The rows in order; equal rows (which may stand in any order) are told apart by the comparison in the test."""
        rank, first = query.rank, asked[0]
        if rank and rank.per:
            at, alone = by.index(rank.per), replace(query, rank=replace(rank, per=""))
            groups = {key[at]: {k: r for k, r in rows.items() if k[at] == key[at]} for key in rows}
            ranked = [self.ranked(alone, by, asked, group) for group in groups.values()]
            found = [kr for one in ranked for kr in one["items"][: one["n"]]]
            return {"items": found, "n": None, "unordered": True}
        items = list(rows.items())
        facts = MEASURES[first].kind == "fact"
        if (facts and "match" in by) or (rank and rank.kind in ("first", "last")):
            items.sort(key=lambda kr: self.time(kr[0], by, first), reverse=bool(rank and rank.kind == "last"))
            if rank and rank.nth:
                return {"items": items[rank.n - 1 :], "n": 1, "before": items[: rank.n - 1], "by_match": True}
            return {"items": items, "n": rank.n if rank else None, "by_match": True}
        ordered = set(by) & {"over", "phase", "position", "innings", "wicket", "match", "season", "month", "weekday"}
        if rank is None and (not by or ordered or facts):
            return {"items": items, "n": None, "unordered": True}
        items = [(k, r) for k, r in items if r[first] is not None]
        top = rank is None or rank.kind == "top"
        if rank and top and MEASURES[first].kind == "count":
            items = [(k, r) for k, r in items if r[first]]
        places = self.places(query, by) if first == "points" else {}

        def value(kr):
            return -places[kr[0]] if first == "points" else kr[1][first]

        items.sort(key=lambda kr: [better_last(n, kr[1][n]) for n in asked[1:]], reverse=True)
        items.sort(key=value, reverse=top)
        if rank and rank.nth:
            wanted = [value(kr) for kr in items[rank.n - 1 : rank.n]]
            return {"items": [kr for kr in items if value(kr) in wanted], "n": None}
        if rank is None or len(items) <= rank.n:
            return {"items": items, "n": None}
        last = value(items[rank.n - 1])
        return {"items": items[: rank.n] + [kr for kr in items[rank.n :] if value(kr) == last], "n": None}

    def time(self, key: Key, by: list[str], first: str) -> tuple[int, ...]:
        if "match" not in by:
            return (key[by.index("season")],)
        overs = MEASURES[first].source in ("over", "batter_over")
        return (self.order[key[by.index("match")]],
                *(key[by.index(d)] for d in ("innings", "over") if overs and d in by))  # fmt: skip

    def places(self, query: Query, by: list[str]) -> dict[Key, int]:
        return self.table_figures("position", query, by, self.seasons(query))

    def placed(self, query: Query, by: list[str], asked: list[str], rows: dict) -> dict:
        """The row of the name that is asked for, with its place, of how many, and how many share it."""
        first = asked[0]
        rows = {k: r for k, r in rows.items() if r[first] is not None}
        subject = next(d for d in by if d in (*PEOPLE, "team", "opponent", "venue"))
        items = []
        for key, record in rows.items():
            if key[by.index(subject)] == query.place:
                own = better_last(first, record[first])
                ahead = sum(better_last(first, r[first]) > own for r in rows.values())
                shared = sum(r[first] == record[first] for r in rows.values()) - 1
                items.append((key, record | {"place": ahead + 1, "of": len(rows), "shared": shared}))
        return {"items": items, "n": None, "unordered": True}


# which balls count in a row, and which go on with it
_IN_A_ROW = {
    "batter": {
        "dot": (lambda e: e["balls"], lambda e: not e["runs"]), "four": (lambda e: e["balls"], lambda e: e["fours"]),
        "six": (lambda e: e["balls"], lambda e: e["sixes"]),
        "boundary": (lambda e: e["balls"], lambda e: e["fours"] or e["sixes"]),
    },
    "bowler": {"dot": (lambda e: True, lambda e: e["dots"]),
               "wicket": (lambda e: e["balls"] or e["wickets"], lambda e: e["wickets"])},
}  # fmt: skip


def spans(f: Filter) -> list[tuple[int, int]]:
    """The ranges of a filter: 7, 16-20, 8-."""
    found = []
    for value in f.values:
        low, dash, high = value.partition("-")
        found.append((int(low), int(high) if high else 9999 if dash else int(low)))
    return found


def better_last(name: str, value: Any) -> Any:
    """Sort key that puts the better figure last; facts and undefined figures do not decide."""
    if value is None or MEASURES[name].kind == "fact":
        return (float("-inf"),)
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
