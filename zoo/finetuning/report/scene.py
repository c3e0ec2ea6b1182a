"""A flat drawing of lines, boxes, words and photos as SVG: inside the page, or a file for elsewhere.

Colours are named by what they mean. On the page a style sheet says what they are, by light or dark; a file
has the light ones.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Literal

from zoo.networks.images import Picture

LIGHT = {
    "page": "#ffffff",
    "card": "#f6f7f9",
    "ink": "#1b1f27",
    "quiet": "#606a7b",
    "rule": "#dde1e8",
    "train": "#8a94a6",
    "valid": "#2563c9",
    "right": "#2563c9",
    "wrong": "#c2421a",
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

TILE = 144
"""Height and width of the square that a thumbnail fits into, in units."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What a name may hold and XML may not: https://www.w3.org/TR/xml/#charsets."""

_BROAD = frozenset("mwMW@%&—…")
_WORD = re.compile(r"[^\s_/.-]*(?:[\s_/.-]+|$)")  # with what ends it, so that nothing is lost


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points, in units of the drawing, y downwards."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0
    is_dashed: bool = False


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
    """An image in the middle of a square, as large as fits there."""

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
        scene: A drawing.
    """
    size = f'viewBox="0 0 {scene.width:g} {scene.height:g}" style="max-width:{scene.width:g}px"'
    label = f'role="img" aria-label="{escape(scene.title)}"'
    return f"<svg {size} {label}>{''.join(map(_svg_shape, scene.shapes))}</svg>"


def _svg_shape(shape: Shape) -> str:
    match shape:
        case Line():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            dashes = ' stroke-dasharray="6 5"' if shape.is_dashed else ""
            return (
                f'<polyline class="stroke-{shape.colour}" stroke-width="{shape.width:g}" fill="none"{dashes}'
                f' stroke-linejoin="round" stroke-linecap="round" points="{points}"/>'
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
            place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.side:g}" height="{shape.side:g}"'
            return f'<image {place} href="data:image/jpeg;base64,{jpeg(shape.picture)}"/>'


def svg_file(scene: Scene) -> str:
    """Return a drawing as a file of its own, on white, that needs nothing from elsewhere."""
    colours = "".join(
        f".fill-{role}{{fill:{colour}}}.stroke-{role}{{stroke:{colour}}}" for role, colour in LIGHT.items()
    )
    style = f"<style>text{{font-family:system-ui,sans-serif}}{colours}</style>"
    paper = f'<rect class="fill-page" width="{scene.width:g}" height="{scene.height:g}"/>'
    begin, end = svg(scene).split(">", 1)
    text = f'{begin} xmlns="http://www.w3.org/2000/svg">{style}{paper}{end}\n'
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def jpeg(picture: Picture) -> str:
    """Return a thumbnail, sharp on fine screens, as base64 text."""
    from PIL import Image, ImageOps

    file = BytesIO()
    side = round(1.6 * TILE)
    ImageOps.contain(Image.fromarray(picture), (side, side)).save(file, "JPEG", quality=82)
    return base64.b64encode(file.getvalue()).decode("ascii")


def text_width(text: str, size: float) -> float:
    """Return about how wide a line of text is, in units, rather too wide: the font is the reader's."""
    return size * sum(map(_advance, text))


def _advance(character: str) -> float:
    """Return the width of a character as a share of the font's size."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:  # stands on the one before, or is not seen
        return 0.0
    if unicodedata.east_asian_width(character) in "WF" or character in _BROAD:
        return 1.0
    return 0.75 if character.isupper() else 0.56


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Return a text as lines that fit into a width, broken between words where that can be.

    Args:
        text: One line.
        size: Of the font, in units.
        width: Of the room, in units; a single character may be wider.
    """
    lines = [""]
    for word in _WORD.findall(text):
        parts = [word] if text_width(word.rstrip(), size) <= width else list(word)
        for part in parts:
            if lines[-1] and text_width(lines[-1] + part.rstrip(), size) > width:
                lines.append("")
            lines[-1] += part
    return [line.strip() for line in lines]
