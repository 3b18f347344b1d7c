"""Writes docs/formats.md with its table of codecs: `python docs/formats.py`.

A test fails while the page and the table of the media room differ.
"""

from __future__ import annotations

from pathlib import Path

from stylebridge_server.media.codecs import CODECS, MOVIES, Codec

PAGE = Path(__file__).with_name("formats.md")

HEAD = """\
<!-- Written by docs/formats.py from the table of codecs; change that, or the text there, not this page. -->

# Formats

## Movies

    stylebridge render plate.mov out.mov --style great-wave --codec prores4444

What is written is chosen by the name's ending and by `--codec`. Without it a movie is written in its source's
own codec where the file can hold that: ProRes becomes ProRes of the same kind (LT and Proxy become 422, XQ
becomes 4444), DNxHD becomes DNxHR. Of other sources `.mp4`, `.mov` and `.mkv` get H.264 for 8 bits and H.265
for more, `.webm` VP9 and AV1; with alpha `.mov` gets ProRes 4444, `.mkv` FFV1, `.webm` VP9. What does not go
together is refused before any work, with what does.

"""

TAIL = """\

- A cell of this table is a test: pixels, bits, alpha, colour tags, times and pixel aspect come back.
- Bits and chroma are the source's as far as the codec has them. What a codec would make shallower is refused
  unless `--codec` asks for it; sources of more than 10 bits are written with 10, or with as many as they have
  where the codec has just those.
- Alpha is straight, in ProRes 4444 too.
- **Colour tags** (primaries, transfer, matrix, range) are the source's; what it leaves unsaid stays unsaid.
  DNxHR says in its pictures that they are BT.709, so they are coded so; FFV1 holds RGB.
- **Times**: each frame has its source's time, whether the rate is constant or varies (`.mkv` and `.webm` count in
  milliseconds).
- **Pixel aspect** goes along.
- **Timecode** moves on to the first frame written. **Chapters** and **subtitles** go along, shifted, where the
  movie can hold them. **HDR10 metadata** (mastering display, light levels) goes into H.264, H.265 and AV1.
- **Not carried over**, and said in one closing line: HDR10+, Dolby Vision, closed captions, further video
  streams, cover pictures, data streams, attachments, subtitles that the movie cannot hold.
- **Sound** is copied packet by packet. Where the movie cannot hold it as it is, the render is refused with the
  ways out: `--sound encode` encodes just those streams (AAC in `.mp4`, 24-bit PCM in `.mov`, FLAC in `.mkv`,
  Opus in `.webm`), `--sound none` leaves all sound out.
- A movie is there whole or not at all.

### Interlaced movies

An interlaced frame holds two moments, one in every other row; painted as one picture its combs become strokes. So an
interlaced movie is refused until you say what is to become of it:

    stylebridge render tape.mov out.mov --style great-wave --deinterlace auto

| `--deinterlace` | |
|---|---|
| `auto` | whole frames are made of the fields of an interlaced movie; others stay as they are |
| `bwdif` | whole frames are made of any movie, where interlace went unnoticed |
| `off` | frames are taken as they are |

- **Noticed** is what the pictures show (libavfilter's idet, and rows that alternate where something moves) at three
  places of the movie. What the file says counts where nothing moves there: progressive pictures in a movie marked
  interlaced are left alone, and combed ones in a movie that is not marked are found, up to 1088 lines.
- Whole frames are made by libavfilter's bwdif, one of each frame: number, time and count stay, and the moment is that
  of the first field. Each is made from the frame and its two neighbours alone, so it is the same in whatever order
  frames are read.
- At strength 0 the whole frames come back bit for bit; with `off` the movie's own. What is written is progressive.
- In Blender a movie strip's own *Deinterlace* decides.

## Pictures

`.png`, `.tif`, `.jpg` and `.exr`, one or numbered: `out.####.png`, `out.%04d.exr`. Bits, alpha, ICC profile and
text go through. A file is moved into place when it is whole, so a render that is cut off leaves only whole
pictures.

## Rendering again

Every result carries a *stamp* for each of its frames: a hash of all that the frame depends on. That is the
source's contents and range, its colour space, the analysis, the look **as it is at that frame**, the contents
of style pictures, the versions of models, the server's fingerprint, and how the file is coded. Two results with
one stamp have the same pixels.

- **A sequence that was cut off** is gone on with by the same command: files that are whole and have the right
  stamp are kept, the rest is rendered. The closing line says how many were kept.
- **A changed key** makes those frames stale whose values it changes. Where nothing is styled, only the source
  counts.
- **Nothing is lost unasked.** Files that another request made, or nobody knows, are not replaced: the render is
  refused, and says which frames. `--overwrite` replaces just those; what is up to date stays.
- **`--next-version`** writes beside what is there: `out_v001.mp4`, then `out_v002.mp4`; `shot_v001.####.exr`,
  then `shot_v002.####.exr`. Where the newest version is already of the same request, that one is gone on with.
- **`--check`** writes nothing. It lists the frames that are stale, missing or cut off, and ends with status 0
  where there are none, else 4.

        stylebridge render plate.mov out.####.exr --look dog.toml --check
        out.####.exr: 40 of 48 frames are as this request makes them.
        stale: 1025-1031
        missing: 1048

A movie holds the stamps of all its frames; it is rendered whole or not at all.

### What files say about themselves

| name | what |
|---|---|
| `stylebridge:request` | the stamps: `stamp.1 1001-1047:0123456789abcdef 1048:fedcba9876543210` |
| `stylebridge:look` | the look as TOML, as it can be given to `--look` again |

They are text in PNG, attributes in OpenEXR, tags of the container in movies, and one JSON object in TIFF's
ImageDescription and JPEG's comment. Of every path in the look only the file's name is kept, so a result says
nothing about the folders, users or machines that it came from; contents count by their hash. A look longer than
40,000 characters is left out, and the closing lines say so. What is made from a result does not carry its
stamps on.

Programs use `stylebridge.stamp` of the thin package: see [scripting.md](scripting.md).
"""


def formats_page() -> str:
    """The whole page as Markdown."""
    head = ["codec", "`--codec`", "movies", "bits", "chroma", "alpha", "at least"]
    rows = [_row(codec) for codec in CODECS.values()]
    table = [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows]
    return HEAD + "\n".join(table) + "\n" + TAIL


def _row(codec: Codec) -> str:
    chroma = ", ".join("RGB" if one == "rgb" else ":".join(one) for one in codec.samplings)
    alpha = f"{' or '.join(map(str, codec.alpha))} bits" if codec.alpha else ""
    least = "" if codec.smallest == (1, 1) else f"{codec.smallest[0]}x{codec.smallest[1]}"
    title = f"{codec.title}, lossless" if codec.lossless else codec.title
    movies = ", ".join(f"`{ending}`" for ending in MOVIES if ending in codec.endings)
    cells = [title, f"`{codec.name}`", movies, ", ".join(map(str, codec.bits)), chroma, alpha, least]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(formats_page(), encoding="utf-8")
