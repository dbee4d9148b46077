"""Command line of the data: `python -m data import|ask|seasons|language|bench|qa`.

    python -m data import ipl_2023_json.zip --name ipl_2023
    python -m data ask "economy by bowler | phase=death | top 3" --season ipl_2023 --trace
    python -m data language > docs.md

SEASON in the environment is the season of `ask` and `bench` where --season does not say otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from data.errors import DataError
from data.season import SEASONS, load, seasons

TRACED = 40  # deliveries that --trace prints; --all prints every one


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["qa"]:  # has options of its own
            from data.dataset import build as qa

            return qa.main(arguments[1:])
        args = _parser().parse_args(arguments)
        args.run(args)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was left half-written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `python -m data language | head`
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="Seasons, and questions to their tables.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    season = os.environ.get("SEASON") or "ipl_2024"

    one = commands.add_parser("import", help="Cricsheet's zip or folder becomes a season")
    one.add_argument("source", help="zip or folder of Cricsheet's JSON files")
    one.add_argument("--name", required=True, help="name of the season, such as ipl_2023; one ending in _all takes all")
    one.add_argument(
        "--pick", metavar="SEASON", help="the season to take from a source that holds several: 2023, 2007/08"
    )
    one.add_argument("--replace", action="store_true", help="overwrite a season of that name")
    one.set_defaults(run=_import)

    one = commands.add_parser("ask", help="answer a query line with a table")
    one.add_argument("line", help="such as 'runs by batter | top 3'; `python -m data language` explains it")
    one.add_argument("--season", default=season, help="name of the season (default: %(default)s)")
    one.add_argument("--trace", action="store_true", help="print the matches and deliveries behind the figures")
    one.add_argument("--all", action="store_true", help=f"with --trace: every delivery, not the first {TRACED}")
    one.set_defaults(run=_ask)

    one = commands.add_parser("seasons", help="list the imported seasons")
    one.set_defaults(run=_seasons)

    one = commands.add_parser("language", help="print the documentation of the query line, from its definition")
    one.set_defaults(run=_language)

    one = commands.add_parser("bench", help="time random query lines")
    one.add_argument("--season", default=season, help="name of the season (default: %(default)s)")
    one.add_argument("--lines", type=int, default=300, help="how many (default: %(default)s)")
    one.add_argument("--seed", type=int, default=1, help="of the random lines (default: %(default)s)")
    one.set_defaults(run=_bench)

    commands.add_parser("qa", help="make the question-and-answer dataset of a season; see `python -m data qa --help`")
    return parser


def _import(args: argparse.Namespace) -> None:
    from data.cricsheet.importer import import_season

    began = time.perf_counter()
    about = import_season(args.source, args.name, season=args.pick, replace=args.replace)
    print(f"{about.title}: {about.matches} matches in {SEASONS / args.name}, {time.perf_counter() - began:.1f} s; "
          f"ask it with `python -m data ask --season {args.name} 'runs by batter | top 3'`")  # fmt: skip


def _ask(args: argparse.Namespace) -> None:
    from data.ask import as_text, ask, resolver
    from data.linking.resolver import Names
    from data.query import Statistics, parse

    plan = parse(args.line)
    if plan.decline:
        print(f"declined: {plan.decline}")
        return
    season = load(args.season)
    statistics, names = Statistics(season), Names.for_season(season)
    tables = ask(args.line, statistics, names)
    for i, (query, table) in enumerate(zip(plan.queries, tables, strict=True)):
        print(("\n" if i else "") + as_text(table))
        if args.trace:
            _print_trace(statistics.trace(query, resolver(names)), args.all)


def _print_trace(trace, every: bool) -> None:
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


def _seasons(args: argparse.Namespace) -> None:
    for name in seasons():
        season = load(name)
        (matches,) = season.connection.execute("SELECT count(*) FROM matches").fetchone()
        print(f"{name:16} {season.title}, {matches} matches, digest {season.digest[:12]}")


def _language(args: argparse.Namespace) -> None:
    from data.query.documentation import text

    print(text())


def _bench(args: argparse.Namespace) -> None:
    from data.query import Statistics
    from data.query.bench import measure

    began = time.perf_counter()
    statistics = Statistics(load(args.season))
    print(f"{args.season}: loaded in {time.perf_counter() - began:.1f} s")
    speed = measure(statistics, args.lines, args.seed)
    print(speed)
    for ms, line in speed.slowest:
        print(f"  {ms:6.1f} ms  {line}")


if __name__ == "__main__":
    sys.exit(main())
