"""
plot - small SVG plots: bars in groups, bars of stacked parts, and latency over percentiles.
"""

import math
from html import escape

COLORS = ["#1b6ca8", "#c8553d", "#588157", "#8e6c8a", "#b08900", "#444444"]
FONT = 'font-family="sans-serif" font-size="12"'


def nice_step(top):
    """A step of an axis with about five of them up to <top>."""
    if top <= 0:
        return 1
    power = 10 ** math.floor(math.log10(top / 5))
    return next(power * m for m in (1, 2, 5, 10) if power * m * 6 > top)


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} {more}>{escape(words)}</text>'


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def frame(title, width, height, body, names):
    legend, x = [], 70
    for i, name in enumerate(names):
        legend.append(f'<rect x="{x}" y="34" width="12" height="12" fill="{COLORS[i % 6]}"/>')
        legend.append(text(x + 17, 44, name, "start"))
        x += 40 + 8 * len(name)
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
         f'width="{width}" height="{height}">',
         f'<rect width="{width}" height="{height}" fill="white"/>',
         text(width / 2, 22, title, more='font-weight="bold"'), *legend, *body, "</svg>", ""])


def axis(top, unit, left, right, bottom, height):
    """Lines and labels of a linear axis from 0 to <top>."""
    out, step, value = [], nice_step(top), 0
    while value <= top * 1.0001:
        y = bottom - height * value / top
        out.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(text(left - 6, y + 4, number(value), "end"))
        value += step
    out.append(text(16, bottom - height / 2, unit,
                    more=f'transform="rotate(-90 16 {bottom - height / 2:.0f})"'))
    return out


def bars(title, unit, groups):
    """
    groups: [(label, [(name, (part, ...)), ...]), ...]: per group a bar per name; its parts are
    stacked, the first one lowest and darkest.
    """
    names = list(dict.fromkeys(name for _, row in groups for name, _ in row))
    top = max((sum(parts) for _, row in groups for _, parts in row), default=0) * 1.08 or 1
    left, bottom, height, bar = 90, 340, 270, 26
    group = bar * len(names) + 28
    width = max(480, left + group * len(groups) + 20)
    body = axis(top, unit, left, width - 15, bottom, height)
    for i, (label, row) in enumerate(groups):
        x = left + 14 + i * group
        for name, parts in row:
            j, low = names.index(name), 0
            for k, part in enumerate(parts):
                tall = height * part / top
                body.append(f'<rect x="{x + j * bar}" y="{bottom - low - tall:.1f}" '
                            f'width="{bar - 3}" height="{tall:.1f}" fill="{COLORS[j % 6]}" '
                            f'fill-opacity="{1 if k == 0 else 0.45}"/>')
                low += tall
            body.append(text(x + j * bar + bar / 2 - 1, bottom - low - 4, number(sum(parts)),
                             more='style="font-size:9px"'))
        body.append(text(x + bar * len(names) / 2, bottom + 18, label))
    return frame(title, width, 370, body, names)


def percentiles(title, lines):
    """lines: {name: [(percent, microseconds), ...]}; both axes logarithmic, nines to the right."""
    left, right, bottom, height = 90, 700, 340, 270
    values = [us for points in lines.values() for _, us in points if us > 0]
    low = 10 ** math.floor(math.log10(min(values, default=1)))
    high = 10 ** math.ceil(math.log10(max(values, default=10)) + 1e-9)
    nines = max((-math.log10(1 - p / 100) for points in lines.values() for p, _ in points
                 if p < 100), default=2)

    def at(percent, us):
        x = left + (right - left) * -math.log10(1 - percent / 100) / nines
        y = bottom - height * math.log10(max(us, low) / low) / math.log10(high / low)
        return x, y

    body, value = [], low
    while value <= high * 1.001:
        y = at(0, value)[1]
        body.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        body.append(text(left - 6, y + 4, number(value), "end"))
        value *= 10
    for percent in (0, 90, 99, 99.9, 99.99, 99.999):
        if -math.log10(1 - percent / 100) <= nines:
            body.append(text(at(percent, low)[0], bottom + 18, f"{percent:g} %"))
    body.append(text(16, 205, "microseconds", more='transform="rotate(-90 16 205)"'))
    for i, points in enumerate(lines.values()):
        path = " ".join("{:.1f},{:.1f}".format(*at(p, us)) for p, us in points if p < 100)
        body.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[i % 6]}" '
                    'stroke-width="2"/>')
    return frame(title, right + 20, 370, body, list(lines))
