"""Datasets of questions and answers: built, split, guarded against leakage, read from users, encoded as token ids."""
