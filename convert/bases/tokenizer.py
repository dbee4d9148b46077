"""The tokenizer inside a GGUF as a Hugging Face tokenizer: `tokenizer_of(fields, folder)`.

Two kinds are known: byte-level BPE with one of four pre-tokenizers (SmolLM2, Qwen 2 and 3, Llama 3, GPT-2), and
SentencePiece BPE (Gemma). `convert.bases.from_gguf` proves that the ids are llama.cpp's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.gguf.upstream_runner import SPLIT_PATTERNS

_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6  # token types of a GGUF, and of SentencePiece


def tokenizer_of(fields: Mapping[str, Any], folder: Path) -> PreTrainedTokenizerFast:
    """Write the tokenizer that a GGUF's metadata describes into `folder`. Raises ConvertError for another kind."""
    kind = fields.get("tokenizer.ggml.model")
    if kind == "gpt2":
        tokenizer = _byte_level(fields)
    elif kind == "llama" and not fields.get("tokenizer.ggml.add_space_prefix", True):
        tokenizer = _sentencepiece(fields)
        (folder / "tokenizer.model").write_bytes(_sentencepiece_model(fields))
    else:
        raise ConvertError(
            f"the GGUF has a tokenizer of the kind {kind!r} that cannot be converted: give the model's Hugging Face "
            "folder or hub id instead"
        )
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    special = [token for token, type_ in zip(tokens, types, strict=True) if type_ in (_CONTROL, _UNKNOWN)]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    user = [token for token, type_ in zip(tokens, types, strict=True) if type_ == _USER]
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in user])
    names = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    roles = {
        f"{role}_token": tokens[fields[f"tokenizer.ggml.{name}_token_id"]]
        for name, role in names.items()
        if f"tokenizer.ggml.{name}_token_id" in fields
    }
    add_bos = bool(fields.get("tokenizer.ggml.add_bos_token", kind == "llama"))
    if add_bos:
        bos = roles["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, tokens.index(bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        add_bos_token=add_bos,
        add_eos_token=False,
        **roles,
    )


def _byte_level(fields: Mapping[str, Any]) -> Tokenizer:
    name = fields.get("tokenizer.ggml.pre")
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    patterns = {name: pattern for pattern, name in SPLIT_PATTERNS.items()}
    known: dict[str, list[Any]] = {
        "gpt-2": [words],
        "smollm": [pre_tokenizers.Digits(individual_digits=True), words],
        **{name: [pre_tokenizers.Split(Regex(p), "isolated"), split] for name, p in patterns.items()},
    }
    if name not in known:
        raise ConvertError(
            f"the GGUF has the pre-tokenizer {name!r}; {', '.join(known)} can be converted: give the model's Hugging "
            "Face folder or hub id instead"
        )
    vocabulary = {token: i for i, token in enumerate(fields["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    # llama.cpp takes a word that is a token as it is where the pre-tokenizer is Llama 3's
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges, ignore_merges=name == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(known[name])
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _sentencepiece(fields: Mapping[str, Any]) -> Tokenizer:
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    rank = {token: i for i, token in enumerate(tokens) if types[i] in (_NORMAL, _USER)}
    unknown = next((token for token, type_ in zip(tokens, types, strict=True) if type_ == _UNKNOWN), None)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(
        BPE(vocab=vocabulary, merges=_merges(tokens, rank), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _merges(tokens: Iterable[str], rank: Mapping[str, int]) -> list[tuple[str, str]]:
    """All pairs of pieces that make a piece, in the order of the pieces that they make."""
    found: list[tuple[str, str]] = []
    for token in tokens:
        if token in rank:
            splits = [(token[:i], token[i:]) for i in range(1, len(token))]
            pairs = [(left, right) for left, right in splits if left in rank and right in rank]
            found += sorted(pairs, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    return found


def _sentencepiece_model(fields: Mapping[str, Any]) -> bytes:
    """The pieces as a SentencePiece model, from which llama.cpp's converter takes the order of merges."""
    from sentencepiece import sentencepiece_model_pb2 as spm

    model = spm.ModelProto()  # type: ignore[attr-defined]
    model.trainer_spec.model_type = spm.TrainerSpec.BPE  # type: ignore[attr-defined]
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    rows = zip(
        fields["tokenizer.ggml.tokens"],
        fields["tokenizer.ggml.scores"],
        fields["tokenizer.ggml.token_type"],
        strict=True,
    )
    for token, score, type_ in rows:
        model.pieces.add(piece=token, score=score, type=type_)
    return model.SerializeToString()
