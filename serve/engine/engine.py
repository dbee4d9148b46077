"""The inference engine: continuous batching over one llama context, on one thread.

    engine = Engine(EngineConfig(model=Path("model.gguf")))
    engine.start()                                   # loads and warms up; raises ModelError
    handle = engine.submit(Request(prompt=[1, 2, 3], max_tokens=20))   # raises RequestError, QueueFull, EngineClosed
    handle.result().text                             # or handle.future in asyncio.wrap_future; handle.cancel()
    engine.drain(); engine.close()

A step: add new sequences, end those that were cancelled or are overdue, schedule, decode, sample. A request that raises
fails alone; if the thread itself dies, `health().alive` is False, every request fails with EngineClosed and `on_death`
is called.

The same request with the same seed gets the same tokens whatever else is in the batch, up to rounding: kernels for many
rows add up in another order than those for few, or for cells elsewhere in the cache, and a quantised model's
activations are rounded to 8 bits. That moves logits by up to 0.4 (`python -m serve.bench.engine --rounding`), so
candidates closer than that may change places. Drafts and shared prefixes change nothing else; skipping forced text may
split a text into other tokens. With `deterministic`, nothing changes places: one sequence runs at a time, from an empty
cache, without drafts and shared prefixes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serve.engine import prefix_cache_file
from serve.engine.errors import EngineClosed, QueueFull, RequestError, RequestFailed
from serve.engine.grammar_compiler import GrammarCompiler
from serve.engine.kv_cache import CacheStats, KVCache
from serve.engine.output import OutputProcessor
from serve.engine.prefix_cache import PrefixCache
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.scheduler import Chunk, Limits, Scheduler, Step
from serve.engine.sequence import DECODE, DONE, PREFILL, Completion, Handle, Request, RequestStats, Sequence
from serve.engine.speculative import Speculator
from serve.engine.stats import Health, Totals
from serve.engine.thread_tuner import StepReporter, ThreadTuner
from serve.engine.validation import check
from serve.engine.warm_up import warm_up

log = logging.getLogger(__name__)

ATTENTION_TILE = 64  # rows from which llama.cpp's CPU attention is tiled: fast for one prompt, slow for many sequences
IDLE_S = 0.005  # without work for so long, there is time to store the parked cells
MAX_FAILED_STEPS = 3  # in a row, after which the context itself is considered broken and the thread ends


@dataclass(frozen=True, slots=True)
class EngineConfig(RunnerConfig):
    """What is served and within which bounds, in tokens unless a name says otherwise; `n_slots` sets `n_sequences`."""

    n_ctx: int = 8192
    prefix_mb: int = 128  # memory of the prefix cache; 0: none
    n_slots: int = 8
    queue_size: int = 32  # requests of one owner that may wait
    max_owner_slots: int = 0  # requests of one owner that run at once; 0: n_slots
    max_tokens: int = 0  # the largest that a request may ask for; 0: what fits the context
    prefix_file: Path | None = None  # where the prefix cache is saved between two runs
    deterministic: bool = False  # the same request gets the same tokens beside others as alone; see the docstring
    drafts: bool = True
    max_drafts: int = 6
    jump_forward: bool = True
    max_stall_factor: float = 1.9  # see Limits


class Engine:
    """See the module's docstring. All public methods may be called from any thread."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.on_death: Callable[[BaseException], None] | None = None
        # Set when the model is loaded, on the engine's thread, before `_loaded`:
        self.runner: Runner
        self._scheduler: Scheduler
        self._kv_cache: KVCache
        self._output: OutputProcessor
        self._reporter: StepReporter
        self._speculator: Speculator | None = None
        self._prefix_key = ""  # of prefix_file
        self._loaded = False
        self._threads = 0, False  # of the last step, as StepReporter chose them
        self._compiler = GrammarCompiler(self._arrive)
        self._totals = Totals()
        self._arrived: deque[Sequence] = deque()
        self._in_flight: set[Sequence] = set()  # submitted and not ended
        self._cancelled = False  # a request was cancelled since the last _end_overdue
        self._next_deadline = float("inf")  # of those in flight
        self._service_s = 1.0  # mean time from start to end, for Retry-After
        self._condition = threading.Condition()
        self._ready = threading.Event()
        self._draining = self._closing = False
        self._error: BaseException | None = None
        self._failed_steps = 0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    # -- for callers

    def start(self) -> None:
        """Load the model and warm up; returns when requests can be answered. Raises ModelError."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def submit(self, request: Request) -> Handle:
        """Queue a request without blocking. Raises RequestError (for a large grammar, result() does), QueueFull or
        EngineClosed."""
        self._check_open()
        check(request, self._scheduler, self.runner.vocabulary.size, self.config.adapters, self.config.max_tokens)
        now = time.perf_counter()
        deadline = now + request.deadline_s if request.deadline_s is not None else float("inf")
        prompt = [int(token) for token in request.prompt]
        stats = RequestStats(prompt_tokens=len(prompt))
        sequence = Sequence(request, prompt, now, deadline, stats=stats)
        is_compiled = self._compiler.compile_small(sequence)
        with self._condition:
            self._check_open()
            taken = sum(other.request.owner == request.owner for other in self._in_flight)
            if taken >= self.config.n_slots + self.config.queue_size:
                wait_s = self._service_s * self.config.queue_size / self.config.n_slots
                raise QueueFull(f"{taken} requests are running or waiting", max(1.0, wait_s))
            self._in_flight.add(sequence)
        (self._arrive if is_compiled else self._compiler.queue)(sequence)
        return Handle(sequence, self._note_cancelled)

    def _arrive(self, sequence: Sequence) -> None:
        with self._condition:
            self._arrived.append(sequence)
            self._condition.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Accept no new requests and wait for those in flight to end; False if `timeout` seconds pass first."""
        with self._condition:
            self._draining = True
            return self._condition.wait_for(lambda: not self._in_flight or self._error is not None, timeout)

    def close(self) -> None:
        """End everything at once: requests in flight fail with EngineClosed. Idempotent."""
        self._compiler.close()
        with self._condition:
            self._closing = self._draining = True
            self._condition.notify_all()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def health(self) -> Health:
        """State, load and totals; cheap enough for every scrape and probe."""
        running = len(self._scheduler.running) if self._loaded else 0
        return Health(
            alive=self._thread.is_alive() and self._error is None,
            ready=self._ready.is_set() and self._error is None and not self._draining,
            draining=self._draining,
            error=repr(self._error) if self._error else None,
            waiting=max(0, len(self._in_flight) - running),
            running=running,
            used_cells=self._kv_cache.used_cells if self._loaded else 0,
            n_cells=self._kv_cache.n_cells if self._loaded else 0,
            cache=self._kv_cache.stats if self._loaded else CacheStats(),
            totals=self._totals,
        )

    def _note_cancelled(self) -> None:
        self._cancelled = True
        with self._condition:
            self._condition.notify_all()

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
            self._kv_cache.store_parked()
            if (path := self.config.prefix_file) is not None:
                prefix_cache_file.save(self._kv_cache.prefixes, path, self._prefix_key)
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
            if self._error is None:
                self.runner.close()

    def _load(self) -> None:
        started = time.perf_counter()
        config = self.config
        n_sequences = 2 * config.n_slots  # pinned cells of ended sequences keep their native id
        self.runner = Runner(replace(config, n_sequences=n_sequences))
        on_gpu = self.runner.gpu and config.n_gpu_layers != 0
        drafts = config.drafts and not config.deterministic
        tiled = config.flash_attention and not on_gpu
        limits = Limits(
            n_slots=1 if config.deterministic else config.n_slots,
            n_batch=config.n_batch,
            max_drafts=config.max_drafts if drafts else 0,
            max_stall_factor=config.max_stall_factor,
            max_owner_slots=config.max_owner_slots,
            fixed_chunks=config.deterministic,
            separate_prefill_tokens=ATTENTION_TILE if tiled else config.n_batch + 1,
        )
        prefixes = PrefixCache(config.prefix_mb << 20)
        if config.prefix_file is not None:
            self._prefix_key = prefix_cache_file.key_of(config.model, config.adapters, config.flash_attention)
            prefix_cache_file.load(prefixes, config.prefix_file, self._prefix_key)
        self._kv_cache = KVCache(self.runner, prefixes, self.runner.n_ctx, n_sequences, not config.deterministic)
        self._scheduler = Scheduler(limits, self._kv_cache)
        self._output = OutputProcessor(self.runner.vocabulary, config.jump_forward)
        fixed = bool(config.n_threads or config.n_threads_batch or config.deterministic)
        tuner = ThreadTuner(self.runner.n_threads, fixed)
        self._reporter = StepReporter(self._scheduler.cost, tuner)
        if drafts:
            self._speculator = Speculator(self._scheduler, self.runner.vocabulary.pieces)
        warm_up(self.runner, self._scheduler.cost)
        self._loaded = True
        log.info("engine ready in %.2f s: %s", time.perf_counter() - started, self.runner.description)

    def _wait_for_work(self) -> bool:
        """Wait until there is a step to compute; False if the engine is closing."""
        if self._scheduler.running and not self._closing:
            return True
        with self._condition:
            idle = not self._condition.wait_for(self._has_work, IDLE_S)
        if idle:
            self._kv_cache.store_parked()
            with self._condition:
                self._condition.wait_for(self._has_work)
        return not self._closing

    def _has_work(self) -> bool:
        return bool(self._closing or self._arrived or self._scheduler.running or self._scheduler.waiting)

    def _step(self) -> None:
        began, native_s = time.perf_counter(), self.runner.native_s
        while self._arrived:
            self._add(self._arrived.popleft())
        if self._cancelled or began > self._next_deadline:
            self._end_overdue(began)
        speculator = self._speculator
        propose = speculator.propose if speculator is not None and speculator.is_active() else None
        step = self._scheduler.schedule(began, propose)
        if step is None:
            return
        if (threads := self._reporter.choose(step)) is not self._threads:
            self.runner.use_threads(*threads)
            self._threads = threads
        before = self.runner.native_s
        try:
            rows = self.runner.decode(step)
        except Exception as error:
            self._recover(step, error)
            return
        self._reporter.observe(step, self.runner.native_s - before)
        self._failed_steps = 0
        self._sample(step, rows)
        totals = self._totals
        totals.steps += 1
        totals.native_s += self.runner.native_s - native_s
        totals.busy_s += time.perf_counter() - began

    def _add(self, sequence: Sequence) -> None:
        """Hand a new sequence to the scheduler, with the text that its grammar forces before the first token."""
        self._scheduler.add(sequence)
        self._next_deadline = min(self._next_deadline, sequence.deadline)
        if sequence.cancelled:  # before _end_overdue could find it
            self._cancelled = True
        if self._speculator is not None:
            self._speculator.add(sequence)
        if (refused := sequence.error) is not None:
            late = time.perf_counter() > sequence.deadline
            self._finish(sequence, "cancelled" if sequence.cancelled else "deadline" if late else refused)
            return
        try:
            if not sequence.request.sampling.greedy:
                sequence.sampler = self.runner.sampler(sequence.request.sampling, sequence.tokens)
            if sequence.grammar is not None:
                sequence.grammar.begin_token()
                self._output.append_forced(sequence)
                if reason := self._output.finish_reason(sequence, 0):
                    self._finish(sequence, reason)
        except Exception as error:
            self._fail(sequence, error)

    def _end_overdue(self, now: float) -> None:
        """End sequences that were cancelled or are past their deadline, waiting or running."""
        self._cancelled, self._next_deadline = False, float("inf")
        for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
            if sequence.cancelled:
                self._finish(sequence, "cancelled")
            elif now > sequence.deadline:
                self._finish(sequence, "deadline")
            else:
                self._next_deadline = min(self._next_deadline, sequence.deadline)

    def _sample(self, step: Step, rows: np.ndarray) -> None:
        """Turn logits [rows, vocabulary] into tokens, chunk by chunk; a request that raises fails alone."""
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
        """Decode the chunks of a rejected batch one by one, so that only the request at fault fails."""
        log.warning("a batch of %d sequences failed (%r): trying them one by one", len(step.chunks), error)
        self._failed_steps += 1
        if self._failed_steps > MAX_FAILED_STEPS:
            raise error
        for chunk in step.chunks:
            self.runner.drop_cells(chunk.sequence.cells.slot, chunk.start)
        for chunk in step.chunks:
            single = Step([chunk], step.adapter, 0, chunk.end - chunk.start)
            try:
                rows = self.runner.decode(single)
            except Exception as error:
                self._fail(chunk.sequence, error)
                continue
            self._failed_steps = 0
            self._sample(single, rows)

    # -- one sequence

    def _advance(self, chunk: Chunk, rows: np.ndarray, best: list[int], at: int) -> None:
        """Record what was computed, append the next token, and those after it if the drafts were right.

        The chunk's rows of logits begin at `at`; `best` has the token with the largest logit of every row.
        """
        sequence = chunk.sequence
        sequence.cells.computed = chunk.end
        if not chunk.rows:
            return
        if sequence.phase is PREFILL:
            sequence.phase = DECODE
            sequence.first_token = sequence.first_token or time.perf_counter()  # it may have been preempted
        reason = self._output.process(sequence, rows, best, at)
        if chunk.drafts:
            reason = self._accept_drafts(chunk, rows, best, at, reason)
        if reason:
            self._finish(sequence, reason)
        elif sequence.request.on_text is not None:
            self._output.stream(sequence, final=False)

    def _accept_drafts(
        self, chunk: Chunk, rows: np.ndarray, best: list[int], at: int, reason: str | None
    ) -> str | None:
        """Continue through the drafts while they are right; returns the finish reason, or None."""
        sequence, drafts, tokens = chunk.sequence, chunk.drafts, chunk.sequence.tokens
        accepted, end = 0, chunk.end
        while True:
            while accepted < len(drafts) and end + accepted < len(tokens):
                if tokens[end + accepted] != drafts[accepted]:
                    break
                accepted += 1
            if reason or end + accepted < len(tokens):
                break
            reason = self._output.process(sequence, rows, best, at + accepted)
        sequence.cells.computed = end + accepted
        if accepted < len(drafts):
            self.runner.drop_cells(sequence.cells.slot, sequence.cells.computed)
        if self._speculator is not None:
            self._speculator.observe(sequence, len(drafts), accepted)
        return reason

    def _finish(self, sequence: Sequence, outcome: str | Exception) -> None:
        """End a sequence with a finish reason or an error: free its slot, then tell its caller."""
        self._scheduler.finish(sequence)
        if sequence.sampler is not None:
            sequence.sampler.close()
            sequence.sampler = None  # it has an entry for every token of the vocabulary
        if isinstance(outcome, str):
            try:
                self._output.stream(sequence, final=True)
            except Exception as error:
                outcome = RequestFailed(f"on_text raised {error!r}")
        self._record(sequence, outcome)
        with self._condition:
            self._in_flight.discard(sequence)
            self._condition.notify_all()
        future = sequence.future
        if not future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            tokens, text = sequence.tokens[sequence.n_prompt :], sequence.text.decode(errors="replace")
            future.set_result(Completion(tokens, text, outcome, sequence.stats))

    def _record(self, sequence: Sequence, outcome: str | Exception) -> None:
        """Complete the sequence's statistics and add them to the totals."""
        now, stats = time.perf_counter(), sequence.stats
        started = sequence.started or now
        first = sequence.first_token or now
        stats.completion_tokens = sequence.n_generated
        stats.queued_ms = (started - sequence.submitted) * 1000
        stats.prefill_ms = (first - started) * 1000
        stats.decode_ms = (now - first) * 1000
        if sequence.started:
            self._service_s += 0.1 * (now - started - self._service_s)
        self._totals.add(outcome, stats)

    def _end_all(self, error: EngineClosed) -> None:
        """Fail all requests in flight, when the thread ends."""
        if not self._loaded:
            return
        with self._condition:
            self._draining = True
        for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
            with suppress(Exception):
                self._finish(sequence, error)
        for sequence in self._in_flight:  # not yet added, or broken by what broke the engine
            future = sequence.future
            if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(error)
        self._in_flight.clear()
