"""Grammars as automata over bytes: GBNF and JSON schema, and the tokens that they admit or force."""
