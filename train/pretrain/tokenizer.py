"""Trains a SentencePiece-style BPE tokenizer and saves it as a Hugging Face folder that llama.cpp reads identically.

    save_tokenizer(train_pieces(texts, 4096), folder)

Writes tokenizer.model (SentencePiece), tokenizer.json (the same pieces for transformers) and tokenizer_config.json with
the chat template. llama.cpp's converter takes the order of merges from tokenizer.model: from a tokenizer.json alone it
gives every piece the same score, and llama.cpp then merges from left to right and makes other ids than transformers.
`tests/test_convert.py` compares the ids of both on thousands of texts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

CONTROL = ["<|user|>", "<|assistant|>"]  # ids 3 and 4, after <unk> 0, <s> 1, </s> 2

# A system message is put before the first user message's content; only user and assistant have a token.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% set ns = namespace(system='') %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{% set ns.system = message['content'] + '\\n' %}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + ns.system + message['content'] }}{% set ns.system = '' %}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_pieces(texts: Iterable[str], vocab_size: int) -> bytes:
    """Train BPE pieces on texts (one short text each, no line breaks inside) and return the SentencePiece model."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        character_coverage=0.9999,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        split_digits=True,  # every digit is its own token
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        control_symbols=CONTROL,
        hard_vocab_limit=False,
        max_sentence_length=16384,
        num_threads=1,
        minloglevel=1,
    )
    return model.getvalue()


def _merges(pieces: dict[str, int]) -> list[tuple[str, str]]:
    """Every split of every piece into two pieces, by the rank (= id order) of what it makes."""
    merges = []
    for piece, _rank in sorted(pieces.items(), key=lambda item: item[1]):
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        merges += [(left, right) for left, right in splits if left in pieces and right in pieces]
    return merges


def save_tokenizer(sentencepiece_model: bytes, folder: Path) -> PreTrainedTokenizerFast:
    """Write the tokenizer files into folder and return the transformers tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)
    vocab = {processor.id_to_piece(i): i for i in range(processor.vocab_size())}
    mergeable = {
        p: i
        for p, i in vocab.items()
        if not (processor.is_control(i) or processor.is_unknown(i) or processor.is_byte(i))
    }
    tokenizer = Tokenizer(
        BPE(vocab=vocab, merges=_merges(mergeable), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    # No piece has "▁" after its first character, so splitting in front of "▁" changes no id; it lets words be cached.
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False, special=True) for t in ["<unk>", "<s>", "</s>", *CONTROL]]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=CONTROL,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(sentencepiece_model)
    # transformers 5 writes the template into a file of its own, which older readers do not know
    config_path = folder / "tokenizer_config.json"
    config = json.loads(config_path.read_text())
    config |= {
        "add_prefix_space": False,
        "add_bos_token": True,
        "add_eos_token": False,
        "chat_template": CHAT_TEMPLATE,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    config_path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    return fast
