#!/usr/bin/env python3
"""glyph-outlines.py DejaVuSans.ttf: writes the outlines of ASCII's printable characters to Mamba.Managed.Cli/Charts/GlyphOutlines.txt, which
charts take their letters from. Debian: python3-fonttools, fonts-dejavu-core."""
import pathlib
import sys
from fontTools.pens.basePen import BasePen, decomposeQuadraticSegment
from fontTools.ttLib import TTFont

UNITS = 1000  # of an em, to which coordinates are rounded
font = TTFont(sys.argv[1])
scale = UNITS / font["head"].unitsPerEm
glyphs, names = font.getGlyphSet(), font.getBestCmap()


class Outline(BasePen):
    def __init__(self):
        super().__init__(glyphs)
        self.parts = []

    def add(self, command, *points):
        self.parts.append(command + " ".join(f"{round(x * scale)} {round(y * scale)}" for x, y in points))

    def _moveTo(self, point):
        self.add("M", point)

    def _lineTo(self, point):
        self.add("L", point)

    def qCurveTo(self, *points):
        if points[-1] is None:  # a contour without a point on the curve
            points = (*points[:-1], ((points[0][0] + points[-2][0]) / 2, (points[0][1] + points[-2][1]) / 2))
            self.add("M", points[-1])
        for control, end in decomposeQuadraticSegment(points):
            self.add("Q", control, end)


license_text = next(record.toUnicode() for record in font["name"].names if record.nameID == 13).replace("\r", "").strip()
lines = ["# Outlines of letters in thousandths of an em, y upwards: the character, its advance, and for each contour M x y, then L x y and Q x y x y.",
         "# They are those of DejaVu Sans, rounded; its license:", "#"]
lines += [("# " + line.strip()).rstrip() for line in license_text.split("\n")]
lines.append("")  # ends the comment: # is a character, too
for code in range(32, 127):
    pen = Outline()
    glyphs[names[code]].draw(pen)
    lines.append(" ".join([chr(code), str(round(glyphs[names[code]].width * scale)), "".join(pen.parts)]).rstrip())
target = pathlib.Path(__file__).parent.parent / "Mamba.Managed.Cli/Charts/GlyphOutlines.txt"
target.write_text("\n".join(lines) + "\n", encoding="utf-8")
