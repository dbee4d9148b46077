"""The season's data on the command line: import seasons, ask query lines, look names up, make questions and answers.

python -m data import ipl_2023_json.zip --name ipl_2023
python -m data ask "economy by bowler | phase=death | top 3" --season ipl_2023 --trace
python -m data names "king kohli" motera
python -m data language > docs.md
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.command_line import (
    Csv,
    Json,
    as_csv,
    as_json,
    aside,
    command_line,
    heading,
    output_form,
    print_records,
    reported,
    run,
)
from data.errors import DataError

if TYPE_CHECKING:
    from data.query import StatTable
    from data.query.trace import Trace
    from data.season import About

SHOWN = 20  # differences that an import prints; its report has all
TRACED = 40  # deliveries that --trace prints; --all prints every one

app = command_line("Seasons, query lines, names, and questions with answers.")
_errors = reported(DataError, interrupted="interrupted: nothing was left half-written")
Season = Annotated[str, typer.Option(envvar="SEASON", help="name of the season")]


@app.command("import")
@_errors
def import_(
    source: Annotated[str, typer.Argument(help="zip or folder of Cricsheet's JSON files, or of a private feed")],
    name: Annotated[
        str | None,
        typer.Option(
            help="what the season is called: ipl_2025, which is also one of the seasons that SEASON=ipl serves "
            "together; of a feed my_ipl_2022 if left out"
        ),
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option(
            metavar="SEASON",
            help="of a source that holds several seasons the one to take (2023, 2007/08), or all: with --name ipl they "
            "become ipl_2008, ipl_2009 and so on",
        ),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="leave the season out of those that are served together by SEASON=ipl")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="overwrite the season of that name, such as by newer files of it")
    ] = False,
) -> None:
    """Make a season from Cricsheet's zip or folder, or from a private feed (docs/own-data.md).

    A running service takes it up by itself.
    """
    from data.cricsheet.importer import import_season
    from data.feed.files import is_feed
    from data.season import SEASONS

    began = time.perf_counter()
    if is_feed(source):
        if pick is not None:
            raise typer.BadParameter("a feed holds one season; leave --pick out")
        about = _import_feed(source, name, replace, alone)
    elif name is None:
        raise typer.BadParameter("give the season a name: --name ipl_2023")
    else:
        about = import_season(source, name, season=pick, replace=replace, alone=alone)
    print(f"{about.title}: {about.matches} matches in {SEASONS / about.name}, {time.perf_counter() - began:.1f} s; "
          f"ask it with `python -m data ask --season {about.name} 'runs by batter | top 3'`")  # fmt: skip


def _import_feed(source: str, name: str | None, replace: bool, alone: bool) -> About:
    from data.feed.importer import import_feed
    from data.season import SEASONS

    imported = import_feed(source, name, SEASONS, replace, alone)
    for difference in imported.differences[:SHOWN]:
        print(difference)
    if imported.differences:
        print(f"{len(imported.differences)} differences between the feed's files; all are in {imported.report}")
    return imported.about


@app.command()
@_errors
def ask(
    line: Annotated[str, typer.Argument(help="such as 'runs by batter | top 3'; `data language` explains it")],
    season: Season = "ipl_2024",
    trace: Annotated[
        bool, typer.Option("--trace", help="print the matches and deliveries behind the figures as well")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help=f"with --trace: every delivery, not the first {TRACED}")] = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Answer a query line with a table."""
    from data.ask import as_text, resolver
    from data.ask import ask as answer
    from data.linking.resolver import Names
    from data.query import Statistics, parse
    from data.season import load

    form = output_form(json, csv)
    plan = parse(line)
    if plan.decline:
        print(as_json({"declined": plan.decline}) if form == "json" else f"declined: {plan.decline}",
              file=sys.stderr if form == "csv" else sys.stdout)  # fmt: skip
        return
    loaded = load(season)
    statistics, names = Statistics(loaded), Names.for_season(loaded)
    tables = answer(line, statistics, names)
    traces = [statistics.trace(query, resolver(names)) if trace else None for query in plan.queries]
    if form == "json":
        print(as_json({"tables": [_as_dict(*pair) for pair in zip(tables, traces, strict=True)]}))
        return
    for i, (table, found) in enumerate(zip(tables, traces, strict=True)):
        if i:
            print()
        if form == "csv":
            print(as_csv([c.label for c in table.columns], table.rows), end="")
            continue
        labels, rule, *rest = as_text(table).split("\n")
        print("\n".join([heading(labels), aside(rule), *rest]))
        if found:
            _print_trace(found, every)


def _as_dict(table: StatTable, trace: Trace | None) -> dict[str, Any]:
    found = {
        "query": str(table.query),
        "columns": [asdict(column) for column in table.columns],
        "rows": table.rows,
        "qualification": table.qualification,
        "totals": table.totals,
    }
    return found | ({"trace": asdict(trace)} if trace else {})


def _print_trace(trace: Trace, every: bool) -> None:
    print(f"\nfrom {len(trace.matches)} matches:")
    for match in trace.matches:
        print(f"  {match.title}, {match.date:%d %b %Y}, {match.venue}: {match.facts['scores']}")
    if trace.deliveries:
        shown = trace.deliveries if every else trace.deliveries[:TRACED]
        print(f"and {len(trace.deliveries)} deliveries:")
        for delivery in shown:
            print(f"  {delivery}")
        if len(shown) < len(trace.deliveries):
            print(f"  ... and {len(trace.deliveries) - len(shown)} more; --all prints them")


@app.command()
@_errors
def names(
    texts: Annotated[list[str], typer.Argument(metavar="NAME...", help="as people write them: 'king kohli', motera")],
    season: Season = "ipl_2024",
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Say which players, teams or grounds a name stands for."""
    from data.linking.mention import UNKNOWN
    from data.linking.resolver import Names
    from data.season import load

    form = output_form(json, csv)
    known = Names.for_season(load(season))
    found = []
    for text in texts:
        outcomes = [(kind, getattr(known, kind)(text)) for kind in ("player", "team", "venue")]
        for kind, outcome in [o for o in outcomes if o[1].status != UNKNOWN] or [("", outcomes[0][1])]:
            stands_for = ", ".join(known.display(key) for key in outcome.candidates)
            found.append({"name": text, "kind": kind, "status": outcome.status, "stands for": stands_for})
    print_records(found, form)


@app.command()
@_errors
def seasons(json: Json = False, csv: Csv = False) -> None:
    """List the imported seasons."""
    from data.season import load
    from data.season import seasons as imported

    form = output_form(json, csv)
    found = []
    for name in imported():
        season = load(name)
        (matches,) = season.connection.execute("SELECT count(*) FROM matches").fetchone()
        found.append({"name": name, "title": season.title, "matches": matches, "digest": season.digest[:12]})
    print_records(found, form)


@app.command()
@_errors
def language() -> None:
    """Print the documentation of the query line, from its definition."""
    from data.query.documentation import text

    print(text())


@app.command()
@_errors
def bench(
    season: Season = "ipl_2024",
    lines: Annotated[int, typer.Option(help="how many")] = 300,
    seed: Annotated[int, typer.Option(help="of the random lines")] = 1,
) -> None:
    """Time random query lines."""
    from data.query import Statistics
    from data.query.bench import measure
    from data.season import load

    began = time.perf_counter()
    statistics = Statistics(load(season))
    print(f"{season}: loaded in {time.perf_counter() - began:.1f} s")
    speed = measure(statistics, lines, seed)
    print(speed)
    for ms, line in speed.slowest:
        print(f"  {ms:6.1f} ms  {line}")


@app.command()
@_errors
def qa(
    season: Annotated[str, typer.Option(help="name of the season")] = "ipl_2024",
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 2024,
    out: Annotated[Path | None, typer.Option(help="folder to write, not data/seasons/<season>/qa")] = None,
    heldout: Annotated[Path | None, typer.Option(help="phrasings of the test split, not the included ones")] = None,
    train: Annotated[int | None, typer.Option(help="records", show_default="6000")] = None,
    validation: Annotated[int | None, typer.Option(help="records", show_default="300")] = None,
    test: Annotated[int | None, typer.Option(help="records", show_default="600")] = None,
) -> None:
    """Make the question-and-answer dataset of a season, and its data card."""
    from data.dataset.build import SIZES, write_dataset

    given = {"train": train, "validation": validation, "test": test}
    print(write_dataset(season, seed, {**SIZES, **{s: n for s, n in given.items() if n is not None}}, out, heldout))


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
