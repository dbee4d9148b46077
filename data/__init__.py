"""The season: Cricsheet files to tables, names, the query line, questions and answers, prompts.

Knows nothing about models, training, conversion or HTTP; every other folder may import it,
it imports none of them.

    python -m data import ipl_2023_json.zip --name ipl_2023
"""

from data import moved

moved.install()
