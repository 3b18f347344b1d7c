"""What the add-on registers with Blender, in which order. Apart from `__init__`, so that pyzmq may be found first."""

from __future__ import annotations

from . import background, compat, preferences, properties
from .engine import lanes, pump, server
from .ops import instance_ops, point_ops, render_ops, server_ops, strip_ops
from .results import layers
from .ui import lists, marks, overlay, panels, preview, redraw, thumbnails

_MODULES = (
    preferences,
    properties,
    server_ops,
    strip_ops,
    instance_ops,
    point_ops,
    render_ops,
    background,
    lists,
    panels,
)


def register() -> None:
    for module in _MODULES:
        for cls in module.CLASSES:
            compat.register_class(cls)
    properties.attach()
    background.attach()
    preview.attach()
    overlay.attach()
    marks.attach()
    thumbnails.load()
    pump.on_tick(redraw.when_changed)
    pump.on_tick(preview.follow)
    pump.on_tick(overlay.follow)
    pump.on_tick(layers.follow)
    pump.start()
    preferences.apply()


def unregister() -> None:
    """Ends all jobs first: a thread of ours must not outlive the classes, nor hold up Blender when it quits."""
    lanes.stop_all()
    server.forget()
    pump.stop()
    thumbnails.unload()
    marks.detach()
    overlay.detach()
    preview.detach()
    background.detach()
    properties.detach()
    for module in reversed(_MODULES):
        for cls in reversed(module.CLASSES):
            compat.unregister_class(cls)
