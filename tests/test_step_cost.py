"""The cost model of steps: `python -m pytest tests/test_step_cost.py`."""

import pytest

from serve.engine.step_cost import StepCost


def test_step_cost_finds_base_and_slope():
    cost = StepCost(separate_prefill_tokens=64)
    for tokens in [1, 8, 3, 60, 16, 1, 4, 120] * 10:
        cost.observe(tokens, 0, 0.002 + 0.0001 * tokens)
    assert abs(cost.base - 0.002) < 1e-6 and abs(cost.slope - 0.0001) < 1e-8


def test_step_cost_knows_mixed_and_separate_prefill():
    cost = StepCost(separate_prefill_tokens=64)
    for _ in range(50):
        cost.observe(8, 0, 0.010)
    assert cost.expected_s(8, 20) == 0, "nothing is known about prefill"
    for token in (0.0002, 0.0005):  # it grows with the context
        for _ in range(10):
            cost.observe(8, 20, 0.010 + 20 * token)
            cost.observe(0, 64, 64 * token / 2)
        assert cost.expected_s(8, 10) == pytest.approx(0.010 + 10 * token, rel=0.02)
        assert cost.expected_s(0, 100) == pytest.approx(100 * token / 2, rel=0.02)
        assert cost.expected_s(0, 10) == pytest.approx(10 * token, rel=0.02), "too few for a separate step"


def test_step_cost_is_right_from_the_first_fit_on():
    cost = StepCost(separate_prefill_tokens=64)
    for tokens in (8, 1, 8, 1):
        cost.observe(tokens, 0, 0.002 + 0.0001 * tokens)
    assert cost.decode_s(8) == pytest.approx(0.0028) and cost.decode_s(1) == pytest.approx(0.0021)


def test_step_cost_follows_growing_contexts():
    cost = StepCost(separate_prefill_tokens=64)
    for i in range(80):
        cost.observe((8, 1)[i % 10 == 0], 0, (0.010 + 0.0001 * i) * (1, 0.2)[i % 10 == 0])
    assert cost.decode_s(8) == pytest.approx(0.018, rel=0.05)


def test_a_wrong_slope_is_forgotten_while_all_steps_have_one_size():
    cost = StepCost(separate_prefill_tokens=64)
    for tokens in (1, 8) * 3:
        cost.observe(tokens, 0, 0.01 * tokens)  # another process took a core: a token seems to cost a whole step
    assert cost.base < 0.1 * cost.slope
    for _ in range(1500):
        cost.observe(1, 0, 0.01)
    assert cost.slope < 0.5 * cost.decode_s(1), "drafting looks worth a try, which measures the slope again"
    assert abs(cost.decode_s(1) - 0.01) < 1e-6
    for _ in range(3):
        cost.observe(7, 0, 0.012)
        cost.observe(1, 0, 0.010)
    assert abs(cost.slope - 0.002 / 6) < 1e-4
