"""A user's own questions and answers: every format, encoding and shape, and what is wrong with them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from data.dataset.user_files import read
from data.errors import SourceError

PAIRS = [("Who captained Gujarat, and when?", "Shubman Gill; all season"), ("Who won the “final”?", "Kolkata – by 8")]
OBJECTS = [{"question": q, "answer": a} for q, a in PAIRS]


def _delimited(delimiter: str) -> bytes:
    rows = [("Question", "Answer"), *PAIRS]
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in rows).encode()


def _lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _workbook(rows: list[tuple]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(stream := io.BytesIO())
    return stream.getvalue()


def _parquet(rows: list[dict]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), stream := io.BytesIO())
    return stream.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _chat(user: str, assistant: str, role: str, content: str) -> list[list[dict]]:
    return [
        [{role: "system", content: "Be brief."}, {role: user, content: q}, {role: assistant, content: a}]
        for q, a in PAIRS
    ]


def _texts(form: str, **more: str) -> bytes:
    return _lines([{"text": form.format(q=q, a=a, **more)} for q, a in PAIRS])


FILES = {
    "comma.csv": _delimited(","),
    "semicolon.csv": _delimited(";"),
    "excel.csv": b"sep=;\r\n" + _delimited(";"),
    "tab.tsv": _delimited("\t"),
    "tab.txt": _delimited("\t"),
    "bar.csv": _delimited("|"),
    "headless.csv": _delimited(",").partition(b"\r\n")[2],
    "mark.csv": b"\xef\xbb\xbf" + _delimited(","),
    "utf-16.csv": _delimited(",").decode().encode("utf-16"),
    "utf-16-le.tsv": _delimited("\t").decode().encode("utf-16-le"),
    "cp1252.csv": _delimited(",").decode().encode("cp1252"),
    "list.json": json.dumps(OBJECTS).encode(),
    "wrapped.json": json.dumps({"version": 1, "data": OBJECTS}).encode(),
    "categories.json": json.dumps({"captains": OBJECTS[:1], "results": {"final": OBJECTS[1:]}}).encode(),
    "mapping.json": json.dumps(dict(PAIRS)).encode(),
    "columns.json": json.dumps({"question": [q for q, _ in PAIRS], "answer": [a for _, a in PAIRS]}).encode(),
    "pandas.json": json.dumps(
        {key: {str(n): pair[i] for n, pair in enumerate(PAIRS)} for i, key in enumerate(("question", "answer"))}
    ).encode(),
    "lines.jsonl": _lines(OBJECTS),
    "lines.json": _lines(OBJECTS),
    "lines.ndjson": _lines(OBJECTS),
    "alpaca.json": json.dumps([{"instruction": q, "input": "", "output": a} for q, a in PAIRS]).encode(),
    "prompt.jsonl": _lines([{"prompt": f"Question: {q}\n", "response": f"Answer: {a}"} for q, a in PAIRS]),
    "completion.jsonl": _lines(
        [{"prompt": f"### Instruction:\n{q}\n\n### Response:\n", "completion": a} for q, a in PAIRS]
    ),
    "messages.jsonl": _lines([{"messages": m} for m in _chat("user", "assistant", "role", "content")]),
    "sharegpt.json": json.dumps([{"conversations": m} for m in _chat("human", "gpt", "from", "value")]).encode(),
    "trl.jsonl": _lines([
        {"prompt": [{"role": "user", "content": q}], "completion": [{"role": "assistant", "content": a}]}
        for q, a in PAIRS
    ]),
    "instruction-text.jsonl": _texts("Below is an instruction.\n\n### Instruction:\n{q}\n\n### Response:\n{a}"),
    "one-line-text.jsonl": _texts("### Instruction: {q} ### Response: {a}"),
    "question-text.jsonl": _texts("Question: {q}\nAnswer: {a}"),
    "llama-text.jsonl": _texts("<s>[INST] <<SYS>>Be brief.<</SYS>> {q} [/INST] {a} </s>"),
    "chatml-text.jsonl": _texts("<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>\n"),
    "zephyr-text.jsonl": _texts("<|user|>\n{q}</s>\n<|assistant|>\n{a}</s>"),
    "squad.json": json.dumps(
        {"data": [{"title": "IPL", "paragraphs": [{"context": "", "qas": [
            {"id": str(n), "question": q, "answers": [{"text": a, "answer_start": 3}, {"text": "another"}]}
            for n, (q, a) in enumerate(PAIRS)
        ]}]}]}
    ).encode(),
    "squad-rows.jsonl": _lines([
        {"context": "", "question": q, "answers": {"text": [a], "answer_start": [3]}} for q, a in PAIRS
    ]),
    "table.parquet": _parquet(OBJECTS),
    "book.xlsx": _workbook([("Question", "Answer"), *PAIRS]),
    "packed.csv.gz": gzip.compress(_delimited(",")),
    "packed.zip": _zip({"inner/one.csv": _delimited(","), "__MACOSX/inner/._one.csv": b"\0\5\x16\7"}),
    "several.zip": _zip({"a.json": json.dumps(OBJECTS[:1]).encode(), "b.xlsx": _workbook([("q", "a"), PAIRS[1]])}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_same_questions_are_read_from_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    found = read(path)
    assert [(row.question, row.answer) for row in found.rows] == PAIRS
    assert not found.problems and [row.number for row in found.rows] == [1, 2]


def test_an_encoding_that_was_guessed_is_said(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_bytes(FILES["cp1252.csv"])
    assert "old.csv was read as cp1252" in "\n".join(read(tmp_path / "old.csv").summary())


def test_columns_of_other_names_are_taken_where_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("id,Frage,Lösung,answer\n1,Who won?,KKR,wrong\n", encoding="utf-8")
    (row,) = read(path, question_column="frage", answer_column="Lösung").rows
    assert (row.question, row.answer) == ("Who won?", "KKR")
    with pytest.raises(SourceError, match="no question column 'Fragen'; found id, Frage"):
        read(path, question_column="Fragen")
    with pytest.raises(SourceError, match="found id, frage, lösung, answer; name it with --question-column"):
        read(path)


def test_every_turn_of_a_chat_is_a_question_with_the_turn_before_as_context(tmp_path: Path) -> None:
    chat = [("user", "Who led Gujarat?"), ("assistant", "Shubman Gill"), ("user", "Since when?"), ("assistant", "2024")]
    (tmp_path / "chat.jsonl").write_bytes(_lines([{"messages": [{"role": r, "content": c} for r, c in chat]}]))
    first, second = read(tmp_path / "chat.jsonl").rows
    assert (first.question, first.answer, first.context) == ("Who led Gujarat?", "Shubman Gill", "")
    assert (second.question, second.context) == ("Since when?", "Who led Gujarat? Shubman Gill")


def test_the_input_of_an_instruction_and_a_passage_are_kept(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Name the captain.", "input": "Gujarat Titans", "output": "Shubman Gill"},
        {"question": "Who led?", "answer": "Gill", "context": "Gujarat in 2024"},
    ]
    (tmp_path / "rows.jsonl").write_bytes(_lines(rows))
    first, second = read(tmp_path / "rows.jsonl").rows
    assert first.question == "Name the captain. Gujarat Titans"
    assert second.context == "Gujarat in 2024"


def test_all_problems_are_reported_in_one_pass_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    lines = [
        "question,answer",
        "Who won?,KKR",
        ",SRH",
        "Who lost?,",
        "who won,KKR",
        "Who won?,SRH",
        '"Two',
        'lines?",yes',
        "a?,b,c",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read(path)
    assert [row.where for row in found.rows] == ["line 2", "line 7"]
    assert [(p.where, p.kind) for p in found.problems] == [
        ("line 3", "empty question"),
        ("line 4", "empty answer"),
        ("line 5", "duplicate"),
        ("line 6", "contradicts an earlier row"),
        ("line 9", "not readable"),
    ]
    assert found.summary()[0] == "bad.csv: 2 of 7 rows taken"
    assert "1 skipped, empty answer: line 4" in found.summary()
    with pytest.raises(SourceError) as refused:
        read(path, strict=True)
    for place in ("5 rows cannot be used", "line 3: the question is empty", "line 6: the question of line 2 again"):
        assert place in str(refused.value)


def test_a_broken_line_of_json_does_not_hide_the_lines_after_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"question": \n' + _lines(OBJECTS) + b'["x"]\n{"question": "Who?", "answer": null}\n')
    found = read(path)
    assert len(found.rows) == 2
    assert [p.where for p in found.problems] == ["line 1", "line 4", "line 5"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("no.gz.gz", b"x", "unknown ending|damaged gzip"),
        ("bad.csv.gz", b"\x1f\x8bxxxx", "damaged gzip file"),
        ("bad.zip", b"PK", "damaged or encrypted zip"),
        ("empty.zip", _zip({"readme.md": b"x"}), "no file in it has one of the endings"),
        ("bad.parquet", b"PAR1", "no parquet file"),
        ("bad.xlsx", _zip({"a": b"b"}), "no Excel workbook"),
        ("empty.csv", b"", "0 questions; at least 1 are needed"),
        ("deep.json", b"[" * 100_000, "is no JSON|nested too deeply"),
        ("binary.jsonl", b"\x00\xff\xfe\x81" * 50, "no text|at least 1|cannot be used"),
    ],
)
def test_a_damaged_file_is_refused_with_what_to_do(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read(tmp_path / name)


def test_a_missing_file_is_not_taken_for_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file; give a file with question and answer columns"):
        read(tmp_path / "none.csv")


def test_a_file_of_thousands_of_rows_is_read_whole(tmp_path: Path) -> None:
    rows = [{"question": f"Who made {n} in match {n % 70}?", "answer": f"player {n}"} for n in range(27_000)]
    (tmp_path / "large.jsonl").write_bytes(_lines(rows))
    found = read(tmp_path / "large.jsonl")
    assert len(found.rows) == 27_000 and found.rows[-1].number == 27_000
