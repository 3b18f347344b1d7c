"""How the instances move. Frame numbers are the shot's; every motion goes on past both ends of it."""

from __future__ import annotations

import math

import bpy
import numpy as np
from landscape import height, road, step
from toys import Balloon, Bird, Car

START = -6.3  # x of the car at frame 0


def key(thing: bpy.types.Object, frame: int, **channels: object) -> None:
    """Set and key whole channels (location, rotation_euler, scale) at a frame."""
    for name, value in channels.items():
        setattr(thing, name, value)
        thing.keyframe_insert(name, frame=frame)


def move_balloon(toy: Balloon, frame: int) -> None:
    """Drift to the left, turning, bobbing and breathing."""
    t = frame / 95
    at = (7.4 - 6.9 * t, 9.6, 1.75 + 0.6 * math.sin(2.2 * t + 0.3) + 0.10 * math.sin(frame / 9))
    key(
        toy.root,
        frame,
        location=at,
        rotation_euler=(0.02 * math.sin(frame / 13), 0.05 * math.sin(frame / 15 + 1), -0.35 + 0.9 * t),
    )
    breath = 0.018 * math.sin(frame / 8)
    key(toy.envelope, frame, scale=(1 + breath, 1 + breath, 1 - 0.6 * breath))


def move_car(toy: Car, frame: int) -> None:
    """Follow the road to the right, wheels rolling, body rocking."""
    x = START + 12.4 * frame / 95
    y = float(road(np.array(x)))
    ahead, behind = float(road(np.array(x + 0.8))), float(road(np.array(x - 0.8)))
    rise = float(height(x + 0.8, ahead)) - float(height(x - 0.8, behind))
    key(
        toy.root,
        frame,
        location=(x, y, float(height(x, y)) + 0.02),
        rotation_euler=(0, -math.atan2(rise, 1.6), math.atan2(ahead - behind, 1.6)),
    )
    rock = (0.018 * math.sin(frame * 0.9), 0.014 * math.sin(frame * 0.55), 0)
    key(toy.body, frame, location=(0, 0, 0.022 * math.sin(frame * 0.75)), rotation_euler=rock)
    for wheel in toy.wheels:
        key(wheel, frame, rotation_euler=(0, (x - START) / 0.36, 0))


def bird_at(frame: float) -> np.ndarray:
    """Position on a swoop from the lower left, past the car, up across the balloon and out top right."""
    marks = np.array([-4, 12, 26, 40, 54, 70, 86, 104.0])
    path = np.array(
        [(-8.2, -3.6, 3.6), (-5.3, -4.4, 2.5), (-2.55, -5.0, 1.75), (-0.1, -5.0, 2.15), (1.25, -4.6, 3.35),
         (2.6, -4.2, 4.15), (4.4, -3.6, 4.7), (7.5, -2.6, 5.6)]
    )  # fmt: skip
    i = int(np.clip(np.searchsorted(marks, frame) - 1, 1, len(marks) - 3))
    t = (frame - marks[i]) / (marks[i + 1] - marks[i])
    slope = [
        (path[k + 1] - path[k - 1]) / (marks[k + 1] - marks[k - 1]) * (marks[i + 1] - marks[i])
        for k in (i, i + 1)
    ]
    a, b = path[i], path[i + 1]
    return (
        a
        + slope[0] * t
        + (3 * (b - a) - 2 * slope[0] - slope[1]) * t**2
        + (2 * (a - b) + slope[0] + slope[1]) * t**3
    )


def move_bird(toy: Bird, frame: int) -> None:
    """Fly along the swoop, heading where it goes, flapping; slower beats while it dives."""
    here, before, after = bird_at(frame), bird_at(frame - 1.5), bird_at(frame + 1.5)
    way = after - before
    yaw, pitch = math.atan2(way[1], way[0]), -0.8 * math.atan2(way[2], math.hypot(way[0], way[1]))
    beat = 2 * math.pi * frame / 13
    glide = float(1 - 0.75 * step(16, 24, np.array(frame)) * (1 - step(32, 40, np.array(frame))))
    here[2] += 0.06 * math.sin(beat + math.pi) * glide
    key(
        toy.root,
        frame,
        location=here,
        rotation_euler=(0.55 - 0.75 * float(step(30, 62, np.array(frame))), pitch, yaw),
    )
    for side, shoulder, elbow in zip((1, -1), toy.shoulders, toy.elbows, strict=True):
        up = 0.22 + 0.80 * glide * math.sin(beat)
        key(shoulder, frame, rotation_euler=(side * up, 0.20 * math.cos(beat) * glide, 0))
        key(elbow, frame, rotation_euler=(side * (0.05 + 0.55 * glide * math.sin(beat - 1.1)), 0, 0))
