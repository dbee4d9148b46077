"""The sheet of docs/speaking.md: its summary is what its rows say, and most readers prefer the new sentences."""

import re

from tests.conftest import ROOT


def test_the_summary_counts_the_readers_verdicts_and_four_fifths_prefer_the_new_sentences() -> None:
    text = (ROOT / "docs" / "speaking.md").read_text(encoding="utf-8")
    verdicts = [line.rsplit("|", 2)[1].strip().split(", ") for line in text.splitlines() if re.match(r"\| \d", line)]
    assert len(verdicts) == 100 and {len(v) for v in verdicts} == {3}
    said = [v for row in verdicts for v in row]
    now, before, neither = (said.count(word) for word in ("now", "before", "="))
    majority = sum(row.count("now") > row.count("before") for row in verdicts)
    assert f"**{now} of 300 verdicts prefer the new sentence, {before} the old one, {neither} neither; " in text
    assert f"new one in {majority} of 100.**" in text and majority >= 80 and now >= 240
