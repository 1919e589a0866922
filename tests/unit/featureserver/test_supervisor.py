"""The supervisor of worker processes, over workers that a test ends."""

import threading
import time

import pytest

from featureserver.supervisor import Pauses, Supervisor
from registry.kernel.errors import Unavailable


class Told:
    """A worker that ends when the test says so, or when asked."""

    def __init__(self, pid):
        self.pid, self.code, self.asked, self.let_go = pid, None, False, False

    def ended(self):
        return self.code

    def ask_to_end(self):
        self.asked = True

    def end(self):
        self.let_go = True

    def last_words(self):
        return "so long"


class Starter:
    def __init__(self):
        self.made, self.refuse = [], 0

    def __call__(self, slot):
        if self.refuse:
            self.refuse -= 1
            raise Unavailable("a worker cannot serve")
        self.made.append(Told(len(self.made)))
        return self.made[-1]


def wait_until(said):
    end = time.monotonic() + 10
    while not said() and time.monotonic() < end:
        time.sleep(0.01)
    assert said()


def test_a_dead_worker_is_replaced_however_often_that_fails_and_all_are_drained():
    start = Starter()
    supervisor = Supervisor(start, 2, Pauses(0.01, 0.02))
    supervisor.start()
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    start.refuse, start.made[0].code = 3, -9
    wait_until(lambda: sorted(supervisor.pids) == [1, 2])
    supervisor.ask_to_stop()
    watching.join(10)
    supervisor.stop()
    assert [one.asked for one in start.made] == [False, True, True]
    assert all(one.let_go for one in start.made) and supervisor.pids == []


def test_when_one_cannot_be_started_the_others_are_ended():
    start = Starter()
    supervisor = Supervisor(lambda slot: start(slot) if slot < 2 else fail(), 3, Pauses(1.0, 1.0))
    with pytest.raises(Unavailable, match="the third"):
        supervisor.start()
    assert [one.let_go for one in start.made] == [True, True]


def fail():
    raise Unavailable("the third cannot serve")


@pytest.mark.parametrize("settled", [0.0, 60.0])
def test_workers_that_all_refuse_to_serve_end_the_server_where_that_is_the_policy(settled):
    start = Starter()
    supervisor = Supervisor(start, 2, Pauses(0.01, 0.02, settled, gives_up=True))
    supervisor.start()
    ending = threading.Timer(0.3, supervisor.ask_to_stop)
    ending.start()
    for one in start.made:
        one.code = 1
    if settled:
        with pytest.raises(Unavailable, match="no worker can serve"):
            supervisor.watch()
    else:
        supervisor.watch()
        assert len(supervisor.pids) == 2 and len(start.made) == 4
    ending.cancel()


def test_pauses_grow_from_the_first_to_the_longest():
    pauses = Pauses(0.5, 3.0)
    assert [pauses.after(n) for n in range(6)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
