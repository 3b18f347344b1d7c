"""The sound of the example shot: four seconds of a music box over soft chords, made from sine waves."""

from __future__ import annotations

import numpy as np

RATE = 48000
BEAT = 0.5  # seconds
# (beat, semitones above A4 = 440 Hz); G major, a small turning figure that leads back to its start.
MELODY = (
    (0.0, 10), (0.5, 5), (1.0, 2), (1.5, 5), (2.0, 7), (2.5, 2), (3.0, -2), (3.5, 2),
    (4.0, 3), (4.5, 7), (5.0, 10), (5.5, 12), (6.0, 9), (6.5, 5), (7.0, 2), (7.5, 0),
)  # fmt: skip
CHORDS = ((0, (-14, -7, -2, 2)), (2, (-17, -10, -5, -2)), (4, (-21, -9, -6, 3)), (6, (-19, -12, -7, -3)))


def pitch(semitones: float) -> float:
    return 440.0 * 2 ** (semitones / 12)


def tune(seconds: float) -> np.ndarray:
    """Stereo float32 (samples, 2) at 48 kHz in [-1, 1]."""
    count = round(seconds * RATE)
    sound = np.zeros((count, 2))
    for beat, note in MELODY:
        t = np.arange(max(0, count - round(beat * BEAT * RATE))) / RATE
        tone = sum(
            level * np.exp(-t * decay) * np.sin(2 * np.pi * pitch(note) * ratio * t)
            for ratio, level, decay in (
                (1, 0.6, 2.6),
                (2.0, 0.25, 4.0),
                (3.01, 0.10, 7.0),
                (5.43, 0.06, 16.0),
            )
        )
        tone *= 1 - np.exp(-t * 900)
        right = 0.5 + 0.04 * note / 2
        for side, level in enumerate((1 - right, right)):
            start = count - len(t)
            sound[start:, side] += 0.32 * level * tone
            late = start + round((0.11 + 0.05 * side) * RATE)  # a room behind it
            sound[late:, 1 - side] += 0.10 * level * tone[: max(0, count - late)]
    for beat, notes in CHORDS:
        start = round(beat * BEAT * RATE)
        t = np.arange(max(0, count - start)) / RATE
        swell = np.clip(t / 0.25, 0, 1) * np.clip((2 * BEAT + 0.35 - t) / 0.4, 0, 1)
        for i, note in enumerate(notes):
            wave = np.sin(2 * np.pi * pitch(note) * t) + 0.25 * np.sin(4 * np.pi * pitch(note) * t + i)
            sound[start:, i % 2] += 0.050 * swell * wave
            sound[start:, 1 - i % 2] += 0.030 * swell * wave
    ends = np.clip(np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.03 * RATE), 0, 1)
    sound *= ends[:, None]
    return (sound / np.abs(sound).max() * 0.6).astype(np.float32)
