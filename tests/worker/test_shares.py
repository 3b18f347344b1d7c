"""How compute time is shared: simulated, with a clock that runs as the jobs say."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from stylebridge_server.worker.baton import QUANTUM, Baton
from stylebridge_server.worker.turns import BATCH_SHARE, REMEMBERED, Claim, Turns


def computed(steps: Mapping[Claim, float], seconds: float) -> Counter[Claim]:
    """What each gets of so many seconds, where all ask for all of it, in steps that take so long."""
    turns, spent = Turns(), Counter[Claim]()
    for claim in steps:
        turns.enter(claim)
    while spent.total() < seconds:
        claim = turns.next(steps.keys())
        rest = steps.keys() - {claim}
        turns.start(claim, rest)
        turns.charge(claim, steps[claim], rest)
        spent[claim] += steps[claim]  # type: ignore[assignment]
    return spent


def by(spent: Counter[Claim], what: Callable[[Claim], str]) -> Counter[str]:
    sums = Counter[str]()
    for claim, seconds in spent.items():
        sums[what(claim)] += seconds
    return sums


@pytest.mark.parametrize("interactive", [False, True])
def test_time_is_shared_by_user_then_session_then_job(interactive: bool) -> None:
    """However long their steps are, and however many jobs they ask for."""
    places = [("ada", "nuke", 3), ("ada", "farm", 1), ("bob", "blender", 5)]
    claims = [
        Claim(10 * place + job, user, session, interactive)
        for place, (user, session, jobs) in enumerate(places)
        for job in range(jobs)
    ]
    spent = computed({claim: 0.1 + 0.7 * (claim.job % 4) for claim in claims}, 3000)
    users, sessions = by(spent, lambda claim: claim.user), by(spent, lambda claim: claim.session)
    assert users["ada"] == pytest.approx(users["bob"], rel=0.02)
    assert sessions["nuke"] == pytest.approx(sessions["farm"], rel=0.02)
    jobs = [spent[claim] for claim in claims if claim.session == "blender"]
    assert max(jobs) < 1.1 * min(jobs)


def test_a_small_job_does_not_wait_for_a_long_one() -> None:
    turns, long, small = Turns(), Claim(1, "ada"), Claim(2, "bob")
    turns.enter(long)
    for _ in range(1000):
        turns.charge(long, 1.0, [])
    turns.enter(small)
    turns.charge(long, 1.0, [small])
    assert turns.next([long, small]) == small
    turns.charge(small, 1.5, [long])
    assert turns.next([long, small]) == long, "who comes late has saved nothing up"


def test_who_is_new_every_time_gets_one_share() -> None:
    """A farm's processes of one frame each, beside one long job of the same user."""
    turns, long = Turns(), Claim(0, "ada", "nuke")
    turns.enter(long)
    spent = 0
    for number in range(1, 1001):
        brief = Claim(number, "ada", f"farm {number}")
        turns.enter(brief)
        while turns.next([long, brief]) == long:
            turns.charge(long, 1.0, [brief])
            spent += 1
        turns.charge(brief, 1.0, [long])
        turns.leave(brief)
    assert 900 < spent < 1100


def test_interactive_jobs_go_first_and_do_not_stop_batch_jobs() -> None:
    scrub, batch = Claim(1, "ada", interactive=True), Claim(2, "bob")
    for scrubbed, made in ((0.1, 2.0), (2.0, 0.1), (0.3, 0.3)):
        spent = computed({scrub: scrubbed, batch: made}, 1000)
        assert spent[batch] / spent.total() == pytest.approx(BATCH_SHARE, abs=0.01)


def test_nothing_is_owed_while_no_batch_waits() -> None:
    turns, scrub, batch = Turns(), Claim(1, interactive=True), Claim(2)
    turns.enter(batch)
    turns.charge(batch, 1.0, [])  # so long are its turns
    turns.leave(batch)
    turns.enter(scrub)
    for _ in range(100):
        turns.charge(scrub, 1.0, [])
    turns.enter(batch)
    assert turns.next([batch, scrub]) == scrub
    turns.charge(scrub, 1.0, [batch])
    assert turns.next([batch, scrub]) == scrub


def test_what_is_remembered_is_bounded() -> None:
    turns, first = Turns(), Claim(0, "ada", "first")
    turns.enter(first)
    for number in range(1, 5 * REMEMBERED):
        claim = Claim(number, f"user {number % 7}", f"session {number}")
        turns.enter(claim)
        turns.charge(claim, 1.0, [first])
        turns.leave(claim)
    shares = turns._shares[False]
    assert max(len(shares._spent), len(shares._mean), len(shares._children)) < 2 * REMEMBERED
    assert len(shares._present) == 3


def test_a_job_keeps_the_baton_for_a_while_among_its_equals() -> None:
    now = [0.0]
    baton, one, other, scrub = Baton(lambda: now[0]), Claim(1), Claim(2), Claim(3, interactive=True)
    assert baton.take(one)
    assert not baton.due()
    threads = [threading.Thread(target=baton.take, args=[claim], daemon=True) for claim in (other, scrub)]
    waiting(baton, threads[0])
    now[0] += QUANTUM / 2
    assert not baton.due()
    now[0] += QUANTUM
    assert baton.due()
    baton.give()
    threads[0].join(5)
    assert baton._holder == other
    waiting(baton, threads[1])
    now[0] += QUANTUM / 10
    assert baton.due(), "an interactive job does not wait for that"


def waiting(baton: Baton, thread: threading.Thread) -> None:
    """Starts a thread that takes the baton, and returns when it waits."""
    thread.start()
    end = time.monotonic() + 10
    while not baton._waiting:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
