"""What the gate asks of a model over time and elsewhere, and what it counts of its processes."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from registry.kernel.errors import Invalid
from serving.gate import fast, fits, growth, hostile, memory, proper, steady
from serving.gate.client import Answer, ModelClient
from serving.gate.policy import GatePolicy
from serving.runtimes.port import shaped
from serving.signature import Output
from tests.model_room import PLAIN

POLICY = GatePolicy(max_growth_bytes_per_thousand=1000, max_more_handles=3, first_ms=50)
PROBES = np.random.default_rng(0).normal(size=(12, 4))


class Model:
    """Answers like `ModelClient`, by a function of the rows."""

    def __init__(self, function):
        self.function = function

    def infer(self, rows, binary=False):
        values = self.function(rows)
        return Answer({"probability": values}, {"probability": ("FP64", values.shape)}, {})


def sound(rows):
    return 1 / (1 + np.exp(-rows[:, 0]))


def test_answers_that_are_put_together_wrongly_in_large_batches_are_caught():
    def turned(rows):
        return np.roll(sound(rows), 1) if len(rows) > 500 else sound(rows)

    assert proper.check_alone(Model(sound), PROBES, POLICY).passed
    assert not proper.check_alone(Model(turned), PROBES, POLICY).passed


def test_later_asks_for_the_same_bits_and_elsewhere_for_the_same_within_tolerance():
    first, nearly, other = ({"p": np.array([0.5, gap])} for gap in (0.1, 0.1 + 1e-9, 0.2))
    assert steady.check_later(first, first, 1.0, 10).passed
    assert not steady.check_later(first, nearly, 1.0, 10).passed
    assert steady.check_elsewhere(first, nearly, POLICY).passed
    assert not steady.check_elsewhere(first, other, POLICY).passed


@pytest.mark.parametrize(("load", "silence", "passed"), [(0.01, 0.01, 1), (9, 0, 0), (0, 9, 0)])
def test_either_first_answer_may_be_too_slow(load, silence, passed):
    assert fast.check_first(load, silence, POLICY).passed is bool(passed)


def test_memory_kept_of_refusals_and_handles_left_open_are_held_against_the_policy():
    steps = tuple(range(0, 12_000, 1000))
    assert not fits.check_refusals(growth.Growth(12, steps, 0.0), POLICY).passed
    assert fits.check_refusals(growth.Growth(12, (5,) * 12, 0.0), POLICY).passed
    assert fits.check_handles(10, 13, POLICY).passed
    assert not fits.check_handles(10, 14, POLICY).passed


def hold(ready, done):
    block = np.ones(4_000_000)
    ready.set()
    done.wait(20)
    assert block[0]


def test_memory_descriptors_and_threads_of_started_processes_are_counted():
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    before, handles = memory.read_memory(os.getpid()), memory.count_handles(os.getpid())
    child = context.Process(target=hold, args=(ready, done))
    child.start()
    assert ready.wait(20) and child.pid in memory.workers_of(os.getpid())
    after = memory.read_memory(os.getpid())
    assert after.resident - before.resident > 30_000_000
    assert memory.count_handles(os.getpid()) > handles
    done.set()
    child.join()


def test_a_thread_and_a_descriptor_are_one_handle_each():
    before, end = memory.count_handles(os.getpid()), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    assert memory.count_handles(os.getpid()) == before + 2
    end.set(), thread.join(), os.close(descriptor)


def test_hostile_requests_hold_extremes_and_what_is_no_request():
    requests = hostile.hostile_requests(ModelClient(None, "m", "1", PLAIN), PLAIN)
    assert len(requests) > 10
    assert any(np.array(np.inf, "<f8").tobytes() in request for request in requests)
    assert requests[-1].endswith(b'{"inputs": [')


@pytest.mark.parametrize("values", [[1.0, 300.0], [-1, 2], [0.5, 1.0]])
def test_a_number_that_the_declared_integer_cannot_hold_is_refused(values):
    output = Output("grade", "UINT8", (-1,))
    assert shaped(output, np.array([1.0, 255.0]), 2).tolist() == [1, 255]
    with pytest.raises(Invalid, match="UINT8 cannot hold"):
        shaped(output, np.array(values), 2)
