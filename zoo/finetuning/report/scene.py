"""A flat drawing of lines, boxes and words in its two forms: inline SVG for the page, PNG for elsewhere.

Colours are named by what they mean. On the page a style sheet says what they are, by light or dark; a PNG has
the light ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zoo.networks.images import Picture

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

LIGHT = {
    "page": "#ffffff",
    "card": "#f6f7f9",
    "ink": "#1b1f27",
    "quiet": "#606a7b",
    "rule": "#dde1e8",
    "train": "#8a94a6",
    "valid": "#2563c9",
    "right": "#2563c9",
    "wrong": "#cf4a1d",
    "precision": "#2563c9",
    "recall": "#12897b",
}
"""What colours mean, and what they are on white."""

DARK = {
    "page": "#14171c",
    "card": "#1d2128",
    "ink": "#e8ebf0",
    "quiet": "#9aa4b5",
    "rule": "#343a45",
    "train": "#78839a",
    "valid": "#79adff",
    "right": "#79adff",
    "wrong": "#ff8a5c",
    "precision": "#79adff",
    "recall": "#4fcdbc",
}
"""What the same colours are on black."""

Anchor = Literal["start", "middle", "end"]
_PIL_ANCHOR = {"start": "ls", "middle": "ms", "end": "rs"}

_PNG_SCALE = 2  # pixels of the PNG for each unit of the drawing
_SMOOTHING = 2  # drawn so much larger, then scaled down: Pillow draws jagged lines


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points, in units of the drawing, y downwards."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """A filled box; ``strength`` 0 to 1 mixes its colour with what is below."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    strength: float = 1.0
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """A line of text whose baseline is at ``y``; an ``upright`` one starts at (x, y) and runs upwards."""

    x: float
    y: float
    text: str
    colour: str = "ink"
    size: float = 12.0
    anchor: Anchor = "start"
    upright: bool = False


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A picture in the middle of a square, as large as fits there."""

    x: float
    y: float
    side: float
    picture: Picture


Shape = Line | Box | Dot | Words | Photo


@dataclass(kw_only=True)
class Scene:
    """A drawing.

    Attributes:
        width: In units, which are CSS pixels on the page.
        height: Likewise.
        title: What it shows, for those who cannot see it.
        shapes: What is drawn, the first at the bottom.
    """

    width: float
    height: float
    title: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Put shapes on top of those that are there."""
        self.shapes.extend(shapes)


def svg(scene: Scene) -> str:
    """Return a drawing as an ``svg`` element; colours are classes ``fill-NAME`` and ``stroke-NAME``.

    Args:
        scene: A drawing without photos.
    """
    size = f'viewBox="0 0 {scene.width:g} {scene.height:g}" style="max-width:{scene.width:g}px"'
    label = f'role="img" aria-label="{escape(scene.title)}"'
    return f"<svg {size} {label}>{''.join(map(_svg_shape, scene.shapes))}</svg>"


def _svg_shape(shape: Shape) -> str:
    match shape:
        case Line():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            return (
                f'<polyline class="stroke-{shape.colour}" stroke-width="{shape.width:g}" points="{points}"/>'
            )
        case Box():
            place = (
                f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
            )
            title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
            strength = f' fill-opacity="{shape.strength:.3f}"' if shape.strength < 1 else ""
            return f'<rect class="fill-{shape.colour}" {place}{strength}>{title}</rect>'
        case Dot():
            place = f'cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}"'
            return f'<circle class="fill-{shape.colour}" {place}/>'
        case Words():
            place = f'x="{shape.x:.1f}" y="{shape.y:.1f}"'
            if shape.upright:
                place = f'transform="translate({shape.x:.1f} {shape.y:.1f}) rotate(-90)"'
            form = f'font-size="{shape.size:g}" text-anchor="{shape.anchor}"'
            return f'<text class="fill-{shape.colour}" {place} {form}>{escape(shape.text)}</text>'
        case Photo():
            raise NotImplementedError("the page shows photos outside drawings")


def save_png(scene: Scene, path: Path) -> None:
    """Write a drawing as a PNG on white, two pixels for each unit."""
    from PIL import Image, ImageDraw

    scale = _PNG_SCALE * _SMOOTHING
    image = Image.new("RGB", (round(scene.width * scale), round(scene.height * scale)), LIGHT["page"])
    pen = ImageDraw.Draw(image, "RGBA")
    for shape in scene.shapes:
        _paint(shape, image, pen, scale)
    image.reduce(_SMOOTHING).save(path, optimize=True)


def _paint(shape: Shape, image: Image.Image, pen: ImageDraw.ImageDraw, scale: int) -> None:
    from PIL import Image, ImageFont, ImageOps

    match shape:
        case Line():
            points = [(x * scale, y * scale) for x, y in shape.points]
            pen.line(points, fill=LIGHT[shape.colour], width=round(shape.width * scale), joint="curve")
        case Box():
            colour = LIGHT[shape.colour] + f"{round(255 * shape.strength):02x}"
            left, top = round(shape.x * scale), round(shape.y * scale)
            right, bottom = round((shape.x + shape.width) * scale), round((shape.y + shape.height) * scale)
            if right > left and bottom > top:
                pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)
        case Dot():
            pen.circle((shape.x * scale, shape.y * scale), shape.radius * scale, fill=LIGHT[shape.colour])
        case Words():
            if shape.upright:
                _paint_upright(shape, image, scale)
            else:
                font = ImageFont.load_default(shape.size * scale)
                place = (shape.x * scale, shape.y * scale)
                pen.text(place, _drawable(shape.text), LIGHT[shape.colour], font, _PIL_ANCHOR[shape.anchor])
        case Photo():
            side = round(shape.side * scale)
            photo = ImageOps.contain(Image.fromarray(shape.picture), (side, side))
            left, top = ((side - length) // 2 for length in photo.size)
            image.paste(photo, (round(shape.x * scale) + left, round(shape.y * scale) + top))


def _paint_upright(shape: Words, image: Image.Image, scale: int) -> None:
    from PIL import Image, ImageDraw, ImageFont

    text, font = _drawable(shape.text), ImageFont.load_default(shape.size * scale)
    width, height = max(1, round(font.getlength(text))), round(1.5 * shape.size * scale)
    baseline = round(1.1 * shape.size * scale)
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((0, baseline), text, 255, font, "ls")
    left, bottom = round(shape.x * scale) - baseline, round(shape.y * scale)
    image.paste(LIGHT[shape.colour], (left, bottom - width), mask.transpose(Image.Transpose.ROTATE_90))


def _drawable(text: str) -> str:
    """Return a text without what no font can draw: line breaks, bytes of a name that are no characters."""
    return "".join(one if one.isprintable() else "?" for one in text)


def text_width(text: str, size: float) -> float:
    """Return about how wide a line of text is, in units; the font on the page is the reader's."""
    return 0.56 * size * len(text)


def shortened(text: str, size: float, width: float) -> str:
    """Return a text that fits into a width, its middle left out where it is too long."""
    room = max(3, int(width / (0.56 * size)))
    if len(text) <= room:
        return text
    front = room // 2
    return f"{text[:front]}…{text[len(text) - (room - front - 1) :]}"
