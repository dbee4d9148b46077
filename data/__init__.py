"""Seasons of Cricsheet files as tables, names, the query line, questions and answers, prompts.

The other packages import this one; it imports none of them.

    python -m data import ipl_2023_json.zip --name ipl_2023
"""

from data import moved

moved.install()
