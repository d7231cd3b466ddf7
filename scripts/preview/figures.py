# /// script
# requires-python = ">=3.11"
# dependencies = ["fonttools>=4.6", "skia-pathops>=0.9"]
# ///
"""Flatten the figures of the preview engine: `python figures.py ICONS_JSON VOCABULARY OUTPUT`.

ICONS_JSON is `icons.json` of the npm package `@iconify-json/fluent-emoji-flat` (Microsoft's Fluent
Emoji, MIT licence). Each figure that VOCABULARY names becomes a list of shapes, back to front:
`[colour, contour, …]`, a contour being `x y x y …` in 64ths of the drawing's unit (0 to 2048); one
that begins with "o" is a hole. Curves are flattened and overlaps resolved here, so that the engine
only fills plain polygons. What is translucent is a faint shade and is left out.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from itertools import pairwise
from math import ceil
from pathlib import Path
from xml.etree import ElementTree

import pathops
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import SVGPath

SCENERY = {"bridge-at-night": {0, 1, 2, 5}, "fireworks": {0}}
"""Shapes of a drawing, by number, that are the sky or the water around the thing itself."""
GRID = 64
FLATNESS = 0.03

Point = tuple[float, float]


def shapes(body: str, scenery: set[int] = frozenset()) -> list[list[str]]:
    if re.search(r"stroke=|url\(|<use", body):
        raise ValueError("more than flat fills")
    found = []

    def walk(element: ElementTree.Element, fill: str) -> None:
        if element.get("opacity"):
            return
        fill = element.get("fill", fill)
        if len(element):
            for child in element:
                walk(child, fill)
        elif fill != "none":
            found.append([fill, *contours(element)])

    walk(ElementTree.fromstring(f"<svg>{body}</svg>"), "#000000")  # noqa: S314 - a known package
    drawn = [shape for shape in found if len(shape) > 1]
    return [shape for at, shape in enumerate(drawn) if at not in scenery]


def contours(element: ElementTree.Element) -> list[str]:
    pen = RecordingPen()
    text = ElementTree.tostring(element, encoding="unicode")
    SVGPath.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{text}</svg>').draw(pen)
    path = pathops.Path()
    path.fillType = (
        pathops.FillType.EVEN_ODD
        if element.get("fill-rule") == "evenodd"
        else pathops.FillType.WINDING
    )
    for polygon in polygons(pen.value):
        path.moveTo(*polygon[0])
        for point in polygon[1:]:
            path.lineTo(*point)
        path.close()
    path.simplify(fix_winding=True)
    found: list[list[Point]] = []
    for verb, points in path.segments:
        if verb == "moveTo":
            found.append([points[0]])
        elif verb == "lineTo":
            found[-1].append(points[0])
    return signed([contour for contour in found if len(contour) > 2])


def signed(contours: list[list[Point]]) -> list[str]:
    """Widest first, so that what lies in a hole comes after it; a hole is marked with an "o"."""
    # What the grid makes a line or a point cannot be filled.
    wide = [contour for contour in contours if len(numbers(contour)) > 4]
    ordered = sorted(wide, key=lambda contour: -abs(area(contour)))
    return [
        ("o" if area(contour) * area(ordered[0]) < 0 else "") + " ".join(numbers(contour))
        for contour in ordered
    ]


def area(contour: list[Point]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*contour, contour[0]])) / 2


def polygons(drawn: list) -> list[list[Point]]:
    found: list[list[Point]] = []
    for verb, points in drawn:
        if verb == "moveTo":
            found.append([points[0]])
        elif verb == "lineTo":
            found[-1].append(points[0])
        elif verb == "curveTo":
            found[-1].extend(bezier(found[-1][-1], points))
        elif verb == "qCurveTo":
            *controls, end = points
            for at, control in enumerate(controls):
                follows = controls[at + 1] if at + 1 < len(controls) else None
                stop = middle(control, follows) if follows else end
                found[-1].extend(bezier(found[-1][-1], (control, stop)))
    return found


def middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def bezier(start: Point, points: tuple[Point, ...]) -> list[Point]:
    """Points on a curve of any degree, by de Casteljau, as many as flatness asks."""
    hull = [start, *points]
    bend = max(
        abs(hull[at - 1][axis] - 2 * hull[at][axis] + hull[at + 1][axis])
        for at in range(1, len(hull) - 1)
        for axis in (0, 1)
    )
    pieces = max(1, ceil((bend / FLATNESS * 3 / 4) ** 0.5))
    return [on_curve(hull, piece / pieces) for piece in range(1, pieces + 1)]


def on_curve(hull: list[Point], t: float) -> Point:
    while len(hull) > 1:
        hull = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(hull)]
    return hull[0]


def numbers(contour: list[Point]) -> list[str]:
    grid = [(round(x * GRID), round(y * GRID)) for x, y in contour]
    kept = [point for at, point in enumerate(grid) if point != grid[at - 1]]
    return [str(number) for point in kept for number in point]


def figure(bodies: dict, name: str) -> list[list[str]]:
    return shapes(bodies[name]["body"], SCENERY.get(name, frozenset()))


def main(icons: str, vocabulary: str, output: str) -> None:
    bodies = json.loads(Path(icons).read_text())["icons"]
    subjects = tomllib.loads(Path(vocabulary).read_text())["subject"]
    wanted = sorted({name for subject in subjects.values() for name in subject["figure"].split()})
    lines = [f'"{name}": ' + json.dumps(figure(bodies, name)) for name in wanted]
    Path(output).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
