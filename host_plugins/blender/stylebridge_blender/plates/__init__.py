"""What goes in: the pictures of a strip, read from its media as they are, or rendered by a child Blender.

plate = plates.plan(scene, strip)       # in the main thread
shot = plate.open(client, job)          # in a worker thread
"""

from __future__ import annotations

from .places import for_plate, geometry, outline, to_source, to_view
from .planning import folder, only, plan
from .plate import Plate

__all__ = ["Plate", "folder", "for_plate", "geometry", "only", "outline", "plan", "to_source", "to_view"]
