"""Who gets the places in a worker."""

from __future__ import annotations

from collections import Counter

from stylebridge.protocol import Message
from stylebridge_server.broker.queue import PLACES, SESSION_PLACES, Queue
from stylebridge_server.broker.sessions import Job, Session


def session(user: str, name: str, owner: bool = True) -> Session:
    return Session(name.encode(), user, name, owner)


def job(number: int, who: Session, frames: int = 100, op: str = "render", **fields: object) -> Job:
    named = {"frames": list(range(frames)), **fields} if op == "render" else fields
    return Job(number, who, Message(op, number, named))


def filled(queue: Queue) -> list[Job]:
    """What the worker is given while it finishes nothing."""
    running: list[Job] = []
    while (following := queue.next(running)) is not None:
        running.append(following)
    return running


def test_interactive_jobs_go_first_and_each_kind_in_its_order() -> None:
    ada = session("a", "nuke")
    queue = Queue()
    jobs = [job(1, ada), job(2, ada, frames=1), job(3, ada), job(4, ada, op="describe")]
    for one in jobs:
        queue.put(one)
    assert len(queue) == 4 and set(queue) == set(jobs)
    assert [one.number for one in filled(queue)] == [2, 4, 1, 3]
    assert len(queue) == 0


def test_nobody_takes_all_places() -> None:
    ada, bob = session("a", "nuke"), session("b", "blender")
    queue, number = Queue(), 0
    for who, count in ((ada, 60), (bob, 3)):
        for _ in range(count):
            number += 1
            queue.put(job(number, who))
    given = Counter(one.session.client for one in filled(queue))
    assert given == {"nuke": SESSION_PLACES, "blender": 3}


def test_places_are_shared_by_user_then_session() -> None:
    queue, number = Queue(), 0
    users = {"a": 30, "b": 3}
    for user, sessions in users.items():
        for place in range(sessions):
            who = session(user, f"{user}{place}")
            for _ in range(20):
                number += 1
                queue.put(job(number, who))
    running = filled(queue)
    assert len(running) == PLACES
    given = Counter(one.session.user for one in running)
    assert given == {"a": PLACES - 3 * SESSION_PLACES, "b": 3 * SESSION_PLACES}
    assert len({one.session.client for one in running}) == 33


def test_a_job_begun_before_goes_first_and_one_that_is_removed_not_at_all() -> None:
    ada, queue = session("a", "nuke"), Queue()
    first, second, third = (job(number, ada) for number in (1, 2, 3))
    queue.put(second)
    queue.put(third)
    queue.put(first, front=True)
    queue.remove(second)
    queue.remove(second)
    assert [one.number for one in filled(queue)] == [1, 3]


def test_a_batch_stays_one_when_all_but_its_last_frame_came() -> None:
    one = job(1, session("a", "nuke"), frames=2)
    one.delivered()
    assert not one.interactive


def test_equal_requests_are_alike_only_with_equal_rights() -> None:
    ada, other, guest = session("a", "nuke"), session("a", "blender"), session("b", "nuke", owner=False)
    asked = {"shot": "s", "prompts": [{"name": "dog", "frame": 1}], "segmenter": "auto"}
    alike = [job(1, who, op="analyse", **asked).likeness for who in (ada, other, guest)]
    assert alike[0] == alike[1] != alike[2]
    assert job(2, ada, op="analyse", **{**asked, "segmenter": "none"}).likeness != alike[0]
    assert job(3, ada).likeness is None
