"""From a prompt on one frame to a label of that frame: points, box or a matte, checked and cut out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.planes import fill
from stylebridge_server.values import Plane, Prompt, Rgb8

_ROUNDS = 5  # of GrabCut
_ASPECT = 0.02  # how far a given matte's aspect may depart from the picture's
_WINDOWS = (0.06, 0.1, 0.16, 0.25, 0.38, 0.55)  # tried around points, in diagonals of the picture


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
        for x, y in prompt.points + prompt.not_points:
            if not (0 <= x <= 1 and 0 <= y <= 1):
                raise _bad(
                    prompt, f"{who} has the point ({x:g}, {y:g}) outside the picture; both must be 0 to 1"
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
        elif prompt.box is None and not prompt.points:
            raise _bad(prompt, f"{who} points at nothing; give it a box, points or a matte")


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


def label(rgb: Rgb8, prompts: Sequence[Prompt]) -> Plane:
    """The label that the prompts of one name give on one frame.

    Args:
        rgb: (h, w, 3) uint8, the frame at working size.
        prompts: checked prompts of one name on this frame; points and boxes are taken together, and a matte
            stands in place of both.

    Returns:
        (h, w) float32, 0 or 1, at least one pixel 1.
    """
    h, w = rgb.shape[:2]
    for prompt in prompts:
        if prompt.matte is not None:
            soft = cv2.resize(prompt.matte, (w, h), interpolation=cv2.INTER_AREA)
            hard = (soft >= 128).astype(np.float32)
            return hard if hard.any() else (soft == soft.max()).astype(np.float32)
    points = [_pixel(p, h, w) for prompt in prompts for p in prompt.points]
    beside = [_pixel(p, h, w) for prompt in prompts for p in prompt.not_points]
    boxes = [_rectangle(prompt.box, h, w) for prompt in prompts if prompt.box is not None]
    if boxes:
        x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
        x1, y1 = max(b[2] for b in boxes), max(b[3] for b in boxes)
        found = _grab(rgb, (x0, y0, x1, y1), None, points, beside)
    else:
        found = _around(rgb, points, beside)
    if not found.any():
        name, frame = prompts[0].name, prompts[0].frame
        raise _bad(
            prompts[0],
            f"prompt {name!r} on frame {frame} finds nothing there; move it onto the thing, or add points",
        )
    return found.astype(np.float32)


def _pixel(point: tuple[float, float], h: int, w: int) -> tuple[int, int]:
    return min(int(point[0] * w), w - 1), min(int(point[1] * h), h - 1)


def _rectangle(box: tuple[float, float, float, float], h: int, w: int) -> tuple[int, int, int, int]:
    x0, y0 = min(max(round(box[0] * w), 0), w - 1), min(max(round(box[1] * h), 0), h - 1)
    return x0, y0, max(min(round(box[2] * w), w), x0 + 1), max(min(round(box[3] * h), h), y0 + 1)


def _grab(
    rgb: Rgb8,
    box: tuple[int, int, int, int],
    likely: NDArray[np.bool_] | None,
    points: Sequence[tuple[int, int]],
    beside: Sequence[tuple[int, int]],
) -> NDArray[np.uint8]:
    """GrabCut in a window around the box; outside the box nothing is on the thing."""
    h, w = rgb.shape[:2]
    x0, y0, x1, y1 = box
    mx, my = max(8, round(0.35 * (x1 - x0))), max(8, round(0.35 * (y1 - y0)))
    wx0, wy0, wx1, wy1 = max(x0 - mx, 0), max(y0 - my, 0), min(x1 + mx, w), min(y1 + my, h)
    mask = np.full((h, w), cv2.GC_BGD, np.uint8)
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD if likely is None else cv2.GC_PR_BGD
    if likely is not None:
        mask[y0:y1, x0:x1][likely[y0:y1, x0:x1]] = cv2.GC_PR_FGD
    radius = max(1, min(h, w) // 90)
    for x, y in points:
        cv2.circle(mask, (x, y), radius, cv2.GC_FGD, -1)
    for x, y in beside:
        cv2.circle(mask, (x, y), radius, cv2.GC_BGD, -1)
    window = np.ascontiguousarray(mask[wy0:wy1, wx0:wx1])
    picture = np.ascontiguousarray(rgb[wy0:wy1, wx0:wx1, ::-1])
    on = (window == cv2.GC_FGD) | (window == cv2.GC_PR_FGD)
    # GrabCut fits five colours to either side and needs pixels for them.
    if on.sum() >= 8 and (~on).sum() >= 8:
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(picture, window, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
        on = (window == cv2.GC_FGD) | (window == cv2.GC_PR_FGD)
    out = np.zeros((h, w), np.uint8)
    out[wy0:wy1, wx0:wx1] = on
    return _tidy(out, points)


def _tidy(found: NDArray[np.uint8], points: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Keep the pieces that a point lies on or that have a tenth of the largest one's area; close pinholes."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    if count <= 1:
        return found
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = {i + 1 for i, area in enumerate(areas) if area >= 0.1 * areas.max()}
    keep |= {int(parts[y, x]) for x, y in points} - {0}
    out = np.isin(parts, list(keep)).astype(np.uint8)
    return fill(out, max(4, int(0.004 * out.sum())))


def _around(
    rgb: Rgb8, points: Sequence[tuple[int, int]], beside: Sequence[tuple[int, int]]
) -> NDArray[np.uint8]:
    """Points alone say nothing of size: try several windows and keep the cut along the strongest edge."""
    h, w = rgb.shape[:2]
    diagonal = float(np.hypot(h, w))
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    grey = cv2.GaussianBlur(rgb, (0, 0), 1.0).astype(np.float32)
    gradient = np.sqrt(
        sum(
            cv2.Sobel(grey[..., c], cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey[..., c], cv2.CV_32F, 0, 1) ** 2
            for c in range(3)
        )
    )
    best, best_score = np.zeros((h, w), np.uint8), -1.0
    kernel = np.ones((3, 3), np.uint8)
    for share in _WINDOWS:
        reach = max(6, round(share * diagonal))
        box = (
            max(min(xs) - reach, 0),
            max(min(ys) - reach, 0),
            min(max(xs) + reach, w),
            min(max(ys) + reach, h),
        )
        near = np.zeros((h, w), np.uint8)
        for x, y in points:
            cv2.circle(near, (x, y), max(2, reach // 3), 1, -1)
        found = _grab(rgb, box, near > 0, points, beside)
        found = _touched(found, points)
        if not found.any():
            continue
        rim = found - cv2.erode(found, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
        if not rim.any():
            continue
        # A rim along the window is an edge that we drew ourselves.
        drawn = np.ones((h, w), bool)
        drawn[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2] = False
        edge = np.where(drawn, 0, gradient)
        score = float(edge[rim > 0].mean()) * float(np.sqrt(found.sum())) ** 0.25
        if score > best_score:
            best, best_score = found, score
    return best


def _touched(found: NDArray[np.uint8], points: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Only the pieces that a point lies on."""
    _, parts = cv2.connectedComponents(found, connectivity=8)
    keep = sorted({int(parts[y, x]) for x, y in points} - {0})
    return np.isin(parts, keep).astype(np.uint8)
