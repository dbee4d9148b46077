"""The query line: the retriever's small language over one season, and the engine that answers it.

language.py   the one definition: measures, dimensions, filters
line.py       text <-> Query
grammar.py    the GBNF that constrains the model to valid lines
views.py      the relations of a loaded season, with the context of a match in every row
sources.py    which relation a measure reads, and the SQL of a filter
relation.py   the rows behind a measure, or why there are none
engine.py     Query -> StatTable
table.py      typed columns and cells, and how they are written
match.py      the matches: order, names, facts
trace.py      the matches and deliveries behind a figure
"""

from data.query.engine import Statistics
from data.query.line import Plan, Query, QueryError, parse
from data.query.table import StatTable
from data.query.trace import Trace

__all__ = ["Plan", "Query", "QueryError", "StatTable", "Statistics", "Trace", "parse"]
