"""Questions composed from the phrase files of data/phrases, as training text."""

from data.phrasing.composer import Phrasebook

__all__ = ["Phrasebook"]
