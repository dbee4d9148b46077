"""The query line as text, its grammar, the edges of the engine: errors name a remedy, and nothing else escapes."""

from __future__ import annotations

import random
import re
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.__main__ import main
from data.errors import DataError
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, read_pairs
from data.query import Query, QueryError, Statistics, parse
from data.query.documentation import text as documentation
from data.query.engine import KEPT
from data.query.grammar import gbnf
from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, OPERATORS, RANKS
from data.query.line import Having
from data.query.random_lines import random_query
from data.season import load
from serve.engine.grammar.automaton import Grammar

PLACEHOLDERS = [f"{kind}{n}" for kind in "PTVDY" for n in range(1, 5)]
LINES = sorted({line for name in PAIR_FILES if (PHRASES / name).exists() for _, line in read_pairs(PHRASES / name)})


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    return Statistics(load("ipl_2024"))


def answer(statistics: Statistics, line: str):
    return [statistics.answer(query) for query in parse(line).queries]


# -- text <-> query


CANONICAL = [
    "runs by batter | top 3",
    "runs, balls, innings by batter, match | team=T1 opponent=T2 overs=16-20 | having runs>=30 balls>5 | bottom 10",
    'economy | bowler="Varun Chakravarthy","a, b | c ; d"',
    "strike_rate | batter!=P1 position=1-2,7",
    "wins by team | margin>=10 | first 5 ; losses | team=T1",
    "wickets by season, bowler | phase=death | top nth 2 per season",
    "sixes by batter | bowling=pace,left_arm | having boundary_percent>=12.5 | last 1",
    *(f"decline {reason}" for reason in DECLINES),
]


@pytest.mark.parametrize("line", CANONICAL)
def test_a_line_reads_back_as_it_was_written(line):
    assert str(parse(line)) == line
    assert parse(str(parse(line))) == parse(line)


def test_random_lines_read_back_as_they_were_written(statistics):
    rng = random.Random(3)
    for _ in range(500):
        query = random_query(rng, statistics)
        assert parse(str(query)).queries == (query,)


@pytest.mark.parametrize("value", [0, 7, 12.5, 99.75, 1234, 9999, 0.0001])
def test_the_number_of_a_condition_reads_back(value):
    assert parse(f"runs by batter | {'having ' + str(Having('runs', '>=', value))}").queries[0].having[0].value == value


def test_blanks_around_marks_do_not_matter():
    loose = parse("runs ,balls  by  batter|phase=death   overs=20|having   runs>=3|top   2;wins")
    assert str(loose) == "runs, balls by batter | phase=death overs=20 | having runs>=3 | top 2 ; wins"


BAD_LINES = [
    ("runs ; balls ; fours ; sixes ; dots", "at most 4"),
    ("dots by batter, bowler, match, over", "at most 8 measures by 3 dimensions"),
    ("runs, balls, fours, sixes, dots, average, strike_rate, fifties, hundreds", "at most 8 measures"),
    ("", "write something like"),
    ("rans by batter", "did you mean runs"),
    ("xyzzy", "python -m data language"),
    ("runs by bater", "did you mean batter"),
    ("runs | phse=death", "did you mean phase"),
    ("runs | phase=slog", "powerplay, middle, death"),
    ("runs | phase>=death", "takes '=' only"),
    ("runs | innings!=1", "takes no '!='"),
    ("runs | death", "write key=value"),
    ("runs | phase=death and more", "write key=value"),
    ("runs | overs=last", "such as overs=16-20"),
    ("runs | score>=many", "takes a number"),
    ("matches | between=CSK", "between=CSK,MI"),
    ("runs by batter | top", "such as `top 3`"),
    ("runs by batter | top 0", "from 1"),
    ("runs by batter | top \u00b2", "such as `top 3`"),
    ("runs by batter | top 3 | bottom 2", "leave out one of them"),
    ("runs by batter | having", "having balls>=100"),
    ("runs by batter | having runs=many", "having balls>=100"),
    ("runs by batter | having rums>=3", "did you mean runs"),
    ('runs | batter="Travis Head', "not closed"),
    ('runs | batter=""', "batter=Bumrah"),
    ("runs batter", "did you mean `runs by batter`?"),
    ("runs by batter top 3", "write `|` before what follows: `by batter | top 3`"),
    ("runs phase=death", "write `|` before what follows the figures: `runs | phase=death`"),
    ("most runs by batter", "`runs by batter | top 1`"),
    ("lowest economy", "`economy by batter | bottom 1`"),
    ("how many runs did kohli score", "questions in plain English are for `cricket ask`"),
    ("runs by batsman", "did you mean batter?"),
    ("centuries by batter", "did you mean hundreds?"),
    ("runs | stadium=Chepauk", "did you mean venue?"),
    ("runs by batter | phase = death", "without spaces: phase=death"),
    ("runs by batter | death", "did you mean phase=death?"),
    ("runs by batter | season=all top 3", "`|` before top: `| top 3`"),
    ("runs by batter | limit 3", "did you mean `top ...`?"),
    ("runs by batter | quickly", "other clauses begin with each, having, reach"),
    ("runs by batter | having balls > 100", "without spaces: `having balls>100`"),
    ("runs by batter | having balls>100 and innings>3", "conditions stand side by side"),
    ("runs | batter=", "such as batter=Bumrah"),
    ("runs | opponent=MI,", "no comma after the last value"),
    ("runs%teem by batter", "did you mean team"),
    ("runs ; ; wickets", "one of the queries is empty"),
    ("decline because", "prediction"),
    ("decline", "prediction"),
    ("runs ; ", "python -m data language"),
    ("runs | " + "phase=death " * 500, "at most"),
]


@pytest.mark.parametrize(("line", "remedy"), BAD_LINES, ids=[line[:40] for line, _ in BAD_LINES])
def test_an_error_of_the_parser_says_what_to_write(line, remedy):
    with pytest.raises(QueryError) as caught:
        parse(line)
    assert remedy in str(caught.value)
    assert isinstance(caught.value, DataError)


BEYOND = [
    ("ducks by batter | phase=death", "ducks is a matter of whole innings: leave out phase=death"),
    ("hat_tricks by bowler, over", "leave out over"),
    ("maidens by bowler | hand=left", "maidens are whole overs"),
    ("runs | dismissal=caught", "ask for dismissals"),
    ("runs by dismissal", "ask for dismissals"),
    ("wickets by bowler | score>=50", "a batter's figures only"),
    ("catches by fielder | position=3", "catches cannot be filtered by position"),
    ("wins by phase", "wins cannot be split by phase"),
    ("wins | keeper=yes", "cannot be filtered by keeper"),
    ("partnership_runs by pair | having wickets>=3", "wickets cannot be split by pair"),
    ("stands | bowler=P1", "stands cannot be filtered by bowler"),
    ("scores | having winner>=3", "no number"),
    ("points by venue", "leave out by venue"),
    ("points by team | venue=V1", "cannot be filtered by venue"),
    ("runs | overs=20-16", "write overs=16-20"),
    ("runs | last>=3", "such as last=3"),
    ("runs | date=yesterday", "2024-04-24"),
    ("runs by batter | score>=20,30", "takes one number"),
]


@pytest.mark.parametrize(("line", "reason"), BEYOND, ids=[line for line, _ in BEYOND])
def test_what_cannot_be_computed_is_an_error_with_its_reason(line, reason, statistics):
    with pytest.raises(QueryError) as caught:
        answer(statistics, line)
    assert reason in str(caught.value)


@given(st.text(max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_plan_or_a_query_error(text):
    try:
        assert parse(str(parse(text))) == parse(text)
    except QueryError:
        pass


WORDS = [*MEASURES, *DIMENSIONS, *FILTERS, *RANKS, *OPERATORS, *DECLINES, "by", "having", "|", ";", ",", " ", '"', "P1",
         "T1", "7", "16-20", "death", "pace", "won", "=", "decline", "2024-04-24"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]))
@settings(max_examples=300, deadline=None)
def test_any_jumble_of_the_languages_words_is_a_table_or_a_query_error(statistics, words, between):
    try:
        answer(statistics, between.join(words))
    except QueryError as error:
        assert len(str(error)) > 15


# -- the grammar


class Walk:
    """Random texts that a grammar admits, by walking its automaton."""

    def __init__(self, grammar: str):
        self.start = Grammar(grammar).start

    def line(self, rng: random.Random, limit: int = 160) -> str | None:
        state, text = self.start, bytearray()
        while len(text) < limit:
            following = [b for b in range(32, 127) if state.mask >> b & 1]
            if state.accepting and (not following or rng.random() < 0.08):
                return text.decode()
            text.append(rng.choice(following))
            state = state.advance(bytes(text[-1:]))
        return None


def admits(grammar: Grammar, line: str) -> bool:
    state = grammar.start
    for byte in line.encode():
        state = state.advance(bytes([byte]))
        if state is None:
            return False
    return state.accepting


KEYS = {"P": ("462411b3", "ba607b88", "4a8a2e3b", "dbe50b21"), "V": ("Wankhede Stadium", "Eden Gardens"),
        "T": ("Mumbai Indians", "Chennai Super Kings", "Kolkata Knight Riders", "Punjab Kings"),
        "D": ("2024-04-14",), "Y": ("2024",)}  # fmt: skip


def test_what_another_bowler_did_includes_run_outs(statistics) -> None:
    """Shashank Singh was out eight times, once to Bumrah for a run, twice run out."""
    bumrah = next(key for key, name in statistics.displays.items() if name == "Jasprit Bumrah")
    shashank = next(key for key, name in statistics.displays.items() if name == "Shashank Singh")
    rows = [
        statistics.answer(parse(f"dismissals, runs | batter={shashank} {rest}").queries[0]).rows[0][:2]
        for rest in ("", f"bowler={bumrah}", f"bowler!={bumrah}")
    ]
    assert rows == [(8, 354), (1, 1), (7, 353)]


def test_a_line_asked_again_is_remembered_for_the_names_that_it_was_asked_for(statistics):
    query = parse("runs by batter | batter=P1").queries[0]

    def of(player: str):
        return statistics.answer(query, lambda key, value: (player,))

    kohli, dhoni = of("ba607b88"), of("4a8a2e3b")
    assert kohli.rows[0][:2] == ("Virat Kohli", 741) and dhoni.rows[0][:2] == ("MS Dhoni", 161)
    assert of("ba607b88") is kohli
    for n in range(KEPT):
        statistics.answer(parse(f"runs | match={n + 1}").queries[0])
    assert of("ba607b88") is not kohli, "the oldest are forgotten"


def resolve(key: str, value: str) -> tuple[str, ...]:
    return (KEYS[value[0]][int(value[1:]) % len(KEYS[value[0]])],) if re.fullmatch(r"[PTVDY]\d", value) else (value,)


def test_any_line_of_the_grammar_is_a_table_or_a_query_error(statistics):
    walk, rng, answered, lines = Walk(gbnf(PLACEHOLDERS)), random.Random(5), 0, 0
    while lines < 200:
        line = walk.line(rng)
        if line is None:
            continue
        lines += 1
        for query in parse(line).queries:
            try:
                table = statistics.answer(query, resolve)
                table.texts()
                if lines % 5 == 0:
                    statistics.trace(query, resolve)
                answered += 1
            except QueryError as error:
                assert len(str(error)) > 15, line
    assert answered > 50


def test_every_canonical_line_of_the_phrase_files_is_admitted_and_no_prefix_of_a_word():
    grammar = Grammar(gbnf(PLACEHOLDERS))
    assert len(LINES) > 500
    assert [line for line in LINES if not admits(grammar, str(parse(line).canonical()))] == []
    assert [line for line in LINES[:200] if admits(grammar, line + "x")] == []


def with_placeholders(query: Query) -> str:
    """The query's line with P1, T1, V1, D1 and Y1 for its names."""
    filters = []
    for f in query.filters:
        kind = FILTERS[f.key].takes
        values = ("T1", "T2") if f.key == "between" else tuple(f"{kind}1" for _ in f.values)
        if kind == "Y":
            values = tuple(re.sub(r"\d+", "Y1", v) for v in f.values)
        filters.append(replace(f, values=values) if kind in "PTVDY" else f)
    return str(replace(query, filters=tuple(filters), place=query.place and "P1"))


def test_random_lines_with_placeholders_are_admitted(statistics):
    grammar, rng = Grammar(gbnf(PLACEHOLDERS)), random.Random(8)
    refused = []
    for _ in range(600):
        query = random_query(rng, statistics)
        line = with_placeholders(query)
        two_valued = [f for f in query.filters if len(ENUMS.get(f.key, "123")) == 2 and len(f.values) == 2]
        if not two_valued and not admits(grammar, line):
            refused.append(line)
    assert refused == []


@pytest.mark.parametrize("placeholders", [[], ["P1"], ["T1"], ["T1", "T2", "V1", "D1", "P1"], PLACEHOLDERS])
def test_the_grammar_names_only_the_placeholders_of_the_question(placeholders):
    grammar = Grammar(gbnf(placeholders))
    assert admits(grammar, "runs by batter | top 3")
    assert admits(grammar, "runs | batter=P1") == ("P1" in placeholders)
    assert admits(grammar, "runs | batter=P9") is False
    assert admits(grammar, "wins | between=T1,T2") == ({"T1", "T2"} <= set(placeholders))


def test_llama_cpp_takes_the_grammar():
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    code = "import sys, llama_cpp as l; l.LlamaGrammar.from_string(sys.stdin.read(), verbose=False)"
    found = subprocess.run(
        [sys.executable, "-c", code], input=gbnf(PLACEHOLDERS), text=True, capture_output=True, timeout=120
    )
    assert found.returncode == 0, found.stderr[-500:]
    assert llama_cpp.LlamaGrammar is not None


# -- the engine's conventions


def cells(statistics: Statistics, line: str) -> list[list[str]]:
    return [row for table in answer(statistics, line) for row in table.texts()]


def test_matches_and_wins_by_player_count_everybody_who_played(statistics):
    """Tewatia played all of GT's 12 matches and GT won 5 of them (IPL 2024)."""
    rows = {row[0]: row[1:] for row in cells(statistics, 'matches, wins, losses by player | team="Gujarat Titans"')}
    assert rows["Rahul Tewatia"][:3] == ["12", "5", "7"]
    assert cells(statistics, "matches by player | top 1")[0][1] == "16"  # SRH played 16, the final among them


def test_a_pair_can_be_asked_for_by_matches_together(statistics):
    rows = cells(statistics, "partnership_runs by pair | having matches>=8 | top 3")
    assert rows and int(rows[0][1]) >= int(rows[-1][1])


def test_wides_are_deliveries_and_not_their_runs(statistics):
    query = "SELECT count(*) FILTER (wides > 0), sum(wides) FROM deliveries"
    balls, runs = statistics.season.connection.cursor().execute(query).fetchone()
    assert cells(statistics, "wides")[0][0] == str(balls) and runs > balls
    assert cells(statistics, "wides | phase=powerplay,middle,death")[0][0] == str(balls)


def test_run_outs_of_a_side_are_counted_once_though_two_men_share_them(statistics):
    query = "SELECT count(*) FROM dismissals WHERE kind = 'run out'"
    (run_outs,) = statistics.season.connection.cursor().execute(query).fetchone()
    assert cells(statistics, "dismissals | dismissal=run_out")[0][0] == str(run_outs)
    assert int(cells(statistics, "run_outs")[0][0]) <= run_outs
    table = answer(statistics, "run_outs by fielder")[0]
    assert sum(row[1] for row in table.rows) > run_outs and not table.totals


def test_a_run_out_is_no_bowlers_wicket_whoever_bowls(statistics):
    pace, spin, all_ = (
        int(cells(statistics, f"wickets_lost{f}")[0][0]) for f in (" | bowling=pace", " | bowling=spin", "")
    )
    credited = int(cells(statistics, "wickets")[0][0])
    assert pace + spin == credited < all_


def test_totals_are_given_only_where_rows_add_up(statistics):
    assert answer(statistics, "matches by venue")[0].totals == {"matches": 71}
    assert answer(statistics, "matches by team")[0].totals == {}  # a match has two sides
    assert answer(statistics, 'matches by opponent | team="Mumbai Indians"')[0].totals == {"matches": 14}
    assert answer(statistics, "innings by phase")[0].totals == {}
    assert answer(statistics, "fifties by phase")[0].totals == {}
    assert answer(statistics, "win_percent by team")[0].totals == {}
    assert answer(statistics, "sixes by team")[0].totals == {"sixes": int(cells(statistics, "sixes")[0][0])}


def test_ties_at_the_last_place_are_kept_and_said(statistics):
    table = answer(statistics, "hundreds by batter | top 1")[0]
    best = table.rows[0][1]
    everybody = answer(statistics, f"hundreds by batter | having hundreds={best}")[0]
    assert len(table.rows) == len(everybody.rows) and table.more_tied == (len(table.rows) > 1)


@pytest.mark.parametrize(("line", "one_group"), [
    ("runs by team, batter | top 1 per team", "runs by team, batter | team={} | top 1"),
    ("economy by phase, bowler | bottom 2 per phase", "economy by phase, bowler | phase={} | bottom 2"),
    ("wickets by bowler, match | match=1-9 | top 1 per match", "wickets by bowler, match | match={} | top 1"),
    ("sixes by opponent, batter | top nth 2 per opponent", "sixes by opponent, batter | opponent={} | top nth 2"),
    ("winner by team, match | last 1 per team", "winner by team, match | team={} | last 1"),
])  # fmt: skip
def test_a_rank_within_groups_is_that_of_each_group_alone(statistics, line, one_group):
    [table] = answer(statistics, line)
    group = parse(line).queries[0].rank.per
    at = [column.name for column in table.columns].index(group)
    names = list(dict.fromkeys(row[at] for row in table.rows))
    numbers = range(1, 10) if group == "match" else [f'"{name}"' for name in names]
    expected = [row for name in numbers for row in answer(statistics, one_group.format(name))[0].rows]
    assert list(table.rows) == expected and len(names) > 2


def test_a_rank_within_groups_splits_by_them(statistics):
    assert parse("runs by batter | top 1 per team") == parse("runs by team, batter | top 1 per team")
    assert answer(statistics, "wins | top 1 per season") == answer(
        statistics, "wins by season, team | top 1 per season"
    )


def test_equal_rows_stand_in_the_better_order_of_the_next_measure(statistics):
    rows = answer(statistics, "wickets, economy by bowler | having balls_bowled>=60")[0].rows
    pairs = [(a[2], b[2]) for a, b in zip(rows, rows[1:], strict=False) if a[1] == b[1]]
    assert pairs and all(first <= second for first, second in pairs)


def test_the_slowest_fifty_is_the_slowest_of_all_and_not_of_each_ones_fastest(statistics):
    slowest = statistics.answer(parse("balls_to_fifty by batter | top 1").queries[0])
    assert slowest.rows[0][0] == "Ruturaj Gaikwad" and slowest.rows[0][-1] == 45
    fastest = statistics.answer(parse("balls_to_fifty by batter | bottom 1").queries[0])
    assert fastest.rows[0][:2] == ("Jake Fraser-McGurk", 15)


def test_matches_stand_in_the_order_of_play(statistics):
    days = [row[1] for row in answer(statistics, "total by match")[0].rows]
    assert days == sorted(days) and len(days) == 71
    assert [row[1] for row in answer(statistics, "winner | last 3")[0].rows] == sorted(days)[:-4:-1]


def test_facts_can_be_split_by_what_a_match_has(statistics):
    rows = cells(statistics, "winner by stage | stage=final,qualifier_1")
    assert [row[0] for row in rows] == ["qualifier_1", "final"] and rows[-1][-1] == "Kolkata Knight Riders"


def test_a_substitutes_catch_is_his_sides_and_not_on_his_record(statistics):
    cursor = statistics.season.connection.cursor()
    query = "SELECT count(*) FILTER (substitute), count(*) FROM fielding WHERE kind = 'catch'"
    subs, catches = cursor.execute(query).fetchone()
    by_fielder = answer(statistics, "catches by fielder")[0]
    assert subs > 0 and sum(row[1] for row in by_fielder.rows) == catches - subs
    assert cells(statistics, "catches")[0][0] == str(catches)


# -- traces


def test_a_best_figure_is_traced_to_the_innings_it_was_made_in(statistics):
    query = parse("highest_score by batter | top 1").queries[0]
    traced = statistics.trace(query)
    assert len(traced.matches) == 1 and traced.matches[0].title == "Lucknow Super Giants v Chennai Super Kings" or \
        traced.matches[0].title == "Chennai Super Kings v Lucknow Super Giants"  # fmt: skip
    assert sum(d.runs for d in traced.deliveries) == 124 and {d.batter for d in traced.deliveries} == {"Marcus Stoinis"}


@pytest.mark.parametrize(
    ("line", "matches"),
    [("wins | team=\"Gujarat Titans\"", 5), ("matches | team=\"Gujarat Titans\"", 12), ("winner | stage=final", 1),
     ("points by team | team=\"Gujarat Titans\"", 14), ("margin_runs by team | top 1", 1),
     ("awards by player | top 1", 3)],
)  # fmt: skip
def test_figures_of_whole_matches_are_traced_to_matches(statistics, line, matches):
    traced = statistics.trace(parse(line).queries[0])
    assert len(traced.matches) >= matches and not traced.deliveries
    if "awards" not in line:
        assert len(traced.matches) == matches


def test_a_partnership_is_traced_to_its_balls(statistics):
    query = parse("partnership by pair | top 1").queries[0]
    table, traced = statistics.answer(query), statistics.trace(query)
    assert sum(d.runs + d.extras for d in traced.deliveries) == int(table.rows[0][1].rstrip("*"))
    assert len(traced.matches) == 1


# -- the command line


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_ask_prints_the_table_and_what_it_rests_on(capsys):
    code, out, _ = run(capsys, "ask", "sixes | batter=Dhoni overs=20", "--season", "ipl_2024", "--trace")
    assert code == 0
    assert "sixes" in out and "over 20 ball" in out and "to MS Dhoni, 6" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("ask", "runs by btter", "--season", "ipl_2024"), "did you mean batter"),
     (("ask", "runs", "--season", "ipl_1999"), "python -m data import"),
     (("ask", "runs | batter=Pandya", "--season", "ipl_2024"), "Hardik Pandya"),
     (("ask", "runs | batter=Stokes", "--season", "ipl_2024"), "Stokes"),
     (("ask", "ducks by over", "--season", "ipl_2024"), "whole innings"),
     (("import", "nothing_there.zip", "--name", "ipl_2030"), "nothing_there.zip")],
)  # fmt: skip
def test_an_error_on_the_command_line_is_one_line_and_exit_code_1(capsys, arguments, said):
    code, out, err = run(capsys, *arguments)
    assert code == 1 and said in err and err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err


def test_the_season_comes_from_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("SEASON", "ipl_1999")
    code, _, err = run(capsys, "ask", "runs")
    assert code == 1 and "ipl_1999" in err


def test_language_documents_every_word(capsys):
    code, out, _ = run(capsys, "language")
    assert code == 0 and out.strip() == documentation()
    values = {v for enum in ENUMS.values() for v in enum}
    missing = [
        w for w in [*MEASURES, *DIMENSIONS, *FILTERS, *DECLINES, *RANKS, *values] if not re.search(rf"\b{w}\b", out)
    ]
    assert missing == []


def test_bench_prints_the_percentiles(capsys):
    code, out, _ = run(capsys, "bench", "--season", "ipl_2024", "--lines", "20")
    assert code == 0 and re.search(r"p50 \d+\.\d ms, p99 \d+\.\d ms", out)


def test_seasons_lists_the_shipped_one(capsys):
    code, out, _ = run(capsys, "seasons")
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert code == 0 and rows["ipl_2024"][rows["name"].index("matches") + 1] == "74"  # "IPL 2024" is two words


def test_names_of_the_language_are_words_that_the_grammar_can_hold():
    allowed = set(string.ascii_lowercase + string.digits + "_")
    words = [*MEASURES, *DIMENSIONS, *FILTERS, *DECLINES, *RANKS, *(v for e in ENUMS.values() for v in e)]
    assert [w for w in words if not set(w) <= allowed] == []
    assert Path(PHRASES).is_dir()
