"""Exams of a model or of a running service: the share of right answers by kind of question, with a report."""
