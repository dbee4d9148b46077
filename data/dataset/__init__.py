"""Questions and answers with query lines: made, split, guarded against leakage, and read from a user."""
