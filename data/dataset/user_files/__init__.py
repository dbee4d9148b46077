"""A user's own questions and answers, in the formats that people keep them in.

    found = read("questions.xlsx")
    found.rows, found.problems

Rows that cannot be used are skipped and reported, all in one pass.
"""

from __future__ import annotations

from data.dataset.user_files.reading import read
from data.dataset.user_files.rows import Problem, UserFile, UserRow

__all__ = ["Problem", "UserFile", "UserRow", "read"]
