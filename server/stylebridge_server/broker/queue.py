"""The jobs that wait for a place in the worker, and who gets the next one.

The worker shares its time among the jobs that it has (`worker.turns`). Here it is only seen to that everybody has
some there: of many clients none takes all places, whatever it asks for.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator

from .sessions import Job, Session

#: Jobs of one kind that a worker has at once, of one session and of all. Few of them compute: the others are streams
#: whose clients may be slow to take what was made for them, so it takes many idle clients to keep others out.
SESSION_PLACES = 8
PLACES = 96


class Queue:
    """Jobs in the order in which they came, for each session; interactive ones and batches apart."""

    def __init__(self) -> None:
        self._lines: dict[tuple[bool, Session], deque[Job]] = {}

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __iter__(self) -> Iterator[Job]:
        for line in self._lines.values():
            yield from line

    def put(self, job: Job, front: bool = False) -> None:
        """Adds a job, at the front where it was begun before."""
        line = self._lines.setdefault((job.interactive, job.session), deque())
        line.appendleft(job) if front else line.append(job)

    def remove(self, job: Job) -> None:
        """Takes a job out, where it is in."""
        place = job.interactive, job.session
        line = self._lines.get(place)
        if line and job in line:
            line.remove(job)
            if not line:
                del self._lines[place]

    def next(self, running: Collection[Job]) -> Job | None:
        """The job to be sent to the worker now, None for none.

        Interactive ones first; of each kind one of the user, and of the user's one of the session, that has the
        fewest there.
        """
        if not self._lines:
            return None
        kinds = Counter(job.interactive for job in running)
        users = Counter((job.interactive, job.session.user) for job in running)
        sessions = Counter((job.interactive, job.session) for job in running)
        for interactive in (True, False):
            places = [
                (users[interactive, session.user], sessions[interactive, session], line[0].number, session)
                for (kind, session), line in self._lines.items()
                if kind == interactive and sessions[interactive, session] < SESSION_PLACES
            ]
            if places and kinds[interactive] < PLACES:
                job = self._lines[interactive, min(places, key=lambda place: place[:3])[3]][0]
                self.remove(job)
                return job
        return None
