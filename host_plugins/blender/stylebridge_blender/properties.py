"""What is saved with a strip and with a scene, other than what is keyframed (see `parameters`)."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat, parameters
from ._bridge.stylebridge import effect
from .ui import choices

_GROUP = bpy.types.PropertyGroup
_STILL: dict[str, Any] = {"options": set()}  # not to be keyframed: it could not be evaluated


class STYLEBRIDGE_LayerSettings(_GROUP):
    """One instance of the strip, or the background (id 0), which comes first.

    Its parameters are those of the effect's table that do not animate; the others are custom properties of the strip.
    """

    id: bpy.props.IntProperty(**_STILL)
    label: bpy.props.StringProperty(name="Label", **_STILL)
    colour: bpy.props.FloatVectorProperty(
        name="Colour", subtype="COLOR", size=3, min=0, max=1, default=(1, 1, 1), **_STILL
    )
    choice: bpy.props.EnumProperty(
        name="Style",
        description="What this is painted like",
        items=choices.items,
        get=choices.get,
        set=choices.put,
        options={"SKIP_SAVE"},
    )
    first: bpy.props.IntProperty(description="First source frame on which it was found", **_STILL)
    last: bpy.props.IntProperty(description="Last source frame on which it was found", **_STILL)


class STYLEBRIDGE_Point(_GROUP):
    """A point of a prompt, normalised to the source's picture, origin top left."""

    x: bpy.props.FloatProperty(min=0, max=1, **_STILL)
    y: bpy.props.FloatProperty(min=0, max=1, **_STILL)
    inside: bpy.props.BoolProperty(default=True, description="On the thing, or beside it", **_STILL)


class STYLEBRIDGE_Prompt(_GROUP):
    """Points at one thing on one frame of the source. Coordinates are the source's, so that nothing that happens to the
    strip moves them.

    `name` (what the instance is called) is Blender's own member of every group.
    """

    frame: bpy.props.IntProperty(name="Frame", description="The source's own frame number", **_STILL)
    points: bpy.props.CollectionProperty(type=STYLEBRIDGE_Point)
    has_box: bpy.props.BoolProperty(**_STILL)
    box: bpy.props.FloatVectorProperty(size=4, min=0, max=1, **_STILL)
    matte: bpy.props.StringProperty(name="Matte", subtype="FILE_PATH", **_STILL)
    shape: bpy.props.StringProperty(description="The outline that the matte is made of, as JSON", **_STILL)


class STYLEBRIDGE_StripSettings(_GROUP):
    """`strip.stylebridge`."""

    uid: bpy.props.StringProperty(description="Which strip this is, whatever it is called", **_STILL)
    enabled: bpy.props.BoolProperty(description="Whether the strip has a style", **_STILL)
    layers: bpy.props.CollectionProperty(type=STYLEBRIDGE_LayerSettings)
    active_layer: bpy.props.IntProperty(**_STILL)
    prompts: bpy.props.CollectionProperty(type=STYLEBRIDGE_Prompt)
    analysis: bpy.props.StringProperty(description="Which analysis the instances are of", **_STILL)
    analysed_plate: bpy.props.StringProperty(description="Of which pictures the analysis is", **_STILL)
    analysed: bpy.props.StringProperty(description="What the analysis was made of, as JSON", **_STILL)
    output: bpy.props.EnumProperty(
        name="Result",
        items=[
            ("flat", "One strip", "A strip with the styled frames above the source"),
            (
                "layers",
                "Layers",
                "A strip with alpha for each instance, whose opacity is the instance's strength: strength plays "
                "and can be keyframed again without rendering",
            ),
        ],
        default="layers",
        **_STILL,
    )
    transparent: bpy.props.StringProperty(description="Which pictures of it can be seen through", **_STILL)
    #: Of a strip that was made by a render: the source's uid, which layer (-1 for all), and what it shows.
    made_of: bpy.props.StringProperty(**_STILL)
    made_layer: bpy.props.IntProperty(default=-1, **_STILL)
    stamp: bpy.props.StringProperty(description="What was asked for, when this was rendered", **_STILL)


class STYLEBRIDGE_SceneSettings(_GROUP):
    """`scene.stylebridge`."""

    folder: bpy.props.StringProperty(
        name="Folder",
        description="Where styled frames are written; // is the folder of the file",
        subtype="DIR_PATH",
        default="//stylebridge/",
        **_STILL,
    )
    mask: bpy.props.PointerProperty(
        name="Mask", description="A mask that is drawn around a thing", type=bpy.types.Mask, **_STILL
    )


_still_layer = parameters.fixed(effect.LAYER, effect.INSTANCE)
_still_layer.pop("select")
STYLEBRIDGE_LayerSettings.__annotations__.update(parameters.declared(_still_layer))
STYLEBRIDGE_StripSettings.__annotations__.update(parameters.declared(parameters.fixed(effect.SHOT)))

CLASSES = (
    STYLEBRIDGE_LayerSettings,
    STYLEBRIDGE_Point,
    STYLEBRIDGE_Prompt,
    STYLEBRIDGE_StripSettings,
    STYLEBRIDGE_SceneSettings,
)


def attach() -> None:
    compat.STRIP.stylebridge = bpy.props.PointerProperty(type=STYLEBRIDGE_StripSettings)
    bpy.types.Scene.stylebridge = bpy.props.PointerProperty(type=STYLEBRIDGE_SceneSettings)


def detach() -> None:
    del compat.STRIP.stylebridge
    del bpy.types.Scene.stylebridge
