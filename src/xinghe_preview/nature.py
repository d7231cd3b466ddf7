"""What lies on the sky and the ground of a scene: stars, clouds, sand, waves, boards, grass."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw, ImageFilter

from xinghe_preview.vocabulary import Place


def stars(draw: ImageDraw.ImageDraw, width: int, horizon: int, random: Random) -> None:
    unit = max(1, min(width, horizon) // 260)
    for _ in range(140):
        x, y = random.randrange(width), random.randrange(horizon)
        size = unit * random.choice((1, 1, 1, 2))
        light = random.randrange(170, 256)
        draw.ellipse((x, y, x + size, y + size), fill=(light, light, 235))


def clouds(image: Image.Image, place: Place, width: int, horizon: int, random: Random) -> None:
    veil = Image.new("L", image.size)
    draw = ImageDraw.Draw(veil)
    for _ in range(random.randrange(2, 5)):
        x, y = random.randrange(width), random.randrange(horizon // 8, max(horizon // 2, 2))
        size = random.randrange(width // 14, width // 8)
        for puff in range(4):
            across = x + (puff - 2) * size * 2 // 3
            down = y - (puff % 2) * size // 4
            draw.ellipse(
                (across - size // 2, down - size // 3, across + size // 2, down + size // 3),
                fill=150,
            )
    veil = veil.filter(ImageFilter.BoxBlur(max(1, width // 200)))
    image.paste((250, 250, 252), (0, 0), veil)


def shore(image: Image.Image, place: Place, horizon: int, random: Random) -> None:
    """Sea as far as a waving line, then sand."""
    width, height = image.size
    sea, sand = place.ground
    line = horizon + (height - horizon) * 3 // 10
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, horizon, width, height), fill=sea)
    phase = random.randrange(7)
    edge = [
        (x, line + _wave(x * 64 // width + phase) * height // 900) for x in range(0, width + 8, 8)
    ]
    foam = max(2, height // 90)
    draw.polygon(
        [(0, height), *[(x, y - foam) for x, y in edge], (width, height)], fill=(244, 250, 252)
    )
    draw.polygon([(0, height), *edge, (width, height)], fill=sand)


def _wave(step: int) -> int:
    """A smooth repeating line, -10 to 10, in integers."""
    step %= 16
    rise = (0, 4, 7, 9, 10, 9, 7, 4)
    return rise[step] if step < 8 else -rise[step - 8]


def waves(
    draw: ImageDraw.ImageDraw, place: Place, width: int, height: int, horizon: int, random: Random
) -> None:
    light = tuple(min(255, part + 44) for part in place.ground[0])
    for _ in range(46):
        y = random.randrange(horizon, height)
        size = max(6, width * (y - horizon + height // 12) // height // 5)
        x = random.randrange(-size, width)
        draw.arc(
            (x, y, x + size, y + size // 5 + 2), 200, 340, fill=light, width=max(1, height // 320)
        )


def boards(draw: ImageDraw.ImageDraw, place: Place, width: int, height: int, horizon: int) -> None:
    dark = tuple(part * 86 // 100 for part in place.ground[1])
    line = max(1, height // 400)
    draw.rectangle((0, horizon - height // 60, width, horizon), fill=dark)
    for number in range(-6, 19):
        x = number * width // 12
        draw.line(
            (x, horizon, width // 2 + (x - width // 2) * 9 // 5, height), fill=dark, width=line
        )


def tufts(
    draw: ImageDraw.ImageDraw, place: Place, width: int, height: int, horizon: int, random: Random
) -> None:
    for _ in range(90):
        y = random.randrange(horizon, height)
        size = max(3, (y - horizon + height // 14) // 12)
        x = random.randrange(width)
        shade = random.choice((93, 96, 104, 107))
        colour = tuple(
            min(255, part * shade // 100)
            for part in place.ground[(y - horizon) * 2 > height - horizon]
        )
        draw.ellipse((x - 2 * size, y - size // 2, x + 2 * size, y + size // 2), fill=colour)
