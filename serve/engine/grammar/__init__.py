"""Grammars as automata over bytes: GBNF and JSON schema, and which tokens they admit or force."""
