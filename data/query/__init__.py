"""The query line: the retriever's small language over one season, and the engine that answers it.

language.py   the one definition: measures, dimensions, filters
line.py       text <-> Query
grammar.py    the GBNF that constrains the model to valid lines
engine.py     Query -> SQL -> StatTable
"""

from data.query.engine import Statistics, StatTable
from data.query.line import Plan, Query, QueryError, parse

__all__ = ["Plan", "Query", "QueryError", "StatTable", "Statistics", "parse"]
