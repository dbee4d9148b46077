"""The examples that a model is measured with: drawn from a dataset file, as the token ids that training saw.

load(Path("data/seasons/ipl_2024/qa/validation.jsonl"), 200)
"""

from __future__ import annotations

import random
from pathlib import Path

from convert.errors import ConvertError
from data.dataset import encoding
from data.dataset.encoding import ChatTemplateError, EncodedExample, Tokenizer
from data.dataset.examples import Example, ExampleError, lines, of_line


def load(path: Path, count: int, seed: int = 0) -> list[Example]:
    """At most `count` examples, drawn evenly and reproducibly. Raises ConvertError naming the line that is wrong."""
    if not path.is_file():
        raise ConvertError(
            f"no examples at {path}: make them with `python -m data qa`, or name a JSONL file with --examples whose "
            'lines have "messages" and "completion"'
        )
    found = lines(path)
    if not found:
        raise ConvertError(f'{path} has no examples: its lines must have "messages" and "completion"')
    if len(found) > count:
        drawn = sorted(random.Random(seed).sample(range(len(found)), count))
        found = [found[i] for i in drawn]
    try:
        examples = [example for where, line in found for example in of_line(line, where)]
    except ExampleError as error:
        raise ConvertError(str(error)) from None
    # a record holds two examples where a model words the answer: without a second draw the count would double
    return random.Random(seed).sample(examples, count) if len(examples) > count else examples


def encode(tokenizer: Tokenizer, examples: list[Example], limit: int) -> list[EncodedExample]:
    """The examples as token ids, without those longer than `limit`. Raises ConvertError where none is left."""
    try:
        encoded = [e for e in encoding.encode(tokenizer, examples) if len(e.ids) <= limit]
    except ChatTemplateError as error:
        raise ConvertError(str(error)) from None
    if not encoded:
        raise ConvertError(f"none of {len(examples)} examples fits into {limit} tokens: give shorter ones")
    return encoded
