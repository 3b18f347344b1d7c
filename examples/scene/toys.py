"""The three instances: a balloon, a car and a bird, each hung on one empty whose name the mattes go by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
from materials import surface
from shapes import Soup, arc, ellipsoid, empty, grid_faces, lathe, pillow, tube, turned

CREAM = (0.90, 0.80, 0.60)
CHROME = (0.80, 0.78, 0.74)


@dataclass
class Balloon:
    root: bpy.types.Object
    envelope: bpy.types.Object


@dataclass
class Car:
    root: bpy.types.Object
    body: bpy.types.Object
    wheels: list[bpy.types.Object]


@dataclass
class Bird:
    root: bpy.types.Object
    body: bpy.types.Object
    shoulders: list[bpy.types.Object]  # left, right
    elbows: list[bpy.types.Object]


def balloon() -> Balloon:
    """A hot-air balloon 4.6 m across; its origin is the basket's floor."""
    root = empty("balloon")
    gores, fine, rings = 24, 8, 120
    t = np.linspace(0, 1, rings)
    # A teardrop: a sphere above, drawn in to the mouth below.
    r = 2.3 * np.sin(np.pi * t**0.80) ** 0.85 * (1 - 0.05 * t)
    r = np.where(t < 0.5, np.maximum(r, 0.42 * (1 - t / 0.3)), r)
    z = 2.1 + 5.0 * (1 - np.cos(np.pi * t**0.92)) / 2
    turn = np.arange(gores * fine) / (gores * fine) * 2 * math.pi
    bulge = 1 + 0.035 * np.abs(np.sin(turn * gores / 2)) ** 0.7
    radius = np.outer(r, bulge)
    points = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.repeat(z[:, None], len(turn), 1)], -1)
    ring, gore = np.mgrid[0 : rings - 1, 0 : gores * fine]
    height_ = (ring + 0.5) / rings
    number = gore // fine
    within = (gore % fine + 0.5) / fine
    teal, coral, mustard = (
        np.array((0.02, 0.22, 0.26)),
        np.array((0.78, 0.10, 0.05)),
        np.array((0.92, 0.50, 0.04)),
    )
    colour = np.where((number % 2)[..., None] == 0, np.array(CREAM), coral)
    tooth = np.abs(within - 0.5) * 0.085
    band = (height_ > 0.40 + tooth) & (height_ < 0.60 + tooth)
    colour = np.where(band[..., None], teal, colour)
    rim = ((height_ > 0.385 + tooth) & (height_ <= 0.40 + tooth)) | (
        (height_ >= 0.60 + tooth) & (height_ < 0.615 + tooth)
    )
    colour = np.where(rim[..., None], mustard, colour)
    diamond = (np.abs(within - 0.5) * 0.16 + np.abs(height_ - 0.52) < 0.058) & band
    colour = np.where(diamond[..., None], np.where((number % 2)[..., None] == 0, mustard, CREAM), colour)
    colour = np.where((height_ > 0.90)[..., None], teal, colour)
    colour = np.where(((height_ > 0.885) & (height_ <= 0.90))[..., None], mustard, colour)
    colour = np.where((height_ < 0.12)[..., None], teal, colour)
    skin = surface("envelope", roughness=0.55, translucent=0.3, glow=0.06)
    envelope = (
        Soup()
        .add(points.reshape(-1, 3), grid_faces(rings, len(turn), True), colour.reshape(-1, 3))
        .build("envelope", skin, root)
    )
    basket = Soup()
    mouth = float(r[3])
    for i in range(8):
        a = i / 8 * 2 * math.pi
        b = (0.42 * math.cos(a), 0.42 * math.sin(a))
        basket.add(
            *tube((*b, 0.75), (mouth * math.cos(a), mouth * math.sin(a), float(z[3])), 0.016, sides=5),
            (0.30, 0.20, 0.10),
        )
    weave = [(0.40, 0.0)]
    for i in range(14):
        weave += [(0.42 + 0.008 * i + (0.03 if i % 2 else 0), 0.02 + 0.05 * i)]
    weave += [(0.56, 0.72), (0.60, 0.76), (0.55, 0.80), (0.45, 0.76), (0.40, 0.1), (0.01, 0.05)]
    points, faces = lathe(weave, 32)
    light = (np.arange(len(faces)) // 2 + np.arange(len(faces)) // 32) % 2
    basket.add(points, faces, np.where(light[:, None] == 0, (0.42, 0.22, 0.08), (0.62, 0.37, 0.15)))
    basket.add(*lathe([(0.01, 0.0), (0.42, 0.0), (0.42, 0.03)], 32), (0.3, 0.16, 0.06))
    for i in range(6):
        a = (i + 0.5) / 6 * 2 * math.pi
        basket.add(
            *ellipsoid((0.64 * math.cos(a), 0.64 * math.sin(a), 0.42), (0.09, 0.09, 0.14), 8, 10),
            (0.72, 0.60, 0.42),
        )
    basket.add(*lathe([(0.10, 1.2), (0.14, 1.25), (0.12, 1.5), (0.05, 1.52)], 12), CHROME)
    # Its crew: a small brown bear with a scarf, looking out to the camera's side.
    fur, dark = (0.36, 0.17, 0.06), (0.02, 0.015, 0.01)
    basket.add(*ellipsoid((0, -0.25, 0.80), (0.2, 0.17, 0.22)), fur)
    basket.add(*ellipsoid((0, -0.29, 1.10), (0.19, 0.17, 0.17)), fur)
    basket.add(*ellipsoid((0, -0.45, 1.06), (0.08, 0.07, 0.06)), (0.66, 0.42, 0.22))
    basket.add(*ellipsoid((0, -0.52, 1.08), (0.028, 0.02, 0.02), 6, 8), dark)
    for side in (-1, 1):
        basket.add(*ellipsoid((0.14 * side, -0.26, 1.24), (0.065, 0.04, 0.065), 8, 10), fur)
        basket.add(*ellipsoid((0.07 * side, -0.44, 1.14), (0.022, 0.02, 0.025), 6, 8), dark)
        basket.add(*ellipsoid((0.2 * side, -0.45, 0.80), (0.06, 0.12, 0.05), 8, 10), fur)
    basket.add(*lathe([(0.15, 0.92), (0.19, 0.95), (0.19, 1.0), (0.14, 1.02)], 16), (0.05, 0.20, 0.50))
    basket.build("basket", surface("wicker", roughness=0.7, grain=0.2, grain_scale=20), root)
    return Balloon(root, envelope)


def car() -> Car:
    """A red vintage tin car 2.6 m long that heads for +x, its wheels on z = 0, luggage on the roof."""
    root = empty("car")
    body = empty("car body", root)
    red, dark_red = (0.62, 0.02, 0.015), (0.36, 0.01, 0.012)
    paint = surface("car paint", roughness=0.28, coat=0.8)
    soup = Soup()
    soup.add(*pillow((-1.16, -0.50, 0.32), (1.10, 0.50, 0.82), 5), red)
    soup.add(*pillow((0.10, -0.36, 0.55), (1.20, 0.36, 1.00), 3.2), red)
    soup.add(*pillow((-1.22, -0.42, 0.45), (-0.30, 0.42, 1.00), 3), red)
    soup.add(*pillow((-0.80, -0.47, 0.70), (0.42, 0.47, 1.42), 3.6), CREAM)
    soup.add(*pillow((-0.84, -0.50, 1.30), (0.48, 0.50, 1.47), 3.5), red)
    for side in (-1, 1):
        for x in (0.78, -0.78):
            soup.add(*arc((x, 0.50 * side, 0.36), 0.43, 0.09, 0.17, -0.12, math.pi + 0.12), dark_red)
        soup.add(*pillow((-0.5, 0.44 * side - 0.14, 0.28), (0.5, 0.44 * side + 0.14, 0.36), 6), dark_red)
    soup.build("car shell", paint, body)
    glass = Soup()
    pane = (0.03, 0.06, 0.08)
    for side in (-1, 1):
        glass.add(*pillow((-0.70, 0.455 * side - 0.03, 0.92), (-0.20, 0.455 * side + 0.03, 1.27), 5), pane)
        glass.add(*pillow((-0.12, 0.455 * side - 0.03, 0.92), (0.32, 0.455 * side + 0.03, 1.27), 5), pane)
    glass.add(*pillow((0.36, -0.38, 0.95), (0.45, 0.38, 1.28), 5), pane)
    glass.build("car glass", surface("glass", roughness=0.08, coat=1.0), body)
    metal = Soup()
    for side in (-1, 1):
        metal.add(*turned(lathe([(0.02, -0.16), (0.12, -0.08), (0.16, 0.03), (0.15, 0.06)], 20), 90, "Y"))
        metal.points[-1] += np.array((1.12, 0.40 * side, 0.86))
        metal.add(*tube((-0.55, 0.505 * side, 0.80), (1.0, 0.505 * side, 0.74), 0.018), CHROME)
        metal.add(
            *pillow((-0.02, 0.505 * side - 0.02, 0.84), (0.10, 0.505 * side + 0.02, 0.88), 4, 4), CHROME
        )
        for x in (-0.62, 0.30):
            metal.add(*tube((x, 0.36 * side, 1.44), (x, 0.36 * side, 1.58), 0.018), CHROME)
        metal.add(*tube((-0.72, 0.36 * side, 1.58), (0.40, 0.36 * side, 1.58), 0.020), CHROME)
    for x in (1.24, -1.26):
        metal.add(*tube((x, -0.52, 0.40), (x, 0.52, 0.40), 0.045), CHROME)
    for bar in np.linspace(-0.2, 0.2, 7):
        metal.add(*tube((1.19, bar, 0.55), (1.17, bar, 0.88), 0.018), CHROME)
    metal.build("car metal", surface("chrome", roughness=0.18, metallic=1.0), body)
    lamp = Soup()
    for side in (-1, 1):
        lamp.add(*ellipsoid((1.17, 0.40 * side, 0.86), (0.05, 0.14, 0.14)), (1.0, 0.80, 0.45))
    lamp.build("car lamps", surface("lamp", roughness=0.2, glow=1.6), body)
    load = Soup()
    leather, strap = (0.30, 0.13, 0.04), (0.72, 0.48, 0.20)
    load.add(*pillow((-0.66, -0.30, 1.58), (-0.02, 0.30, 1.84), 9), leather)
    for x in (-0.52, -0.20):
        load.add(*pillow((x - 0.03, -0.31, 1.57), (x + 0.03, 0.31, 1.855), 9), strap)
    load.add(*pillow((-0.56, -0.22, 1.84), (-0.14, 0.22, 2.02), 9), (0.05, 0.24, 0.24))
    load.add(
        *turned(
            lathe([(0.01, -0.33), (0.12, -0.32), (0.13, -0.2), (0.13, 0.2), (0.12, 0.32), (0.01, 0.33)], 20),
            90,
            "X",
        )
    )
    load.points[-1] += np.array((0.17, 0, 1.72))
    load.colours[-1] = np.where(
        (np.arange(100)[:, None] // 20) % 2 == 0, (0.92, 0.52, 0.06), (0.80, 0.70, 0.52)
    )
    load.build("luggage", surface("leather", roughness=0.6, grain=0.2, grain_scale=12), body)
    wheels = []
    rubber = surface("wheel", roughness=0.5)
    for x in (0.78, -0.78):
        for side in (-1, 1):
            wheel = empty(f"wheel {x} {side}", root, (x, 0.50 * side, 0.36))
            parts = Soup()
            ring = [(0.24, -0.08), (0.33, -0.085), (0.36, -0.05), (0.36, 0.05), (0.33, 0.085), (0.24, 0.08)]
            parts.add(*turned(lathe(ring, 32), 90, "X"), (0.025, 0.022, 0.02))
            parts.add(
                *turned(lathe([(0.20, -0.088), (0.29, -0.092), (0.29, 0.092), (0.20, 0.088)], 32), 90, "X"),
                CREAM,
            )
            parts.add(
                *turned(lathe([(0.01, -0.05), (0.21, -0.05), (0.21, 0.05), (0.01, 0.05)], 32), 90, "X"),
                dark_red,
            )
            parts.add(
                *turned(lathe([(0.01, -0.11), (0.07, -0.09), (0.07, 0.09), (0.01, 0.11)], 16), 90, "X"),
                CHROME,
            )
            for spoke in range(6):
                rod = tube((0, 0.075 * side, 0), (0, 0.075 * side, 0.22), 0.022, sides=6)
                parts.add(*turned(rod, 60 * spoke, "Y"), CREAM)
            parts.build(f"tyre {x} {side}", rubber, wheel, smooth=False)
            wheels.append(wheel)
    return Car(root, body, wheels)


def bird() -> Bird:
    """A plump blue bird 1.3 m long that flies towards +x, with wings of two joints."""
    root = empty("bird")
    body = empty("bird body", root)
    plumage = surface("plumage", roughness=0.55, grain=0.18, grain_scale=22, bump=0.15)
    blue, deep, belly = (
        np.array((0.03, 0.16, 0.62)),
        np.array((0.015, 0.05, 0.28)),
        np.array((0.92, 0.74, 0.50)),
    )
    soup = Soup()
    profile = [
        (0.01, -0.62),
        (0.10, -0.56),
        (0.18, -0.40),
        (0.26, -0.15),
        (0.29, 0.08),
        (0.26, 0.27),
        (0.16, 0.40),
        (0.01, 0.44),
    ]
    fine = np.interp(np.linspace(0, 7, 36), range(8), [p[0] for p in profile])
    along = np.interp(np.linspace(0, 7, 36), range(8), [p[1] for p in profile])
    points, faces = turned(lathe(list(zip(fine, along, strict=True)), 40), 90, "Y")
    middle = points[faces].mean(1)
    wavy = middle[:, 2] + 0.03 * np.sin(26 * middle[:, 0])
    coat = np.where((wavy < -0.06)[:, None], belly, blue)
    breast = (middle[:, 0] > 0.12) & (wavy < 0.02)
    coat = np.where(breast[:, None], np.array((0.90, 0.32, 0.06)), coat)
    soup.add(points, faces, coat)
    points, faces = ellipsoid((0.46, 0, 0.15), (0.22, 0.20, 0.20), 24, 32)
    middle = points[faces].mean(1)
    cheek = (middle[:, 2] < 0.10) & (middle[:, 0] > 0.38)
    soup.add(points, faces, np.where(cheek[:, None], np.array((0.90, 0.32, 0.06)), blue))
    soup.add(
        *turned(lathe([(0.065, 0.0), (0.055, 0.06), (0.02, 0.16), (0.002, 0.19)], 16), 90, "Y"),
        (0.95, 0.55, 0.05),
    )
    soup.points[-1] += np.array((0.64, 0, 0.13))
    for side in (-1, 1):
        soup.add(*ellipsoid((0.555, 0.135 * side, 0.20), (0.055, 0.045, 0.06), 12, 16), (0.95, 0.92, 0.86))
        soup.add(*ellipsoid((0.575, 0.160 * side, 0.20), (0.036, 0.030, 0.042), 12, 16), (0.01, 0.01, 0.012))
        soup.add(*ellipsoid((0.595, 0.184 * side, 0.218), (0.011, 0.009, 0.011), 6, 8), (1.0, 1.0, 1.0))
        soup.add(*tube((0.0, 0.08 * side, -0.25), (-0.20, 0.08 * side, -0.32), 0.022), (0.95, 0.55, 0.05))
    for tuft in (-1, 0, 1):
        tip = (0.30 - 0.04 * abs(tuft), 0.05 * tuft, 0.44 - 0.04 * abs(tuft))
        soup.add(*tube((0.45, 0.02 * tuft, 0.32), tip, 0.030, 0.004), deep)
    for i, fan in enumerate(np.linspace(-24, 24, 5)):
        feather = pillow((-1.06, -0.075, -0.018), (-0.45, 0.075, 0.018), 3, 5)
        soup.add(*turned(feather, fan, "Z", (-0.5, 0, 0)), blue if i % 2 else deep)
        soup.add(
            *turned(pillow((-1.07, -0.06, -0.02), (-0.97, 0.06, 0.02), 2.5, 4), fan, "Z", (-0.5, 0, 0)), belly
        )
    soup.build("bird trunk", plumage, body)
    shoulders, elbows = [], []
    for side in (1, -1):
        shoulder = empty(f"shoulder {side}", body, (0.08, 0.20 * side, 0.10))
        inner = Soup()
        inner.add(
            *pillow((-0.22, min(0, 0.62 * side), -0.035), (0.26, max(0, 0.62 * side), 0.035), 3.2, 7), blue
        )
        for i in range(5):
            y = (0.06 + 0.125 * i) * side
            inner.add(
                *pillow((-0.50, y - 0.075, -0.02), (0.0, y + 0.075, 0.015), 3, 5), deep if i % 2 else blue
            )
        inner.add(
            *pillow(
                (0.02, min(0.05 * side, 0.6 * side), 0.0), (0.20, max(0.05 * side, 0.6 * side), 0.05), 3, 6
            ),
            (0.10, 0.34, 0.80),
        )
        inner.build(f"wing {side}", plumage, shoulder)
        elbow = empty(f"elbow {side}", shoulder, (0, 0.58 * side, 0))
        outer = Soup()
        outer.add(
            *pillow((-0.16, min(0, 0.34 * side), -0.028), (0.24, max(0, 0.34 * side), 0.030), 3, 6), blue
        )
        for i in range(6):
            y, fan = (0.02 + 0.055 * i) * side, -14.0 * i * side
            reach = 0.46 + 0.035 * i
            shape = pillow((-reach, y - 0.07, -0.018), (0.05, y + 0.07, 0.014), 3, 5)
            outer.add(*turned(shape, fan, "Z", (0, y, 0)), deep if i % 2 else blue)
            mark = pillow((-reach - 0.01, y - 0.055, -0.02), (-reach + 0.10, y + 0.055, 0.016), 2.5, 4)
            outer.add(*turned(mark, fan, "Z", (0, y, 0)), belly)
        outer.build(f"hand {side}", plumage, elbow)
        shoulders.append(shoulder)
        elbows.append(elbow)
    return Bird(root, body, shoulders, elbows)
