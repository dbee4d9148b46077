"""Training questions composed from the phrase files of data/phrases."""

from data.phrasing.composer import Phrasebook

__all__ = ["Phrasebook"]
