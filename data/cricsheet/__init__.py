"""Cricsheet's match files, people and league facts, read into a season's tables."""
