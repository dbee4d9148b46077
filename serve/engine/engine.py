"""The inference engine: continuous batching over one llama context, on one thread.

    engine = Engine(EngineConfig(model=Path("model.gguf")))
    engine.start()                                   # loads and warms up; raises ModelError
    handle = engine.submit(Request(prompt=[1, 2, 3], max_tokens=20))   # raises RequestError, QueueFull, EngineClosed
    handle.result().text                             # or handle.future in asyncio.wrap_future; handle.cancel()
    engine.drain(); engine.close()

A step reads: take in what arrived, end what was cancelled or is overdue, schedule, decode, choose tokens. A request
that raises fails alone; if the thread itself dies, `health().alive` is False, every request fails with EngineClosed and
`on_death` is called. The same request with the same seed gets the same tokens whatever else is in the batch, up to
rounding: kernels for many rows add up in another order than those for few, and a quantised model's activations are
rounded to 8 bits. That moves logits by up to 0.4 (`python -m serve.bench.engine --rounding`), so that candidates closer
than that can change places; without flash attention, which is up to 40 % slower, more rarely and less. Drafts and
shared prefixes change nothing else either; jumping over forced text can cut a text into other tokens than the model
would have.

Knows nothing about HTTP, chat templates or asyncio; llama.cpp is behind serve/engine/runner.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serve.engine import prefix_cache_file as prefix_file
from serve.engine.errors import EngineClosed, QueueFull, RequestError, RequestFailed
from serve.engine.grammar.automaton import GrammarCache
from serve.engine.output import Writer
from serve.engine.prefix_cache import PrefixStore
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.scheduler import CacheFigures, Chunk, Limits, Scheduler, Step
from serve.engine.sequence import DECODE, DONE, PREFILL, Cells, Completion, Figures, Request, Sequence
from serve.engine.speculative import Drafter
from serve.engine.stats import Health, Totals
from serve.engine.thread_tuner import Pace, Teams
from serve.engine.validation import check

log = logging.getLogger(__name__)

WARM_UP = 8, 1, 32, 8, 1, 32  # tokens of the first steps, of which the very first is slow; what many cost is not linear
TILE = 64  # rows from which llama.cpp's CPU attention works by tiles: quick for one prompt, slow for many sequences
IDLE_S = 0.005  # without a request for so long, there is time to put into the store what the last one left
MAX_FAILED_STEPS = 3  # in a row; then the context itself is taken to be broken and the thread ends


@dataclass(frozen=True, slots=True)
class EngineConfig(RunnerConfig):
    """What is served and within which bounds, in tokens unless a name says otherwise; `n_slots` sets `n_sequences`."""

    n_ctx: int = 8192
    prefix_mb: int = 128  # memory for prefixes of ended requests; 0: none are kept
    n_slots: int = 8
    queue_size: int = 32
    prefix_file: Path | None = None  # where they are kept from one engine's end to the next one's start
    drafts: bool = True
    max_drafts: int = 6
    jump_forward: bool = True
    stall: float = 1.9


class Handle:
    """The caller's end of a request."""

    def __init__(self, engine: Engine, sequence: Sequence) -> None:
        self._engine, self._sequence = engine, sequence
        self.future: Future[Completion] = Future()
        self.future.add_done_callback(lambda future: future.cancelled() and self.cancel())

    def result(self, timeout: float | None = None) -> Completion:
        """Wait for the completion; raises what the request failed with."""
        return self.future.result(timeout)

    def cancel(self) -> None:
        """Stop the request; its slot is free before the next step, its completion says "cancelled"."""
        self._sequence.cancelled = True
        self._engine._cancelled = True
        with self._engine._condition:
            self._engine._condition.notify_all()


class Engine:
    """See the module's docstring. All public methods may be called from any thread."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.on_death: Callable[[BaseException], None] | None = None
        self.runner: Runner | None = None
        self._scheduler: Scheduler | None = None
        self._writer: Writer | None = None
        self._drafter: Drafter | None = None
        self._grammars = GrammarCache()
        self._totals = Totals()
        self._arrived: deque[Sequence] = deque()
        self._under_way: set[Sequence] = set()  # submitted and not yet ended
        self._cancelled = False  # some request was, since the last sweep
        self._next_deadline = float("inf")  # of those under way
        self._service_s = 1.0  # mean time from start to end, for Retry-After
        self._condition = threading.Condition()
        self._ready = threading.Event()
        self._draining = self._closing = False
        self._error: BaseException | None = None
        self._failed_steps = 0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    # -- for callers

    def start(self) -> None:
        """Load the model and compute a first token; returns when requests can be answered."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def submit(self, request: Request) -> Handle:
        """Put a request in line, without blocking. Raises RequestError, QueueFull or EngineClosed."""
        self._check_open()
        check(request, self._scheduler, self.runner.vocabulary.size, self.config.adapters)
        grammar = self._grammars.get(request.grammar).start if request.grammar is not None else None
        now = time.perf_counter()
        deadline = now + request.deadline_s if request.deadline_s is not None else float("inf")
        prompt = [int(token) for token in request.prompt]
        sequence = Sequence(request, prompt, now, deadline, figures=Figures(prompt_tokens=len(prompt)), grammar=grammar)
        handle = sequence.handle = Handle(self, sequence)
        with self._condition:
            self._check_open()
            places = self.config.n_slots + self.config.queue_size
            if len(self._under_way) >= places:
                wait_s = self._service_s * self.config.queue_size / self.config.n_slots
                raise QueueFull(f"{len(self._under_way)} requests are under way or waiting", max(1.0, wait_s))
            self._under_way.add(sequence)
            self._arrived.append(sequence)
            self._condition.notify_all()
        return handle

    def drain(self, timeout: float | None = None) -> bool:
        """Take no new requests and wait for those under way to end; False where `timeout` seconds passed first."""
        with self._condition:
            self._draining = True
            return self._condition.wait_for(lambda: not self._under_way or self._error is not None, timeout)

    def close(self) -> None:
        """End everything at once: requests under way fail with EngineClosed. Idempotent."""
        with self._condition:
            self._closing = self._draining = True
            self._condition.notify_all()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def health(self) -> Health:
        """State, load and totals; cheap enough for every scrape and probe."""
        scheduler = self._scheduler
        running = len(scheduler.running) if scheduler else 0
        return Health(
            alive=self._thread.is_alive() and self._error is None,
            ready=self._ready.is_set() and self._error is None and not self._draining,
            draining=self._draining,
            error=repr(self._error) if self._error else None,
            waiting=max(0, len(self._under_way) - running),
            running=running,
            used_cells=scheduler.used_cells if scheduler else 0,
            n_cells=scheduler.limits.n_cells if scheduler else 0,
            cache=scheduler.figures if scheduler else CacheFigures(),
            totals=self._totals,
        )

    def _check_open(self) -> None:
        if self._error is not None:
            raise EngineClosed(f"the engine's thread died: {self._error!r}")
        if self._draining or not self._ready.is_set():
            raise EngineClosed("the engine is draining or closed" if self._draining else "the engine is not started")

    # -- the engine's thread

    def _run(self) -> None:
        try:
            self._load()
            self._ready.set()
            while self._wait_for_work():
                self._step()
            self._end_all(EngineClosed("the engine was closed"))
            self._scheduler.keep()
            if (path := self.config.prefix_file) is not None:
                prefix_file.save(self._scheduler.prefixes, path, self._prefix_key)
        except BaseException as error:  # whatever it is, callers must learn of it
            self._error = error
            log.error("engine thread ended: %r", error, exc_info=not isinstance(error, RequestError))
            started = self._ready.is_set()
            self._ready.set()
            self._end_all(EngineClosed(f"the engine's thread died: {error!r}"))
            if started and self.on_death is not None:
                self.on_death(error)
        finally:
            with self._condition:
                self._condition.notify_all()
            if self.runner is not None and self._error is None:
                self.runner.close()

    def _load(self) -> None:
        started = time.perf_counter()
        config = self.config
        n_sequences = 2 * config.n_slots  # ended sequences that running ones refer to hold a native id each
        self.runner = Runner(replace(config, n_sequences=n_sequences))
        on_gpu = self.runner.gpu and config.n_gpu_layers != 0
        limits = Limits(
            n_cells=self.runner.n_ctx,
            n_slots=config.n_slots,
            n_sequences=n_sequences,
            n_batch=config.n_batch,
            max_drafts=config.max_drafts if config.drafts else 0,
            stall=config.stall,
            apart=TILE if config.flash_attention and not on_gpu else config.n_batch + 1,
        )
        self._writer = Writer(self.runner.vocabulary, config.jump_forward)
        self._scheduler = Scheduler(limits, self.runner, PrefixStore(config.prefix_mb << 20))
        teams = Teams(self.runner.n_threads, fixed=bool(config.n_threads or config.n_threads_batch))
        self._pace, self._chosen = Pace(self._scheduler.cost, teams), (0, False)
        if config.drafts:
            self._drafter = Drafter(self._scheduler, self.runner.vocabulary.pieces)
        if config.prefix_file is not None:
            self._prefix_key = prefix_file.key_of(config.model, config.adapters, config.flash_attention)
            n = prefix_file.load(self._scheduler.prefixes, config.prefix_file, self._prefix_key)
            log.info("%d prefixes from %s", n, config.prefix_file)
        self._warm_up()
        log.info("engine ready in %.2f s: %s", time.perf_counter() - started, self.runner.description)

    def _warm_up(self) -> None:
        """Touch the weights, and learn what a token more costs a step: drafting depends on it from the first one."""
        start = 0
        warm = Sequence(Request([0]), [0] * sum(WARM_UP), 0.0, 0.0, cells=Cells(0, [], None))
        for n in WARM_UP:
            began = time.perf_counter()
            self.runner.decode(Step([Chunk(warm, start, start + n, [], 1)], None, n, 0))
            if start:
                self._scheduler.cost.observe(n, 0, time.perf_counter() - began)
            start += n
        self.runner.drop_cells(0, 0)

    def _wait_for_work(self) -> bool:
        if self._scheduler.running and not self._closing:
            return True
        with self._condition:
            idle = not self._condition.wait_for(self._has_work, IDLE_S)
        if idle:
            self._scheduler.keep()
            with self._condition:
                self._condition.wait_for(self._has_work)
        return not self._closing

    def _has_work(self) -> bool:
        return bool(self._closing or self._arrived or self._scheduler.running or self._scheduler.waiting)

    def _step(self) -> None:
        began, native_s = time.perf_counter(), self.runner.native_s
        while self._arrived:
            self._accept(self._arrived.popleft())
        if self._cancelled or began > self._next_deadline:
            self._sweep(began)
        drafts = self._drafter if self._drafter is not None and self._drafter.awake() else None
        step = self._scheduler.schedule(began, drafts)
        if step is None:
            return
        if (threads := self._pace.choose(step)) is not self._chosen:
            self.runner.use_threads(*threads)
            self._chosen = threads
        before = self.runner.native_s
        try:
            rows = self.runner.decode(step)
        except Exception as error:
            self._recover(step, error)
            return
        self._pace.observe(step, self.runner.native_s - before)
        self._failed_steps = 0
        self._choose(step, rows)
        totals = self._totals
        totals.steps += 1
        totals.step_tokens += step.decode_tokens + step.prefill_tokens
        totals.native_s += self.runner.native_s - native_s
        totals.busy_s += time.perf_counter() - began

    def _accept(self, sequence: Sequence) -> None:
        """Take an arrived sequence in, with what its grammar forces before the first token."""
        self._scheduler.add(sequence)
        self._next_deadline = min(self._next_deadline, sequence.deadline)
        if sequence.cancelled:  # before it was in a list that is swept
            self._cancelled = True
        if self._drafter is not None:
            self._drafter.begin(sequence)
        try:
            if not sequence.request.sampling.greedy:
                sequence.chain = self.runner.sampler(sequence.request.sampling, sequence.tokens)
            if sequence.grammar is not None:
                self._writer.jump(sequence)
                if reason := self._writer.ended(sequence, 0):
                    self._finish(sequence, reason)
        except Exception as error:
            self._fail(sequence, error)

    def _sweep(self, now: float) -> None:
        """End what was cancelled or is overdue, waiting or running."""
        self._cancelled, self._next_deadline = False, float("inf")
        for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
            if sequence.cancelled:
                self._finish(sequence, "cancelled")
            elif now > sequence.deadline:
                self._finish(sequence, "deadline")
            else:
                self._next_deadline = min(self._next_deadline, sequence.deadline)

    def _choose(self, step: Step, rows: np.ndarray) -> None:
        """Turn logits into tokens, chunk by chunk; a chunk whose request raises fails alone."""
        if len(rows) == 1:
            best = [int(rows.argmax())]  # along an axis it takes three times as long
        else:
            best = rows.argmax(axis=1).tolist() if len(rows) else []
        at = 0
        for chunk in step.chunks:
            try:
                self._advance(chunk, rows, best, at)
            except Exception as error:
                self._fail(chunk.sequence, error)
            at += chunk.rows

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        if sequence.phase is DONE:
            raise error
        if not isinstance(error, RequestError):
            log.error("a request failed", exc_info=error)
            error = RequestFailed(f"the request failed while it ran: {error!r}")
        self._finish(sequence, error)

    def _recover(self, step: Step, error: Exception) -> None:
        """A batch was refused: try its chunks one by one, so that only the guilty one fails."""
        log.warning("a batch of %d sequences failed (%r): trying them one by one", len(step.chunks), error)
        self._failed_steps += 1
        if self._failed_steps > MAX_FAILED_STEPS:
            raise error
        for chunk in step.chunks:
            self.runner.drop_cells(chunk.sequence.cells.slot, chunk.start)
        for chunk in step.chunks:
            alone = Step([chunk], step.adapter, 0, chunk.end - chunk.start)
            try:
                rows = self.runner.decode(alone)
            except Exception as error:
                self._fail(chunk.sequence, error)
                continue
            self._failed_steps = 0
            self._choose(alone, rows)

    # -- one sequence

    def _advance(self, chunk: Chunk, rows: np.ndarray, best: list[int], at: int) -> None:
        """Book what was computed, choose the next token, and those after it of which the drafts were right.

        The chunk's rows of logits begin at `at`; `best` holds the largest of every row.
        """
        sequence = chunk.sequence
        sequence.cells.computed = chunk.end
        if not chunk.rows:
            return
        if sequence.phase is PREFILL:
            sequence.phase = DECODE
            sequence.first_token = time.perf_counter()
        reason = self._writer.write(sequence, rows, best, at)
        if chunk.drafts:
            reason = self._follow(chunk, rows, best, at, reason)
        if reason:
            self._finish(sequence, reason)
        elif sequence.request.on_text is not None:
            self._writer.stream(sequence, final=False)

    def _follow(self, chunk: Chunk, rows: np.ndarray, best: list[int], at: int, reason: str | None) -> str | None:
        """Go on through the drafts as long as they were right; returns why the sequence ends, if it does."""
        sequence, drafts, tokens = chunk.sequence, chunk.drafts, chunk.sequence.tokens
        right = 0
        while True:
            while (
                right < len(drafts) and chunk.end + right < len(tokens) and tokens[chunk.end + right] == drafts[right]
            ):
                right += 1
            if reason or chunk.end + right < len(tokens):
                break
            reason = self._writer.write(sequence, rows, best, at + right)
        sequence.cells.computed = chunk.end + right
        if right < len(drafts):
            self.runner.drop_cells(sequence.cells.slot, sequence.cells.computed)
        self._drafter.observe(sequence, len(drafts), right)
        return reason

    def _finish(self, sequence: Sequence, outcome: str | Exception) -> None:
        """End a sequence with a finish reason or an error: free its slot, then tell its caller."""
        self._scheduler.finish(sequence)
        if sequence.chain is not None:
            sequence.chain.close()
            sequence.chain = None  # a candidate for each token of the vocabulary
        if isinstance(outcome, str):
            try:
                self._writer.stream(sequence, final=True)
            except Exception as error:
                outcome = RequestFailed(f"on_text raised {error!r}")
        figures = self._book(sequence, outcome)
        with self._condition:
            self._under_way.discard(sequence)
            self._condition.notify_all()
        future = sequence.handle.future
        if not future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            tokens, text = sequence.tokens[sequence.n_prompt :], sequence.text.decode(errors="replace")
            future.set_result(Completion(tokens, text, outcome, figures))

    def _book(self, sequence: Sequence, outcome: str | Exception) -> Figures:
        now, figures = time.perf_counter(), sequence.figures
        started = sequence.started or now
        first = sequence.first_token or now
        figures.completion_tokens = sequence.made
        figures.queued_ms = (started - sequence.submitted) * 1000
        figures.prefill_ms = (first - started) * 1000
        figures.decode_ms = (now - first) * 1000
        if sequence.started:
            self._service_s += 0.1 * (now - started - self._service_s)
        self._totals.add(outcome, figures)
        return figures

    def _end_all(self, error: EngineClosed) -> None:
        """Fail whatever is left; used when the thread ends."""
        if self._scheduler is None:
            return
        with self._condition:
            self._draining = True
        for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
            with suppress(Exception):
                self._finish(sequence, error)
        for sequence in self._under_way:  # not accepted yet, or broken by what broke the engine
            future = sequence.handle.future
            if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(error)
        self._under_way.clear()
