"""Command line of the evaluation, `python -m train.evaluate`: see train.evaluate.exam."""

import sys

from train.evaluate.exam import main

if __name__ == "__main__":
    sys.exit(main())
