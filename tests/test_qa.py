"""The shipped questions and answers, and a user's own: correct, free of leakage, reproducible."""

import json
import random
import shutil
from collections import Counter

import pytest

from data.dataset import user_data as user_qa
from data.dataset.build import SPLITS, DatasetError, build, write
from data.dataset.leakage import TEST_PHRASES, LeakageGuard, overlap, people_questions, words
from data.dataset.pretraining import examples
from data.dataset.record import held_out
from data.errors import SourceError
from data.linking.linker import Linker
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, PhraseFileMissing, expand, read_pairs
from data.query import parse
from data.season import SEASONS, load
from data.text import PLACEHOLDER, plain
from data.wording.sheet import MODEL_ROWS

FOLDER = SEASONS / "ipl_2024" / "qa"


@pytest.fixture(scope="module")
def shipped():
    return {
        split: [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text().splitlines()] for split in SPLITS
    }


@pytest.fixture(scope="module")
def names():
    return Names.for_season(load("ipl_2024"))


@pytest.fixture(scope="module")
def linker(names):
    return Linker(names, Phrasebook.load().words())


def test_the_splits_have_their_sizes_and_take_at_most_six_megabytes(shipped):
    assert len(shipped["train"]) >= 5500 and len(shipped["validation"]) == 300 and len(shipped["test"]) >= 500
    assert sum(path.stat().st_size for path in FOLDER.glob("*.jsonl")) <= 6_000_000


def test_every_record_has_its_fields_and_ids_are_unique(shipped):
    records = [r for split in SPLITS for r in shipped[split]]
    assert all({"id", "question", "query", "table", "answer", "kind", "split"} <= set(r) for r in records)
    assert all(r["split"] == split for split in SPLITS for r in shipped[split])
    assert max(Counter(r["id"] for r in records).values()) == 1


def test_query_lines_parse_and_name_only_what_the_question_names(shipped):
    for record in (r for split in SPLITS for r in shipped[split]):
        assert str(parse(record["query"]).canonical()) == record["query"]
        used = {m[0] for m in PLACEHOLDER.finditer(record["query"])}
        assert used <= {m[0] for m in PLACEHOLDER.finditer(record["linked"])} <= set(record["names"]), record[
            "question"
        ]


def test_sentences_of_the_model_are_about_few_rows_and_have_filled_in_answers(shipped):
    for record in (r for split in SPLITS for r in shipped[split] if r["wording"]):
        assert record["outcome"] == "answered" and record["cells"]
        assert all(table["of"] <= MODEL_ROWS for table in record["table"])
        assert not {"A1", "B1", "P1", "T1"} & set(record["answer"].replace(",", " ").replace(":", " ").split()), record[
            "answer"
        ]


def test_every_kind_of_question_is_in_the_training_split(shipped):
    kinds = Counter(r["kind"] for r in shipped["train"])
    expected = {
        "batting",
        "bowling",
        "fielding",
        "team",
        "results",
        "table",
        "partnership",
        "award",
        "match",
        "people",
        "count",
        "summary",
        "streak",
        "decline",
        "ask_back",
        "absent",
    }
    few = {"summary": 10, "people": 15}  # home grounds and squads; what is known of players
    assert set(kinds) == expected and all(n >= few.get(kind, 20) for kind, n in kinds.items())


def test_linking_the_questions_again_gives_the_text_of_the_records(shipped, linker):
    """The linker of today gives the text that training has: a sample of each split."""
    for split in SPLITS:
        sample = random.Random(1).sample(shipped[split], 120)
        same = [plain(linker.link(r["question"]).text) == r["linked"] for r in sample]
        assert sum(same) >= 118, f"{split} was made with another linker: run `python -m data qa`"


@pytest.fixture(scope="module")
def exams(shipped):
    return LeakageGuard.of_exams().joined(LeakageGuard(r["linked"] for r in shipped["test"]))


def test_no_training_question_is_near_a_test_or_fan_question(shipped, exams):
    assert len(people_questions()) > 350
    near = [r["question"] for s in ("train", "validation") for r in shipped[s] if exams.is_near(r["linked"])]
    assert not near


def test_no_hand_written_phrasing_is_near_a_test_or_fan_question(exams):
    rng = random.Random(5)
    texts = [plain(expand(q, rng)) for q, _ in Phrasebook.load().pairs]
    assert len(texts) > 10_000 and not [t for t in texts if exams.is_near(t)]


def test_the_text_of_pre_training_leaves_out_what_is_near_an_exam():
    book, line = Phrasebook.load(), "runs | batter=P1"
    book.pairs = [("P1 total runs this season", line), ("runs which P1 has to his name", line)]
    exam = LeakageGuard(["P1 total runs this season"])
    made = [s.messages[0]["content"] for _, s in zip(range(300), examples(1, book=book, exams=exam), strict=False)]
    assert made and not [text for text in made if exam.is_near(text.removeprefix("plan "))]


def test_questions_that_share_four_fifths_of_their_words_are_near():
    rng, letters = random.Random(3), "a b c d e f g h i j k l".split()
    texts = [" ".join(rng.sample(letters, rng.randint(1, 9))) for _ in range(400)]
    guard = LeakageGuard(texts[:200])
    for text in texts[200:]:
        assert guard.is_near(text) == any(overlap(words(text), words(t)) >= 0.8 for t in texts[:200])


def test_training_does_not_read_the_held_out_phrasings():
    assert len(read_pairs(TEST_PHRASES)) == 500
    assert TEST_PHRASES.name not in PAIR_FILES and TEST_PHRASES.parent != PHRASES


def test_a_missing_phrase_file_is_named_with_the_remedy(tmp_path):
    copy = tmp_path / "phrases"
    shutil.copytree(PHRASES, copy)
    assert Phrasebook.load(copy).pairs == Phrasebook.load().pairs
    for name in ("first_exam.txt", "frames.yaml"):
        (copy / name).rename(tmp_path / name)
        with pytest.raises(PhraseFileMissing, match=rf"no phrase file .*{name}: restore it"):
            Phrasebook.load(copy)
        (tmp_path / name).rename(copy / name)


def test_held_out_players_are_never_named_in_training_and_often_in_the_test(shipped, names, linker):
    out = {key for key, person in names.index.players.items() if person.matches and held_out(key)}
    assert 0.08 <= len(out) / sum(1 for p in names.index.players.values() if p.matches) <= 0.22
    for record in shipped["train"] + shipped["validation"]:
        assert not set(record["players"]) & out, record["question"]
    for record in random.Random(2).sample(shipped["train"], 150):  # and the question's own words say so too
        found = {
            m.candidates[0]
            for m in linker.link(record["question"]).mentions
            if m.kind == "player" and len(m.candidates) == 1
        }
        assert not found & out, record["question"]
    named = [r for r in shipped["test"] if r["players"]]
    assert sum(bool(set(r["players"]) & out) for r in named) >= 0.8 * len(named)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_different_ones(tmp_path):
    sizes = {"train": 25, "validation": 5, "test": 10}
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write(build("ipl_2024", seed, sizes, progress=False), tmp_path / name)
    read = {name: b"".join((tmp_path / name / f"{s}.jsonl").read_bytes() for s in SPLITS) for name in "abc"}
    assert read["a"] == read["b"] != read["c"]


def test_missing_held_out_phrasings_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere.txt is missing"):
        build("ipl_2024", phrases=tmp_path / "nowhere.txt")


# -- a user's own file

GOOD = {
    "qa.csv": 'Question,Answer\n"Who won, in the end?",KKR\nWho lost?,SRH\n',
    "qa.tsv": "question\tanswer\nWho won?\tKKR\nWho lost?\tSRH\n",
    "semicolon.csv": "question;answer\nWho won?;KKR, by 8 wickets\nWho lost?;SRH\n",
    "bom.csv": "\ufeffquestion,answer\nWho won?,KKR\nWho lost?,SRH\n",
    "qa.json": '[{"question": "Who won?", "answer": "KKR"}, {"question": "Who lost?", "answer": "SRH"}]',
    "wrapped.json": '{"data": [{"instruction": "Who won?", "response": "KKR"}, '
    '{"instruction": "Who lost?", "response": "SRH"}]}',
    "lines.json": '{"question": "Who won?", "answer": "KKR"}\n{"question": "Who lost?", "answer": 2}\n',
    "qa.jsonl": '{"prompt": "Who won?", "completion": "KKR"}\n\n{"prompt": "Who lost?", "completion": "SRH"}\n',
}


@pytest.mark.parametrize("name", GOOD)
def test_a_users_questions_and_answers_are_read(name, tmp_path):
    path = tmp_path / name
    path.write_text(GOOD[name], encoding="utf-8")
    assert user_qa.write(path, tmp_path / "out") == {"train": 1, "validation": 1, "test": 0}
    records = [json.loads(line) for s in SPLITS for line in (tmp_path / "out" / f"{s}.jsonl").read_text().splitlines()]
    assert (
        len(records) == 2
        and {r["kind"] for r in records} == {"closed_book"}
        and all(r["query"] is None for r in records)
    )
    assert {"id", "question", "query", "table", "answer", "kind", "split"} <= set(records[0])


BAD = [
    ("none.csv", None, "no such file"),
    ("qa.docx", "x", "unknown ending '.docx'"),
    ("qa.xlsx", "x", "no Excel workbook"),
    ("qa.csv", "title,answer\na,b\n", "line 2: no question column .* found title, answer"),
    ("qa.csv", "question,answer\nWho won?,KKR\nWho lost?,\n", "line 3: the answer is empty"),
    ("qa.csv", "question,answer\nWho won?,KKR,8 wickets\n", "line 2: more cells than columns"),
    ("qa.jsonl", '{"question": "Who won?", "answer": "KKR"}\n{"question": \n', "line 2 is no JSON"),
    ("qa.jsonl", '{"question": "Who won?", "answer": "KKR"}\n[1, 2]\n', "line 2: expected"),
    ("qa.jsonl", '{"question": "Who won?", "answer": ["KKR"]}\n', "line 1: the answer is empty or no text"),
    ("qa.json", '{"question": "Who won?"}', "expected a list"),
    ("qa.json", '[{"question": "Who won?", "answer": "KKR"},', "line 1 is no JSON"),
    ("qa.csv", "question,answer\nWho won?,KKR\nwho won?,SRH\n", "line 3: the question of line 2 again"),
    ("qa.csv", "question,answer\nWho won?,KKR\n", "at least 2 are needed"),
    ("qa.csv", "question,answer\n" + "x" * 9000 + ",KKR\n", "line 2: the question has 9000 characters"),
]


@pytest.mark.parametrize("name, text, message", BAD, ids=[m for *_, m in BAD])
def test_a_users_bad_file_is_refused_with_the_line(name, text, message, tmp_path):
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        user_qa.read(path)


def test_a_file_of_bytes_that_are_no_text_is_refused(tmp_path):
    path = tmp_path / "qa.csv"
    path.write_bytes(b"question,answer\nWho won?,K\x81\x8d\n")
    with pytest.raises(SourceError, match="neither in UTF-8 .byte 26. nor in Windows-1252"):
        user_qa.read(path)
