"""The materials: every colour comes from the mesh attribute "tint" or from procedural textures."""

from __future__ import annotations

from typing import Any

import bpy

HAZE = (0.93, 0.66, 0.44, 1.0)  # the evening air, linear RGB
HAZE_DEPTH = 190.0  # metres after which 63 % of the light is the air's


class Nodes:
    """Builds a node tree; inputs are given by name or index, as values or as sockets to link."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        tree.nodes.clear()

    def add(self, kind: str, inputs: dict[str | int, Any] | None = None, **properties: Any) -> bpy.types.Node:
        node = self.tree.nodes.new(kind)
        for key, value in properties.items():
            setattr(node, key, value)
        for name, value in (inputs or {}).items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        return node

    def tint(self) -> bpy.types.NodeSocket:
        return self.add("ShaderNodeAttribute", attribute_name="tint").outputs["Color"]

    def where(self) -> bpy.types.NodeSocket:
        """Position in the object's own space, so that textures travel with it."""
        return self.add("ShaderNodeTexCoord").outputs["Object"]

    def noise(
        self, scale: float, detail: float = 4.0, vector: Any = None, **inputs: Any
    ) -> bpy.types.NodeSocket:
        place = self.where() if vector is None else vector
        return self.add(
            "ShaderNodeTexNoise", {"Scale": scale, "Detail": detail, "Vector": place, **inputs}
        ).outputs[0]

    def ramp(self, value: Any, *stops: tuple[float, tuple[float, float, float]]) -> bpy.types.NodeSocket:
        node = self.add("ShaderNodeValToRGB", {0: value})
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (at, colour) in zip(elements, stops, strict=True):
            element.position, element.color = at, (*colour, 1)
        return node.outputs[0]

    def maths(self, operation: str, *values: Any) -> bpy.types.NodeSocket:
        return self.add("ShaderNodeMath", dict(enumerate(values)), operation=operation).outputs[0]

    def mix(self, factor: Any, a: Any, b: Any, blend: str = "MIX") -> bpy.types.NodeSocket:
        inputs = {0: factor, 6: a, 7: b}
        return self.add("ShaderNodeMix", inputs, data_type="RGBA", blend_type=blend).outputs[2]

    def finish(self, shader: bpy.types.NodeSocket, haze: bool = True) -> None:
        """Put the evening air before the surface and end the tree."""
        if haze:
            depth = self.add("ShaderNodeCameraData").outputs["View Distance"]
            clear = self.maths("POWER", 2.718, self.maths("DIVIDE", depth, -HAZE_DEPTH))
            air = self.add("ShaderNodeEmission", {"Color": HAZE, "Strength": 0.62}).outputs[0]
            shader = self.add("ShaderNodeMixShader", {0: clear, 1: air, 2: shader}).outputs[0]
        self.add("ShaderNodeOutputMaterial", {"Surface": shader})
        # The air is an emission, but no lamp: without this every mesh would be sampled as a light.
        for material in bpy.data.materials:
            if material.node_tree == self.tree:
                material.cycles.emission_sampling = "NONE"


def surface(
    name: str,
    colour: Any = None,
    roughness: float = 0.7,
    metallic: float = 0.0,
    coat: float = 0.0,
    grain: float = 0.0,
    grain_scale: float = 6.0,
    bump: float = 0.0,
    translucent: float = 0.0,
    glow: float = 0.0,
) -> bpy.types.Material:
    """A principled surface.

    colour: linear RGB, or None to take the attribute "tint", or a function of `Nodes` that gives a socket.
    grain: how much noise darkens and lightens it; bump: how much the same noise dents it;
    translucent: share of light let through from behind, as leaves and cloth do.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    n = Nodes(material.node_tree)
    if callable(colour):
        base = colour(n)
    else:
        base = n.tint() if colour is None else n.add("ShaderNodeRGB").outputs[0]
        if colour is not None:
            base.default_value = (*colour, 1)
    inputs: dict[str | int, Any] = {"Roughness": roughness, "Metallic": metallic, "Coat Weight": coat}
    if grain or bump:
        noise = n.noise(grain_scale, 3.0)
        if grain:
            shade = n.ramp(noise, (0.3, (1 - grain,) * 3), (0.7, (1 + grain,) * 3))
            base = n.mix(1.0, base, shade, "MULTIPLY")
        if bump:
            dent = n.add("ShaderNodeBump", {"Strength": bump, "Distance": 0.1, "Height": noise})
            inputs["Normal"] = dent.outputs[0]
    if glow:
        inputs |= {"Emission Color": base, "Emission Strength": glow}
    if roughness >= 0.55 and not (metallic or coat or glow):  # dull things: a plain diffuse is twice as fast
        normal = {k: v for k, v in inputs.items() if k == "Normal"}
        shader = n.add("ShaderNodeBsdfDiffuse", {"Color": base, **normal}).outputs[0]
    else:
        shader = n.add("ShaderNodeBsdfPrincipled", {"Base Color": base, **inputs}).outputs[0]
    if translucent:
        through = n.add("ShaderNodeBsdfTranslucent", {"Color": base}).outputs[0]
        shader = n.add("ShaderNodeMixShader", {0: translucent, 1: shader, 2: through}).outputs[0]
    n.finish(shader)
    return material


def sky() -> bpy.types.Material:
    """The painted evening sky of the dome: a warm horizon, blue above, and lit clouds in two layers."""
    material = bpy.data.materials.new("sky")
    material.use_nodes = True
    n = Nodes(material.node_tree)
    split = n.add("ShaderNodeSeparateXYZ", {0: n.where()}).outputs
    rise = n.maths("DIVIDE", split[2], 300.0)  # 0 at the horizon, 1 in the zenith
    colour = n.ramp(
        rise,
        (0.0, (1.0, 0.55, 0.22)),
        (0.08, (0.98, 0.60, 0.32)),
        (0.20, (0.50, 0.58, 0.66)),
        (0.36, (0.11, 0.33, 0.66)),
        (1.0, (0.05, 0.14, 0.40)),
    )
    # Clouds: noise on a stretched dome, with a second, shifted look-up as the light from the left.
    place = n.add("ShaderNodeMapping", {0: n.where(), "Scale": (0.0085, 0.0085, 0.026)}).outputs[0]
    lit = n.add(
        "ShaderNodeMapping", {0: n.where(), "Scale": (0.0085, 0.0085, 0.026), "Location": (0.06, 0, -0.14)}
    )
    here = n.noise(1.25, 5.0, place, Roughness=0.56, Distortion=0.35)
    there = n.noise(1.25, 3.0, lit.outputs[0], Roughness=0.56, Distortion=0.35)
    cover = n.ramp(here, (0.47, (0, 0, 0)), (0.60, (1, 1, 1)))
    light = n.maths("SUBTRACT", here, there)
    tone = n.ramp(
        n.maths("MULTIPLY_ADD", light, 4.0, 0.5),
        (0.15, (0.50, 0.36, 0.42)),
        (0.45, (0.93, 0.62, 0.48)),
        (0.72, (1.25, 1.02, 0.78)),
    )
    colour = n.mix(n.maths("MULTIPLY", cover, 0.94), colour, tone)
    n.finish(n.add("ShaderNodeEmission", {"Color": colour, "Strength": 0.95}).outputs[0], haze=False)
    return material
