"""Errors that a person can act on: a stable code for programs, one clear sentence for people."""

from __future__ import annotations


class Code:
    """The codes of every error that crosses the bridge. Clients may branch on them; sentences may change."""

    BAD_REQUEST = "bad_request"  # the message itself is malformed or lacks a field
    BAD_VALUE = "bad_value"  # a parameter is of the wrong type or out of range
    BAD_LOOK = "bad_look"  # a look that cannot be read; the message names line and key
    UNKNOWN_STYLE = "unknown_style"
    UNKNOWN_INSTANCE = "unknown_instance"
    NOT_FOUND = "not_found"  # no such file, shot, analysis, frame
    NOT_READABLE = "not_readable"  # the file is there but is not what it should be
    NOT_WRITABLE = "not_writable"
    NEED = "need"  # the server lacks an input that the client can put
    PARTIAL = "partial"  # a source that ends early; what could be made was made
    TOO_LARGE = "too_large"  # refused before memory is taken
    VERSION = "version"  # client and server do not speak the same protocol
    FINGERPRINT = "fingerprint"  # results of another fingerprint would be mixed
    UNREACHABLE = "unreachable"  # no server, or it stopped answering
    DENIED = "denied"  # not the owner, or a path outside the folders given
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # a newer request of the same `scrub` took its place
    POISONED = "poisoned"  # the request killed two workers and is not tried again
    MISSING_EXTRA = "missing_extra"  # a part of the product that is not installed
    INTERNAL = "internal"  # a defect of ours


class StylebridgeError(Exception):
    """One sentence that names the thing, what is wrong and what to do, with its `Code`.

    Attributes:
        code: one of the strings in `Code`.
        message: the sentence.
        details: plain data for programs (MessagePack types only), such as {"line": 3, "key": "strength"}.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
