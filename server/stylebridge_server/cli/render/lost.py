"""Pixels whose values are no numbers: counted as pictures come, and told at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stylebridge.pixels import Picture

#: Ranges of frames that a sentence names.
_NAMED = 8


def noting(pictures: Iterable[Picture], lost: dict[int, int]) -> Iterator[Picture]:
    """The pictures as they come; `lost` gets how many pixels of each frame, by its number, are not finite."""
    for picture in pictures:
        count = picture.extra.get("not_finite")
        if isinstance(count, int) and count > 0:
            lost[picture.number] = count
        yield picture


def told(lost: dict[int, int]) -> str:
    """The sentence about them."""
    ranges: list[list[int]] = []
    for number in sorted(lost):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    named = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:_NAMED]]
    more = ", ..." if len(ranges) > _NAMED else ""
    pixels, frames = sum(lost.values()), len(lost)
    return (
        f"{pixels} pixel{'s' if pixels > 1 else ''} of the source {'are' if pixels > 1 else 'is'} not finite "
        f"(infinite or no number), on {frames} frame{'s' if frames > 1 else ''} ({', '.join(named)}{more}): "
        f"{'they' if pixels > 1 else 'it'} came back unchanged."
    )
