"""`python -m train.evaluate`: see train.evaluate.exam."""

import sys

from train.evaluate.exam import main

sys.exit(main())
