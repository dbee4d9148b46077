"""The engine in this process as the agents' TextModel: chat template, tokenization, asyncio.

    model = LocalModel(engine)
    generation = await model.generate([{"role": "user", "content": "..."}], grammar=..., max_tokens=64)

Requests belong to the `OWNER` of the task that makes them; the engine shares slots fairly between owners, and prompt
prefixes not at all. Control tokens come from the template alone: `</s>` or `<|assistant|>` in a message is plain text.
Cancelling the awaiting task cancels the request.
"""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace

import jinja2
import jinja2.ext
import jinja2.sandbox

from agents.model import Generation
from serve.engine.engine import Engine
from serve.engine.errors import BadSetting, ModelError
from serve.engine.sequence import Completion, Request, Sampling

OWNER: ContextVar[str] = ContextVar("owner", default="")  # whose question a task answers: the hash of an API key

_ROLE = re.compile("[a-z]{1,20}")
_MARK = re.compile("\ue000(\\d+)\ue001")  # stands for the content of message n while the template is rendered


class LocalModel:
    """TextModel over a started engine; `adapter` names the LoRA adapter that all its requests use."""

    def __init__(self, engine: Engine, adapter: str | None = None) -> None:
        self.engine: Engine = engine
        self.adapter: str | None = adapter
        runner = engine.runner
        self._vocabulary = runner.vocabulary
        source = runner.metadata("tokenizer.chat_template")
        if not source:
            raise ModelError("the GGUF has no chat template (tokenizer.chat_template): convert it with one")
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
        )
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ModelError(f"the GGUF's chat template cannot be read: {error}") from None
        self._control = self._vocabulary.control
        names = sorted(filter(None, self._control), key=len, reverse=True)
        self._split = re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else None
        by_id = {token: text for text, token in self._control.items()}
        self._bos = by_id.get(self._vocabulary.bos, "")
        self._eos = next((by_id[t] for t in sorted(self._vocabulary.eog) if t in by_id), "")

    async def generate(
        self,
        messages: list[dict[str, str]],
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        deadline_s: float | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Generation:
        """As agents.model.TextModel says. Raises serve.engine.errors."""
        request = Request(
            self.prompt(messages),
            max_tokens,
            Sampling(temperature=temperature, seed=seed),
            grammar=grammar,
            deadline_s=deadline_s,
            adapter=self.adapter,
            owner=OWNER.get(),
        )
        return await self.run(request)

    def has_room(self, count: int) -> bool:
        """Whether the engine is idle enough for `count` requests that nobody waits for."""
        load = self.engine.health()
        return load.running + load.waiting + count <= self.engine.config.n_slots

    async def run(self, request: Request, on_text: Callable[[str], None] | None = None) -> Generation:
        """Run any request. `on_text` is called on the event loop with each piece of text as it is generated."""
        loop = asyncio.get_running_loop()
        if on_text is not None:

            def on_engine_thread(text: str) -> None:
                loop.call_soon_threadsafe(on_text, text)

            request = replace(request, on_text=on_engine_thread)
        handle = self.engine.submit(request)
        try:
            return _generation(await asyncio.wrap_future(handle.future))
        except asyncio.CancelledError:
            handle.cancel()
            raise

    def prompt(self, messages: list[dict[str, str]]) -> list[int]:
        """The tokens of a conversation: control tokens of the template, and everything else as plain text."""
        if not messages:
            raise BadSetting("a conversation needs at least one message")
        if not all(_ROLE.fullmatch(message["role"]) for message in messages):  # a role becomes part of the template
            raise BadSetting("a role is a word like user, assistant or system")
        messages = [{"role": message["role"], "content": message["content"]} for message in messages]
        contents = [message["content"] for message in messages]
        marked = self._render([m | {"content": f"\ue000{i}\ue001"} for i, m in enumerate(messages)])
        parts = self._parts(marked, contents)
        if "".join(text for text, _ in parts) != self._render(messages):  # the template changes contents
            parts = self._parts(marked, [content.strip() for content in contents])
            rendered = self._render(messages)
            if "".join(text for text, _ in parts) != rendered:
                if self._split and any(self._split.search(content) for content in contents):
                    raise BadSetting("a message holds text that this model's template would turn into control tokens")
                parts = [(rendered, True)]
        return self._tokens(parts)

    def plain(self, text: str) -> list[int]:
        """The tokens of a text without a template, after the BOS token if the model has one: for plain completions."""
        bos = [self._vocabulary.bos] if self._vocabulary.bos >= 0 else []
        return bos + self._vocabulary.tokenize(text)

    def _render(self, messages: list[dict[str, str]]) -> str:
        try:
            return self._template.render(
                messages=messages, add_generation_prompt=True, bos_token=self._bos, eos_token=self._eos
            )
        except jinja2.TemplateError as error:
            raise BadSetting(f"the model's chat template refuses this conversation: {error}") from None

    def _parts(self, marked: str, contents: list[str]) -> list[tuple[str, bool]]:
        """The rendered text in pieces: (text, whether it is the template's own)."""
        pieces = _MARK.split(marked)
        return [
            (piece, True) if i % 2 == 0 else (contents[int(piece)], False) for i, piece in enumerate(pieces) if piece
        ]

    def _tokens(self, parts: list[tuple[str, bool]]) -> list[int]:
        """Pieces of plain text are joined and tokenized as in training; only control tokens separate them."""
        tokens: list[int] = []
        plain = ""
        for text, is_template in parts:
            for piece in self._split.split(text) if is_template and self._split else [text]:
                control = self._control.get(piece) if is_template else None
                if control is None:
                    plain += piece
                    continue
                tokens += self._vocabulary.tokenize(plain) if plain else []
                tokens.append(control)
                plain = ""
        return tokens + (self._vocabulary.tokenize(plain) if plain else [])


def _generation(completion: Completion) -> Generation:
    figures = completion.stats
    return Generation(
        text=completion.text,
        finish_reason=completion.finish_reason,
        prompt_tokens=figures.prompt_tokens,
        completion_tokens=figures.completion_tokens,
        cached_tokens=figures.cached_tokens,
        forced_tokens=figures.forced_tokens,
        drafted_tokens=figures.drafted_tokens,
        accepted_tokens=figures.accepted_tokens,
        queued_ms=figures.queued_ms,
        prefill_ms=figures.prefill_ms,
        decode_ms=figures.decode_ms,
    )


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
