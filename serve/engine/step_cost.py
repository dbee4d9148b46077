"""The cost of a step in seconds, learnt from how long steps took."""

from __future__ import annotations


class StepCost:
    """A model of how long steps take, in seconds.

    A decode-only step takes level * (base + slope * tokens): least squares over recent steps, and how far the last few
    were from the fit. `mixed_prefill_token_s` is what one prefill token adds to a step, `separate_prefill_token_s` what
    one takes in a prefill-only step of at least `separate_prefill_tokens`. All but the least squares follow quickly,
    since the cost of a token grows with the context.
    """

    def __init__(self, separate_prefill_tokens: int, decay: float = 0.98) -> None:
        self._separate_prefill_tokens, self._decay = separate_prefill_tokens, decay
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)  # weighted n, x, y, xx, xy; x: tokens, y: seconds
        self.base, self.slope = 1.0, 0.05  # a guess until steps of different sizes were observed; only ratios matter
        self.level = 1.0
        self.decode_is_known = False  # whether a decode-only step was observed
        self.mixed_prefill_token_s = self.separate_prefill_token_s = 0.0  # 0: not observed yet

    def observe(self, decode_tokens: int, prefill_tokens: int, seconds: float, steps: int = 1) -> None:
        """Record how long a step took, or each of several identical decode-only steps."""
        if not prefill_tokens:
            self._observe_decode(decode_tokens, seconds, steps)
            return
        token_s = (seconds - self.decode_s(decode_tokens)) / prefill_tokens
        token_s = max(token_s, 0.1 * seconds / (decode_tokens + prefill_tokens))
        if self._is_separate(decode_tokens, prefill_tokens):
            weight = 0.4 if self.separate_prefill_token_s else 1.0
            self.separate_prefill_token_s += (token_s - self.separate_prefill_token_s) * weight
        else:
            weight = 0.4 if self.mixed_prefill_token_s else 1.0
            self.mixed_prefill_token_s += (token_s - self.mixed_prefill_token_s) * weight

    def _observe_decode(self, tokens: int, seconds: float, steps: int) -> None:
        self.decode_is_known = True
        n, x, y, xx, xy = self._sums
        keep = self._decay**steps
        weight = (1 - keep) / (1 - self._decay)  # the sum of as many single steps' weights
        n, x, y = keep * n + weight, keep * x + weight * tokens, keep * y + weight * seconds
        xx, xy = keep * xx + weight * tokens * tokens, keep * xy + weight * tokens * seconds
        self._sums = n, x, y, xx, xy
        spread = n * xx - x * x
        if n < 3:
            return
        if spread > 1e-3 * n * n:
            slope = max((n * xy - x * y) / spread, 1e-9)
            self.slope, self.base = slope, max((y - slope * x) / n, 0.0)
        else:  # steps of one size: follow the level, and slowly lower the slope until another size is tried
            self.slope *= 0.999**steps * (y / n) / (self.base + self.slope * x / n)
            self.base = y / n - self.slope * x / n
        self.level += (1 - 0.75**steps) * (seconds / (self.base + self.slope * tokens) - self.level)

    def _is_separate(self, decode_tokens: int, prefill_tokens: int) -> bool:
        return decode_tokens == 0 and prefill_tokens >= self._separate_prefill_tokens

    def decode_s(self, tokens: int) -> float:
        """Seconds of a decode-only step of `tokens`; 0 while none was observed."""
        return self.level * (self.base + self.slope * tokens) if tokens and self.decode_is_known else 0.0

    def prefill_s(self, decode_tokens: int, prefill_tokens: int) -> float:
        """Seconds that prefill adds to a step of `decode_tokens`; 0 while none was observed."""
        separate, mixed = self.separate_prefill_token_s, self.mixed_prefill_token_s
        if self._is_separate(decode_tokens, prefill_tokens):
            return prefill_tokens * (separate or mixed)
        return prefill_tokens * (mixed or separate)

    def expected_s(self, decode_tokens: int, prefill_tokens: int) -> float:
        """Seconds that such a step usually takes; 0 while too little was observed."""
        prefill_s = self.prefill_s(decode_tokens, prefill_tokens)
        if (decode_tokens and not self.decode_is_known) or (prefill_tokens and not prefill_s):
            return 0.0
        return self.decode_s(decode_tokens) + prefill_s
