"""Imports a season that somebody holds as a private feed of nested JSON files (in the shape of EntitySport's API).

The feed becomes the same tables as a season of Cricsheet's, and a few of its own: squads, careers, awards, shots.
docs/own-data.md describes it for its users.
"""
