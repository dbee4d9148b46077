"""Tiny Hugging Face models with random weights and tokenizers trained here, one of each family that users bring.

    make_model("qwen2", folder)
    make_adapter(folder, adapter)

Nothing is downloaded.
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import sentencepiece
import torch
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from tokenizers.models import BPE
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

KINDS = ("llama", "qwen2", "qwen3", "smollm2", "gemma3")

_SYLLABLES = "ka ra sha ma ni vi ku mar ja sp rit bum rah dh oni ro hit sin gh pat el ya dav su rya kh an".split()
_WORDS = (
    "runs wickets economy strike rate at the death in powerplay by batter | phase=death top who scored most "
    "against how many what is average of best figures season over overs balls boundary% P1 P2 bowler="
).split()
# The pattern of Qwen2's Split pre-tokenizer
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_OURS = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_GEMMA = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + ('model' if message['role'] == "
    "'assistant' else 'user') + '\n' + message['content'] + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def cricket_texts(count: int, seed: int = 1) -> list[str]:
    """Made-up questions and figures about made-up players."""
    draw = random.Random(seed)

    def name() -> str:
        return " ".join("".join(draw.choices(_SYLLABLES, k=draw.randint(1, 3))).title() for _ in range(2))

    def figure() -> str:
        return draw.choice([str(draw.randint(0, 300)), f"{draw.uniform(0, 200):.2f}", f"{draw.randint(1, 9)}/24"])

    return [
        " ".join(
            draw.choice([draw.choice(_WORDS), draw.choice(_WORDS), name(), figure()])
            for _ in range(draw.randint(3, 12))
        )
        for _ in range(count)
    ]


def _sentencepiece_tokenizer(
    folder: Path, control: list[str], template: str, vocab_size: int
) -> PreTrainedTokenizerFast:
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(cricket_texts(3000)),
        model_writer=buffer,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        split_digits=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        control_symbols=control,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=buffer.getvalue())
    vocab = {pieces.id_to_piece(i): i for i in range(pieces.vocab_size())}
    plain = {p: i for p, i in vocab.items() if not (pieces.is_control(i) or pieces.is_unknown(i) or pieces.is_byte(i))}
    merges = [(p[:i], p[i:]) for p in plain for i in range(1, len(p)) if p[:i] in plain and p[i:] in plain]
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False, special=True) for t in ["<unk>", "<s>", "</s>", *control]]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(buffer.getvalue())
    return _save(
        tokenizer,
        folder,
        template,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=control,
        config={"add_prefix_space": False, "add_bos_token": True, "add_eos_token": False},
    )


def _byte_level_tokenizer(folder: Path, digits_first: bool, vocab_size: int) -> PreTrainedTokenizerFast:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(BPE())
    if digits_first:  # SmolLM2
        steps = [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    else:  # Qwen2 and Qwen3
        tokenizer.normalizer = normalizers.NFC()
        steps = [
            pre_tokenizers.Split(Regex(_QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        cricket_texts(3000),
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=special,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return _save(
        tokenizer,
        folder,
        _CHATML,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>" if digits_first else None,
        bos_token="<|im_start|>" if digits_first else None,
        extra_special_tokens=special,
        config={"add_bos_token": False},
    )


def _save(tokenizer: Tokenizer, folder: Path, template: str, config: dict, **special) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **special)
    fast.chat_template = template
    fast.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    saved = json.loads(path.read_text())
    path.write_text(
        json.dumps(
            saved | config | {"chat_template": template, "tokenizer_class": "PreTrainedTokenizerFast"},
            indent=2,
        )
    )
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    return fast


def make_model(
    kind: str,
    folder: Path,
    *,
    hidden: int = 64,
    layers: int = 2,
    vocab_size: int = 512,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:
    """Write a tiny model of one of KINDS, with the kind of tokenizer it has, into folder."""
    if kind == "llama":
        tokenizer = _sentencepiece_tokenizer(folder, ["<|user|>", "<|assistant|>"], _OURS, vocab_size)
    elif kind == "gemma3":
        tokenizer = _sentencepiece_tokenizer(folder, ["<start_of_turn>", "<end_of_turn>"], _GEMMA, vocab_size)
    else:
        tokenizer = _byte_level_tokenizer(folder, kind == "smollm2", vocab_size)
    shape = dict(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 3,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=kind != "qwen3",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    if kind in ("qwen3", "gemma3"):
        shape["head_dim"] = hidden // 4
    if kind == "gemma3":
        shape |= dict(sliding_window=64, query_pre_attn_scalar=hidden // 4)
    model_type = {"smollm2": "llama", "gemma3": "gemma3_text"}.get(kind, kind)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **shape))
    for parameter in model.parameters():  # the default initialisation gives logits near zero
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.1)
    model.to(dtype).save_pretrained(folder)
    return folder


def make_adapter(base: Path, adapter: Path, *, seed: int = 1, scale: float = 0.05, **lora) -> Path:
    """Write a PEFT LoRA adapter with random non-zero weights for base into adapter."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM") | lora
    wrapped = get_peft_model(model, LoraConfig(**settings))
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=scale)
    wrapped.save_pretrained(adapter)
    return adapter
