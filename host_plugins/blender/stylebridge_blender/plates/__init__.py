"""What goes in: the pictures of a strip, read from its media as they are, or rendered by a child Blender.

plate = plates.plan(scene, strip)       # in the main thread
shot = plate.open(client, job)          # in a worker thread
"""

from __future__ import annotations

from .places import for_plate, from_picture, geometry, outline, size, to_source, to_view, view_of
from .planning import folder, only, plan
from .plate import Plate

__all__ = [
    "Plate",
    "folder",
    "for_plate",
    "from_picture",
    "geometry",
    "only",
    "outline",
    "plan",
    "size",
    "to_source",
    "to_view",
    "view_of",
]
