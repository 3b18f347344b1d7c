"""Picks things from a Cryptomatte by Blender's node: `python blender_cryptomatte.py JOB.json`, where Python has bpy.

The job: "file", "size" [width, height], "names", "out" (folder). Writes OUT/<place of the name>_0001.exr with the matte
in R, and OUT/seen.json: the Cryptomattes that Blender finds in the file.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy

job = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = job["size"]
scene.render.resolution_percentage = 100
scene.render.compositor_device = "CPU"
scene.frame_set(1)
scene.use_nodes = True
tree = scene.node_tree
tree.nodes.clear()
node = tree.nodes.new("CompositorNodeCryptomatteV2")
node.source = "IMAGE"
node.image = bpy.data.images.load(job["file"])
names = [item.identifier for item in node.bl_rna.properties["layer_name"].enum_items]
output = tree.nodes.new("CompositorNodeOutputFile")
output.base_path = job["out"]
output.format.file_format = "OPEN_EXR"
output.format.color_depth = "32"
tree.links.new(node.outputs["Matte"], output.inputs[0])
composite = tree.nodes.new("CompositorNodeComposite")
tree.links.new(node.outputs["Matte"], composite.inputs["Image"])
for place, name in enumerate(job["names"]):
    node.matte_id = name
    output.file_slots[0].path = f"{place}_"
    bpy.ops.render.render()
(Path(job["out"]) / "seen.json").write_text(json.dumps({"layers": names, "layer": node.layer_name}))
sys.stdout.flush()
os._exit(0)  # bpy may crash when Python ends in the usual way
