"""What a step costs: learnt from how long others took, without knowing about sequences or llama.cpp."""

from __future__ import annotations


class StepCost:
    """What steps cost, in seconds, learnt from those that were made.

    A step of decode tokens alone takes level * (base + slope * tokens): least squares over recent steps, and how far
    the last few were from that. `prefill_token` is what a prefill token adds to it, and `apart_token` what one takes in
    a step of at least `apart` of them and nothing else. All but the least squares follow closely, since what a token
    takes grows with the context.
    """

    def __init__(self, apart: int, decay: float = 0.98) -> None:
        self._apart, self._decay = apart, decay
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)
        self.base, self.slope = 1.0, 0.05  # a guess until steps of different sizes were seen; only ratios matter
        self.level = 1.0
        self.known = False  # whether a step without prefill was seen
        self.prefill_token = self.apart_token = 0.0  # 0: not seen yet

    def observe(self, decode_tokens: int, prefill_tokens: int, seconds: float, steps: int = 1) -> None:
        """Tell how long a step took, or each of several that did nothing but decode."""
        if not prefill_tokens:
            self._observe_decoding(decode_tokens, seconds, steps)
            return
        added = (seconds - self.decoding(decode_tokens)) / prefill_tokens
        added = max(added, 0.1 * seconds / (decode_tokens + prefill_tokens))
        if self._is_apart(decode_tokens, prefill_tokens):
            self.apart_token += (added - self.apart_token) * (0.4 if self.apart_token else 1.0)
        else:
            self.prefill_token += (added - self.prefill_token) * (0.4 if self.prefill_token else 1.0)

    def _observe_decoding(self, tokens: int, seconds: float, steps: int) -> None:
        self.known = True
        n, x, y, xx, xy = self._sums
        keep = self._decay**steps
        weight = (1 - keep) / (1 - self._decay)  # as of one after another
        n, x, y = keep * n + weight, keep * x + weight * tokens, keep * y + weight * seconds
        xx, xy = keep * xx + weight * tokens * tokens, keep * xy + weight * tokens * seconds
        self._sums = n, x, y, xx, xy
        spread = n * xx - x * x
        if n < 3:
            return
        if spread > 1e-3 * n * n:
            slope = max((n * xy - x * y) / spread, 1e-9)
            self.slope, self.base = slope, max((y - slope * x) / n, 0.0)
        else:  # all steps alike: follow the level, and slowly forget the slope, so that another size is tried some day
            self.slope *= 0.999**steps * (y / n) / (self.base + self.slope * x / n)
            self.base = y / n - self.slope * x / n
        self.level += (1 - 0.75**steps) * (seconds / (self.base + self.slope * tokens) - self.level)

    def _is_apart(self, decode_tokens: int, prefill_tokens: int) -> bool:
        return decode_tokens == 0 and prefill_tokens >= self._apart

    def decoding(self, tokens: int) -> float:
        """Seconds of a step that decodes `tokens` and does nothing else."""
        return self.level * (self.base + self.slope * tokens) if tokens and self.known else 0.0

    def prefilling(self, decode_tokens: int, prefill_tokens: int) -> float:
        """Seconds that prefill adds to a step of `decode_tokens`; 0 while none was seen."""
        apart, mixed = self.apart_token, self.prefill_token
        return prefill_tokens * (apart or mixed if self._is_apart(decode_tokens, prefill_tokens) else mixed or apart)

    def expected(self, decode_tokens: int, prefill_tokens: int) -> float:
        """Seconds that such a step usually takes; 0 while too little was seen."""
        added = self.prefilling(decode_tokens, prefill_tokens)
        if (decode_tokens and not self.known) or (prefill_tokens and not added):
            return 0.0
        return self.decoding(decode_tokens) + added
