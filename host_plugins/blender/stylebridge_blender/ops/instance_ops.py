"""Finding the instances of a strip, so that each can have a style of its own."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import bpy

from .. import masks, parameters, plates, preferences, strips
from .._bridge.stylebridge.client import Analysis, Client
from .._bridge.stylebridge.errors import Code, StylebridgeError
from ..engine import lanes
from ..engine.job import Job
from .strip_ops import has_strip


class STYLEBRIDGE_OT_find_instances(bpy.types.Operator):
    """Find the things in this strip, over its whole length, so that each can have a style of its own"""

    bl_idname = "stylebridge.find_instances"
    bl_label = "Find instances"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not has_strip(cls, context):
            return False
        if lanes.running(strips.source(context).stylebridge.uid):
            cls.poll_message_set("This strip is being worked on")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        strip = strips.source(context)
        job = start(strip.id_data, strip)
        if job.state == "failed":
            self.report({"ERROR"}, job.message)
            return {"CANCELLED"}
        return {"FINISHED"}


class STYLEBRIDGE_OT_forget_instances(bpy.types.Operator):
    """Style the whole picture again, as one"""

    bl_idname = "stylebridge.forget_instances"
    bl_label = "Forget instances"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        strip = strips.source(context)
        return strip is not None and len(strip.stylebridge.layers) > 1

    def execute(self, context: Any) -> set[str]:
        strip = strips.source(context)
        settings = strip.stylebridge
        settings.analysis = settings.analysed = settings.analysed_plate = ""
        take_over(strip, [])
        return {"FINISHED"}


def start(scene: Any, strip: Any) -> Job:
    """Starts finding a strip's instances; in background mode finds them."""
    preferences.apply()
    strips.begin(strip)
    uid, title = strip.stylebridge.uid, strip.name

    def prepare() -> Generator[None, None, tuple[Any, dict[str, Any]]]:
        found = strips.find(uid)
        if found is None:
            raise StylebridgeError(Code.NOT_FOUND, f"{title} is no longer in this file.")
        plate = plates.plan(*found)
        yield
        return plate, request_of(*found, plate)

    def work(job: Job) -> Analysis:
        plate, asked = job.order

        def ask(client: Client) -> Analysis:
            shot = plate.open(client, job)
            return client.analyse(shot, asked["prompts"], asked["segmenter"], job.report)

        return job.asking(ask)

    def finish(analysis: Analysis) -> str:
        found = strips.find(uid)
        if found is None:
            raise StylebridgeError(Code.NOT_FOUND, f"{title} is no longer in this file.")
        settings = found[1].stylebridge
        settings.analysis, settings.analysed = analysis.id, json.dumps(job.order[1])
        settings.analysed_plate = job.order[0].key
        take_over(found[1], analysis.instances)
        count = len(analysis.instances)
        if not count:
            return f"Nothing was found in {title}: point at a thing in the preview, and find again."
        return f"{count} instance{'s' if count > 1 else ''} found in {title}."

    job = Job(f"Finding instances in {title}", work, finish, uid, prepare, lambda order: order[0].discard())
    return lanes.submit(job)


def request_of(scene: Any, strip: Any, plate: Any) -> dict[str, Any]:
    """What an analysis is asked with: the prompts as the plate has them, and the segmenter.

    Raises:
        StylebridgeError: `BAD_VALUE` for prompts on frames that the plate does not have, `NOT_WRITABLE` where the matte
            of an outline cannot be written.
    """
    settings = strip.stylebridge
    prompts, lost = plates.for_plate(scene, strip, plate, [plain(prompt) for prompt in settings.prompts])
    if lost:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"What you pointed at for {', '.join(sorted(set(lost)))} is on a frame that is trimmed off: show that "
            "frame again, or point at it on another.",
        )
    for prompt in prompts:
        shape = prompt.pop("shape", None)
        if shape is not None:  # again: the plate may have other coordinates, and the file be gone
            prompt["matte"] = masks.write(scene, shape, plates.size(scene, strip, plate))
    return {"prompts": prompts, "segmenter": settings.segmenter}


def plain(prompt: Any) -> dict[str, Any]:
    """A prompt as a look writes it, and "shape" where its matte is made of an outline."""
    data: dict[str, Any] = {"name": prompt.name, "frame": prompt.frame}
    if prompt.matte:
        data["matte"] = bpy.path.abspath(prompt.matte)
        if prompt.shape:
            data["shape"] = json.loads(prompt.shape)
        return data
    if prompt.has_box:
        data["box"] = [round(side, 6) for side in prompt.box]
    for name, inside in (("points", True), ("not_points", False)):
        points = [[round(point.x, 6), round(point.y, 6)] for point in prompt.points if point.inside is inside]
        if points:
            data[name] = points
    return data


def take_over(strip: Any, instances: list[dict[str, Any]]) -> None:
    """Makes the strip's layers those of an analysis. What has the same name keeps its settings and keys."""
    settings = strip.stylebridge
    wanted = {instance["id"]: instance for instance in instances}
    for index in reversed(range(len(settings.layers))):
        layer = settings.layers[index]
        if layer.id != parameters.BACKGROUND and (
            layer.id not in wanted or layer.name != wanted[layer.id]["name"]
        ):
            parameters.remove(strip, layer.id)
            settings.layers.remove(index)
    there = {layer.id: layer for layer in settings.layers}
    for number, instance in sorted(wanted.items()):
        layer = there.get(number)
        if layer is None:
            layer = settings.layers.add()
        layer.id, layer.name = number, instance["name"]
        layer.label = instance["name"]
        layer.colour = [part / 255 for part in instance["colour"]]
        layer.first, layer.last = instance["first"], instance["last"]
        parameters.ensure(strip, number)
    settings.layers[0].label = "Background" if instances else "Whole picture"
    settings.active_layer = min(settings.active_layer, len(settings.layers) - 1)


CLASSES = (STYLEBRIDGE_OT_find_instances, STYLEBRIDGE_OT_forget_instances)
