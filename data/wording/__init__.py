"""Words for a computed table: its cells, the plain sentence and all its wordings."""

from data.wording.sentence import sentence, wordings
from data.wording.sheet import Sheet, fill, sheet

__all__ = ["Sheet", "fill", "sentence", "sheet", "wordings"]
