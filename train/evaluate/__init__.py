"""Exams of a model or of a running service: accuracy by kind, with a report."""
