"""From a prompt on one frame to a label of that frame: points, strokes, a box or a matte, checked and cut out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.tracer import LOOK
from stylebridge_server.segment import cutout, first_look
from stylebridge_server.segment.colours import to_lab
from stylebridge_server.segment.first_look import Aim, Box
from stylebridge_server.segment.nets import ready
from stylebridge_server.segment.planes import plane
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Plane, Prompt, Rgb8, Stroke

_ASPECT = 0.02  # how far a given matte's aspect may depart from the picture's
_PIECE = 0.1  # share of the largest piece below which others are dropped
_CUT = np.float32(2)  # log odds that the graph cut adds to the network's or takes
_MARK = 90  # a point decides a disc of the picture's short side over this


def check(prompts: Sequence[Prompt], scenes: Sequence[tuple[int, int]], size: tuple[int, int]) -> None:
    """Refuse prompts that cannot mean anything, with a sentence that says which and why.

    Args:
        prompts: as the look gives them.
        scenes: first and last frame of each scene.
        size: (height, width) of the pictures.
    """
    first, last = scenes[0][0], scenes[-1][1]
    for prompt in prompts:
        who = f"prompt {prompt.name!r} on frame {prompt.frame}"
        if not any(a <= prompt.frame <= b for a, b in scenes):
            raise _bad(prompt, f"{who} lies outside the shot's frames {first} to {last}; choose one of these")
        drawn = [point for stroke in prompt.scribbles + prompt.not_scribbles for point in stroke]
        for what, given in (("point", prompt.points + prompt.not_points), ("scribble's point", drawn)):
            for x, y in given:
                if not (0 <= x <= 1 and 0 <= y <= 1):
                    raise _bad(
                        prompt,
                        f"{who} has the {what} ({x:g}, {y:g}) outside the picture; both must be 0 to 1",
                    )
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            if not (x0 < x1 and y0 < y1):
                raise _bad(
                    prompt,
                    f"{who} has a box without area, {list(prompt.box)}; give left, top, right, bottom",
                )
            if x1 <= 0 or y1 <= 0 or x0 >= 1 or y0 >= 1:
                raise _bad(
                    prompt, f"{who} has a box outside the picture, {list(prompt.box)}; it must overlap 0 to 1"
                )
        if prompt.matte is not None:
            _check_matte(prompt, who, size)
        elif prompt.box is None and not prompt.points and not any(prompt.scribbles):
            raise _bad(prompt, f"{who} points at nothing; give it a box, points, scribbles or a matte")


def _bad(prompt: Prompt, sentence: str) -> StylebridgeError:
    return StylebridgeError(Code.BAD_VALUE, sentence + ".", prompt=prompt.name, frame=prompt.frame)


def _check_matte(prompt: Prompt, who: str, size: tuple[int, int]) -> None:
    assert prompt.matte is not None
    if prompt.matte.ndim != 2 or 0 in prompt.matte.shape:
        raise _bad(
            prompt, f"{who} has a matte of shape {prompt.matte.shape}; it must be one plane, height by width"
        )
    h, w = prompt.matte.shape
    height, width = size
    # Half a pixel either way is rounding, not another aspect.
    if abs(w * height - h * width) > max(_ASPECT * h * width, 0.5 * (height + width)):
        raise _bad(
            prompt,
            f"{who} has a matte of {w}x{h}, which does not fit the picture's {width}x{height}; "
            "give one of the same aspect",
        )
    if int(prompt.matte.max()) < 128:
        raise _bad(prompt, f"{who} has an empty matte; paint the thing white")


def label(rgb: Rgb8, prompts: Sequence[Prompt], around: Survey | None, by_cut: bool = True) -> Plane:
    """The label that the prompts of one name give on one frame.

    Args:
        rgb: (h, w, 3) uint8, the frame at working size.
        prompts: checked prompts of one name on this frame; points, strokes and boxes are taken together, and a matte
            stands in place of all.
        around: what other frames show there, where there are any.
        by_cut: whether the graph cut is heard beside the network.

    Returns:
        (h, w) float32 in [0, 1], at least one pixel above 0.5.

    Raises:
        StylebridgeError: BAD_VALUE where nothing is found.
    """
    h, w = rgb.shape[:2]
    for prompt in prompts:
        if prompt.matte is not None:
            soft = cv2.resize(prompt.matte, (w, h), interpolation=cv2.INTER_AREA)
            hard = (soft >= 128).astype(np.float32)
            return hard if hard.any() else (soft == soft.max()).astype(np.float32)
    aim = _aim(prompts, h, w)
    odds = first_look.find(to_lab(rgb), aim, around, ready(LOOK))
    cut = cutout.cut_out(rgb, aim, around) if by_cut else np.zeros(0)
    if cut.any():
        odds = odds + np.where(cut > 0, _CUT, -_CUT)
    found = plane(1 / (1 + np.exp(-odds)))
    if aim.box is not None:
        x0, y0, x1, y1 = aim.box
        beyond = np.ones((h, w), bool)
        # A box that is drawn tightly may cut off a little.
        mx, my = 2 + (x1 - x0) // 12, 2 + (y1 - y0) // 12
        beyond[max(y0 - my, 0) : y1 + my, max(x0 - mx, 0) : x1 + mx] = False
        found[beyond] = 0
    radius = max(1, min(h, w) // _MARK)
    for strokes, value in ((aim.on, 1.0), (aim.beside, 0.0)):
        for stroke in strokes:
            _draw(found, stroke, value, radius)
    found = _pieces(found, aim)
    if not (found > 0.5).any():
        name, frame = prompts[0].name, prompts[0].frame
        raise _bad(
            prompts[0], f"prompt {name!r} on frame {frame} finds nothing there; move it onto the thing"
        )
    return found


def _aim(prompts: Sequence[Prompt], h: int, w: int) -> Aim:
    """What prompts of one name mean together, in pixels."""
    boxes = [_rectangle(prompt.box, h, w) for prompt in prompts if prompt.box is not None]
    box = None
    if boxes:
        box = (
            min(b[0] for b in boxes),
            min(b[1] for b in boxes),
            max(b[2] for b in boxes),
            max(b[3] for b in boxes),
        )
    on = [stroke for prompt in prompts for stroke in [*((p,) for p in prompt.points), *prompt.scribbles]]
    beside = [
        stroke for prompt in prompts for stroke in [*((p,) for p in prompt.not_points), *prompt.not_scribbles]
    ]
    return Aim(
        box, [_pixels(stroke, h, w) for stroke in on if stroke], [_pixels(s, h, w) for s in beside if s]
    )


def _pixels(stroke: Stroke, h: int, w: int) -> first_look.Stroke:
    at = np.floor(np.asarray(stroke, np.float32) * (w, h))
    return np.asarray(np.minimum(at, (w - 1, h - 1)), np.float32)


def _rectangle(box: tuple[float, float, float, float], h: int, w: int) -> Box:
    x0, y0 = min(max(round(box[0] * w), 0), w - 1), min(max(round(box[1] * h), 0), h - 1)
    return x0, y0, max(min(round(box[2] * w), w), x0 + 1), max(min(round(box[3] * h), h), y0 + 1)


def _draw(found: Plane, stroke: first_look.Stroke, value: float, radius: int) -> None:
    at = stroke.astype(np.int32)
    cv2.polylines(found, [at.reshape(-1, 1, 2)], False, value, 2 * radius + 1)
    for x, y in at:
        cv2.circle(found, (int(x), int(y)), radius, value, -1)


def _pieces(found: Plane, aim: Aim) -> Plane:
    """Only the pieces that a point or stroke lies on, or that have a tenth of the largest one's area."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((found > 0.5).astype(np.uint8), connectivity=8)
    if count <= 2:
        return found
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = {i + 1 for i, area in enumerate(areas) if area >= _PIECE * areas.max()}
    if aim.box is None:
        keep = set()
    for stroke in aim.on:
        keep |= {int(parts[y, x]) for x, y in stroke.astype(int)} - {0}
    dropped = (parts > 0) & ~np.isin(parts, list(keep))
    return plane(np.where(dropped, np.minimum(found, 0.4), found))
