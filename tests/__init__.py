"""Tests. Run with `make test`; tests/support/ has what several test files share."""

from data import moved

moved.install()
