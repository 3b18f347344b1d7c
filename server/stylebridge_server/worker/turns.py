"""Whose turn it is to compute: nothing here waits or knows of threads.

Jobs of two kinds ask for turns: *interactive* ones, for whose one answer somebody waits, and *batch* ones. Interactive
ones go first, but a share of the time is owed to batch jobs that wait meanwhile, so that constant interactive load
slows them down and does not stop them.

Within a kind, time is shared equally between users, within a user between sessions, within a session between jobs:
whoever has computed least goes next. Who comes, or comes back from idling, starts at the mean of the others (the
virtual time of fair queueing: Demers, Keshav and Shenker 1989), so nobody saves anything up, and nobody who is new
every time gets more than a share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

#: Share of the time that batch jobs get while interactive ones ask for all of it.
BATCH_SHARE = 0.2
#: Users, sessions and jobs of the past that are remembered at most, beyond those that matter.
REMEMBERED = 1000

Path = tuple[object, ...]  # user; user, session; user, session, job


@dataclass(frozen=True)
class Claim:
    """One job that wants to compute."""

    job: int
    user: str = ""
    session: str = ""
    interactive: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its places in the tree, from the user down."""
        return (self.user,), (self.user, self.session), (self.user, self.session, self.job)


class Shares:
    """What everybody of one kind has computed, in seconds. Present is who computes or waits for a turn."""

    def __init__(self) -> None:
        self._spent: defaultdict[Path, float] = defaultdict(float)
        self._mean: defaultdict[Path, float] = defaultdict(float)  # by parent: what a new child begins with
        self._present: defaultdict[Path, int] = defaultdict(int)  # claims
        self._children: defaultdict[Path, int] = defaultdict(int)  # present ones

    def enter(self, claim: Claim) -> None:
        """It is present from now on."""
        for path in claim.paths:
            if not self._present[path]:
                self._spent[path] = max(self._spent[path], self._mean[path[:-1]])
                self._children[path[:-1]] += 1
            self._present[path] += 1
        if len(self._spent) > REMEMBERED:
            self._forget()

    def leave(self, claim: Claim) -> None:
        """It is no longer present; it may come back."""
        for path in claim.paths:
            self._present[path] -= 1
            if not self._present[path]:
                del self._present[path]
                self._children[path[:-1]] -= 1

    def charge(self, claim: Claim, seconds: float) -> None:
        """It has computed for so long."""
        for path in claim.paths:
            self._spent[path] += seconds
            self._mean[path[:-1]] += seconds / self._children[path[:-1]]

    def order(self, claim: Claim) -> tuple[float, ...]:
        """Less goes first."""
        return *(self._spent[path] for path in claim.paths), claim.job

    def _forget(self) -> None:
        """Lets go of the absent that would begin where the others are anyway, and of all below them."""
        for path in sorted(self._spent, key=len):
            parent = path[:-1]
            orphan = bool(parent) and parent not in self._spent
            if orphan or (path not in self._present and self._spent[path] <= self._mean[parent]):
                del self._spent[path]
        for table in (self._mean, self._children):
            for path in [path for path in table if path and path not in self._spent]:
                del table[path]


class Turns:
    """Decides who goes next, and keeps account of who has gone."""

    def __init__(self) -> None:
        self._shares = {interactive: Shares() for interactive in (False, True)}
        self._owed = 0.0  # seconds for which batch jobs may go before interactive ones
        self._more = 0.0  # by how much that grew last
        self._step = 0.0  # what the longer ones of the last batch turns took
        self._ahead = False  # whether the present turn is one of those owed

    def enter(self, claim: Claim) -> None:
        """It asks for turns from now on."""
        self._shares[claim.interactive].enter(claim)

    def leave(self, claim: Claim) -> None:
        """It asks for no more, for now."""
        self._shares[claim.interactive].leave(claim)

    def next(self, waiting: Collection[Claim]) -> Claim:
        """Which of them goes next; at least one waits."""
        kinds = {claim.interactive for claim in waiting}
        # A debt is paid when it is as great as a turn: a little of it must not stop a scrub for a long frame.
        due = self._owed > 0 and self._owed >= self._step
        interactive = not due if len(kinds) == 2 else True in kinds
        order = self._shares[interactive].order
        return min((claim for claim in waiting if claim.interactive == interactive), key=order)

    def start(self, claim: Claim, waiting: Collection[Claim]) -> None:
        """It computes now, and those wait."""
        self._ahead = not claim.interactive and any(other.interactive for other in waiting)

    def charge(self, claim: Claim, seconds: float, waiting: Collection[Claim]) -> None:
        """It has computed for so long, and those wait."""
        self._shares[claim.interactive].charge(claim, seconds)
        if not claim.interactive:
            self._step = max(seconds, 0.8 * self._step)
            if self._ahead:
                self._owed = max(self._owed - seconds, 0.0)
        elif not all(other.interactive for other in waiting):
            self._more = seconds * BATCH_SHARE / (1 - BATCH_SHARE)
            self._owed += self._more
        # Nothing is saved up beyond the next turns.
        self._owed = min(self._owed, max(self._step, self._more))
