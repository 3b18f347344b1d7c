"""When a worker counts as hung, told by a clock that the test winds."""

from __future__ import annotations

from stylebridge_server.broker.watch import STARVED, Patience, Watch
from stylebridge_server.worker.ledger import Signs

PATIENCE = Patience(beats=10, steps=60)


class Wound:
    """A watch that is looked at every half second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watch = Watch(PATIENCE, self.now)

    def quiet(self, signs: Signs, seconds: float, ready: bool = True) -> str:
        """Looks at the same signs for so long; the last answer."""
        said = ""
        for _ in range(int(seconds / 0.5)):
            self.now += 0.5
            said = self.watch.look(signs, ready, self.now)
        return said


def test_a_process_without_beats_hangs() -> None:
    wound = Wound()
    assert not wound.quiet(Signs(0, 5, 1), 10)
    assert "no sign of life" in wound.quiet(Signs(0, 5, 1), 1)


def test_a_job_without_steps_hangs_and_a_long_one_does_not() -> None:
    wound = Wound()
    for number in range(1000):
        assert not wound.quiet(Signs(7, number, number), 9)
    beats = 1000
    for _ in range(7):
        beats += 1
        said = wound.quiet(Signs(7, beats, 1000), 9)
    assert "no step forward" in said


def test_a_worker_without_a_job_need_not_step() -> None:
    wound = Wound()
    for number in range(100):
        assert not wound.quiet(Signs(0, number, 3), 9)
    assert not wound.quiet(Signs(8, 101, 4), 9), "its time begins with the job"


def test_a_start_may_take_as_long_as_a_step() -> None:
    wound = Wound()
    assert not wound.quiet(Signs(), 60, ready=False)
    assert "no step forward" in wound.quiet(Signs(), 1, ready=False)


def test_time_in_which_the_broker_did_not_run_is_not_counted() -> None:
    wound = Wound()
    assert not wound.quiet(Signs(7, 5, 5), 9)
    wound.now += STARVED + 3600
    assert not wound.watch.look(Signs(7, 5, 5), True, wound.now)
    assert not wound.quiet(Signs(7, 5, 5), 9), "the worker gets its whole time anew"
    assert "no sign of life" in wound.quiet(Signs(7, 5, 5), 2)
