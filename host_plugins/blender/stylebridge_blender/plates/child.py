"""What runs in the child Blender: one strip, alone, rendered to files. A script, not a module of the add-on.

    blender -b --python child.py -- JOB.json        # or, where Blender is a Python module: python child.py JOB.json

It speaks to its parent in lines on stdout that begin with `MARK`, each with a JSON object: {"frame": n, "opaque": bool}
for each file that is whole (opaque as long as all were), {"error": sentence} before it gives up. It ends when its stdin
does: a parent that dies leaves no renderer behind.
"""

from __future__ import annotations

import array
import json
import os
import sys
import threading
from pathlib import Path

import bpy

MARK = "stylebridge-plate "
#: Effects whose picture is made of all that lies below them.
OF_WHAT_LIES_BELOW = ("ADJUSTMENT", "MULTICAM")


def say(**words):
    """A line for the parent. Written at once and whole, whatever Blender prints in between."""
    os.write(1, ("\n" + MARK + json.dumps(words) + "\n").encode())


def strips_of(owner):
    """The strips of an editor or a meta strip, in any version."""
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def inputs_of(strip):
    """The strips that an effect is made of."""
    names = ("input_1", "input_2")
    return [one for one in (getattr(strip, name, None) for name in names) if one is not None]


def path_to(owner, name):
    """The strip of that name with the metas that it lies in, outermost first; empty where there is none."""
    for strip in strips_of(owner):
        if strip.name == name:
            return [strip]
        if strip.type == "META":
            below = path_to(strip, name)
            if below:
                return [strip, *below]
    return []


def needed_for(strip, level):
    """The names of the strips of its level without which a strip shows another picture."""
    names, todo = set(), [strip]
    while todo:
        one = todo.pop()
        if one.name in names:
            continue
        names.add(one.name)
        todo += inputs_of(one)
        if one.type in OF_WHAT_LIES_BELOW:
            todo += [other for other in level if other.channel < one.channel and not other.mute]
    return names


def show_alone(scene, name):
    """Mutes whatever is not part of the strip's own picture, which is then shown as it is, at full opacity.

    How a strip is laid over others (blend mode, opacity) is not part of its picture: what comes back is laid over the
    same way. The same holds of the metas around it, whose transform and grading what comes back will meet again.
    """
    editor = scene.sequence_editor
    if hasattr(editor, "use_prefetch"):
        editor.use_prefetch = False
    path = path_to(editor, name)
    if not path:
        raise LookupError(f'There is no strip "{name}" in the scene "{scene.name}".')
    owner = editor
    for place, strip in enumerate(path):
        level = list(strips_of(owner))
        needed = needed_for(strip, level)
        for other in level:
            if other.name not in needed:
                other.mute = True
        for channel in getattr(owner, "channels", ()):
            channel.mute = False
        strip.mute = False
        still(scene, strip, ("blend_alpha", "mute"))
        strip.blend_type, strip.blend_alpha = "REPLACE", 1.0
        if place < len(path) - 1:
            neutral(scene, strip)
        owner = strip


def still(scene, strip, names):
    """Takes the keyframes and drivers off some of a strip's properties."""
    for name in names:
        try:
            strip.driver_remove(name)
        except TypeError:
            continue
        while strip_curve(scene, strip, name) is not None:
            remove_curve(scene, strip_curve(scene, strip, name))


def curves_of(scene):
    """The collections of F-curves that animate a scene, in any version."""
    data = scene.animation_data
    action = data.action if data else None
    if action is None:
        return []
    if hasattr(action, "fcurves"):
        return [action.fcurves]
    return [bag.fcurves for layer in action.layers for part in layer.strips for bag in part.channelbags]


def strip_curve(scene, strip, name):
    path = strip.path_from_id(name)
    return next((curve for curves in curves_of(scene) for curve in curves if curve.data_path == path), None)


def remove_curve(scene, curve):
    for curves in curves_of(scene):
        if any(one == curve for one in curves):
            curves.remove(curve)
            return


def neutral(scene, meta):
    """A meta strip as if it had just been made."""
    place, crop = meta.transform, meta.crop
    place.offset_x = place.offset_y = place.rotation = 0.0
    place.scale_x = place.scale_y = 1.0
    crop.min_x = crop.max_x = crop.min_y = crop.max_y = 0
    meta.use_flip_x = meta.use_flip_y = False
    meta.color_saturation = meta.color_multiply = 1.0
    for modifier in meta.modifiers:
        modifier.mute = True


def set_output(scene, pixel_format):
    """Pictures as the sequencer makes them: whole, undithered, unstamped, without a view's look.

    "exr": half floats, scene linear Rec.709, premultiplied. "png": 16 bits, display-referred sRGB, straight.
    """
    render, view = scene.render, scene.view_settings
    scene.display_settings.display_device = "sRGB"
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False
    render.use_sequencer = True
    render.use_file_extension = False
    render.use_overwrite, render.use_placeholder = True, False
    render.use_stamp = False
    for name, _ in render.bl_rna.properties.items():
        if name.startswith("use_stamp_"):
            setattr(render, name, False)  # dates and times would make equal pictures unequal files
    render.use_border = False
    render.use_multiview = False
    render.resolution_percentage = 100
    render.dither_intensity = 0.0
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = {"exr": "OPEN_EXR", "png": "PNG"}[pixel_format]
    settings.color_mode = "RGBA"
    settings.color_depth = "16"
    if pixel_format == "exr":
        settings.exr_codec = "ZIP"
        settings.color_management = "OVERRIDE"
        names = settings.linear_colorspace_settings.bl_rna.properties["name"].enum_items.keys()
        settings.linear_colorspace_settings.name = "Linear Rec.709" if "Linear Rec.709" in names else "Linear"
    else:
        settings.compression = 15
        settings.color_management = "FOLLOW_SCENE"


def is_opaque(path):
    """Whether no pixel of a picture file is transparent."""
    image = bpy.data.images.load(path)
    try:
        image.colorspace_settings.name = "Non-Color"
        values = array.array("f", bytes(4 * len(image.pixels)))
        image.pixels.foreach_get(values)
        return min(values[3::4]) >= 1.0
    finally:
        bpy.data.images.remove(image)


def run(job):
    """Renders the frames of a job, whose fields `work.Work` writes."""
    bpy.ops.wm.open_mainfile(filepath=job["blend"], load_ui=False, use_scripts=job["scripts"])
    scene = bpy.data.scenes.get(job["scene"])
    if scene is None:
        raise LookupError(f'There is no scene "{job["scene"]}".')
    show_alone(scene, job["strip"])
    set_output(scene, job["format"])
    window = bpy.context.window_manager.windows[0] if bpy.context.window_manager.windows else None
    if window is not None:
        window.scene = scene
    opaque = True  # until a picture is not, which settles it for the plate
    for number, part, target in job["frames"]:
        scene.frame_set(job["origin"] + number)
        scene.render.filepath = part
        bpy.ops.render.render(write_still=True, scene=scene.name)
        if not Path(part).is_file():
            raise OSError(f"Blender wrote no picture for frame {scene.frame_current}.")
        opaque = opaque and is_opaque(part)
        Path(part).replace(target)
        say(frame=number, opaque=opaque)


def watch_parent():
    """Ends this process with its stdin."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def main():
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    status = 0
    try:
        job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        threading.Thread(target=watch_parent, daemon=True).start()
        run(job)
    except Exception as error:  # whatever it is, the parent says it in the panel
        say(error=str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__)
        status = 1
    os._exit(status)  # Blender as a module may crash while it ends


if __name__ == "__main__":
    main()
