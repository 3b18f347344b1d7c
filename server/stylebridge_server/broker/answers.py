"""What the broker itself answers to requests that fail."""

from __future__ import annotations

from stylebridge.errors import Code, StylebridgeError

from .sessions import Job


def cancelled() -> StylebridgeError:
    return StylebridgeError(Code.CANCELLED, "The request was cancelled.")


def superseded(job: Job) -> StylebridgeError:
    """A request in whose place a newer one is wanted."""
    return StylebridgeError(
        Code.SUPERSEDED,
        f'A newer request of the scrub "{job.message.fields["scrub"]}" took the place of this one.',
    )


def stopping(why: str) -> StylebridgeError:
    """The server takes no more requests, or ends with some unanswered."""
    return StylebridgeError(
        Code.UNREACHABLE, f"The server is stopping ({why}): start it and ask again.", stopping=True
    )


def revoked() -> StylebridgeError:
    """A client whose key was let in when it came."""
    return StylebridgeError(
        Code.DENIED, "This client's key was revoked: ask the server's owner to let it in again."
    )


def upload_lost() -> StylebridgeError:
    """A frame or blob whose worker died with it."""
    return StylebridgeError(
        Code.NEED,
        "The server's worker was started anew and lacks what was being sent: send it again.",
        again=True,
    )


def upload_stalled(seconds: float) -> StylebridgeError:
    """A frame or blob of which nothing more comes."""
    return StylebridgeError(
        Code.BAD_REQUEST,
        f"Nothing more of what was being sent came for {seconds:g} seconds: send it again from the start.",
    )


def unreadable(op: str) -> StylebridgeError:
    """A job of which the worker said what is no message."""
    return StylebridgeError(
        Code.INTERNAL,
        f'The server\'s worker answered "{op}" with what cannot be read; its log says why. Please report it.',
    )


def poisoned(job: Job) -> StylebridgeError:
    """A request that is not given to a third worker."""
    return StylebridgeError(
        Code.POISONED,
        f'The request "{job.message.op}" ended two worker processes and is not tried again: the server\'s '
        "log says how they ended; a smaller picture or another look may work.",
    )
