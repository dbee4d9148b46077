"""The query line: the retriever's small language over the seasons, and the engine that answers it.

language/       the one definition: measures, dimensions, filters, summaries
query.py        a line as records; line.py: text <-> records; grammar.py: the GBNF that admits valid lines alone
documentation.py, random_lines.py   the language explained, and random lines of it

views.py        the relations of the loaded seasons, with the context of a match in every row
sources.py      which relation a measure reads
conditions.py   the SQL of a filter; sequences.py: of the subject's own matches and innings
relation.py     the rows behind a measure, or why there are none; in_a_row.py: balls in a row
completion.py   what a line leaves unsaid, and which seasons it means

engine.py       Query -> StatTable
book.py, match.py   what is held in memory of the loaded seasons
execution.py    figures by dimension; shares.py, streaks.py, reach.py, events.py, facts.py: what is not a plain sum
ranking.py      the order of the rows; layout.py, table.py: columns and cells, and how they are written
trace.py        the matches and deliveries behind a figure
"""

from data.query.engine import Statistics
from data.query.line import Plan, Query, QueryError, parse
from data.query.table import StatTable
from data.query.trace import Trace

__all__ = ["Plan", "Query", "QueryError", "StatTable", "Statistics", "Trace", "parse"]
