"""Sockets, sessions, keys, scheduling and supervision: a process that loads neither torch, numpy nor cv2."""

from .serve import Options, serve

__all__ = ["Options", "serve"]
