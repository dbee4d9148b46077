"""English for computed tables: their layout as cells, the plain sentence and its alternative wordings."""

from data.wording.sentence import sentence, wordings
from data.wording.sheet import Sheet, fill, sheet

__all__ = ["Sheet", "fill", "sentence", "sheet", "wordings"]
