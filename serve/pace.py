"""What follows from how long steps took: what the next will cost, and which threads make them.

Steps that are alike are told several at once. After a step this code and its data have been displaced from the CPU's
caches by the model's weights, so that it takes five times as long as right after it ran: told one by one, 10 of the 400
microseconds of a step of the embedded model.

    n, brief = pace.choose(step); ...; pace.observe(step, seconds)
"""

from __future__ import annotations

from serve.scheduler import Step
from serve.step_cost import StepCost
from serve.team import Teams

TOGETHER_S = 0.01  # seconds that steps have taken when they are told
ODD = 1.5  # times the expected duration, from which a step is told alone


class Pace:
    """Tells `cost` and `teams` of the steps that were made."""

    def __init__(self, cost: StepCost, teams: Teams) -> None:
        self.cost, self.teams = cost, teams
        self._tokens = 0  # that each of the steps collected decoded, and did nothing else
        self._steps, self._seconds = 0, 0.0  # how many were collected, and what they took together
        self._odd = 0.0  # seconds
        self._chosen = 0, False

    def choose(self, step: Step) -> tuple[int, bool]:
        """Threads for the step, and whether they sleep soon."""
        if self._steps:
            if step.decode_tokens == self._tokens and not step.prefill_tokens:
                return self._chosen
            self._tell()
        self._tokens = 0 if step.prefill_tokens else step.decode_tokens
        self._odd = ODD * self.cost.expected(self._tokens, 0)
        self._chosen = self.teams.choose(step.decode_tokens + step.prefill_tokens, step.delays)
        return self._chosen

    def observe(self, step: Step, seconds: float) -> None:
        """Tell how long the step took that was chosen for last."""
        if seconds < self._odd and self._tokens:
            self._steps += 1
            self._seconds += seconds
            if self._seconds > TOGETHER_S or self.teams.on_trial:
                self._tell()
            return
        if self._steps:
            self._tell()
        self._tell_of(step.decode_tokens, step.prefill_tokens, seconds, 1)

    def _tell(self) -> None:
        self._tell_of(self._tokens, 0, self._seconds / self._steps, self._steps)
        self._steps, self._seconds = 0, 0.0

    def _tell_of(self, decode_tokens: int, prefill_tokens: int, seconds: float, steps: int) -> None:
        expected = self.cost.expected(decode_tokens, prefill_tokens)
        if self.teams.observe(seconds, expected, steps):  # what a trial takes says nothing about the next steps
            self.cost.observe(decode_tokens, prefill_tokens, seconds, steps)
