"""Charts as SVG, for light and dark screens: the same numbers give the same bytes, and nothing needs to be installed.

`bars`, `stacks` and `heat` return the text of an image. The title says what was found; the line below it says what is
shown, and in what unit. Colours are those of Okabe and Ito, which all kinds of sight tell apart, and no chart needs
them alone: bars and cells have their numbers beside them, and what is stacked has its order.
"""

import textwrap
from html import escape

WIDTH = 760
MARGIN = 24
LIGHT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#8c959f", "#d55e00", "#56b4e9", "#f0e442"]
DARK = ["#4ba3d9", "#e69f00", "#2fbf94", "#dc9cc0", "#7d8590", "#e8793a", "#9fd6f5", "#f0e442"]


def colours(paper, ink, dim, grid, cell, series):
    fills = "".join(f".s{i}{{fill:{colour}}}" for i, colour in enumerate(series))
    return (
        f".paper{{fill:{paper}}}.ink{{fill:{ink}}}.dim{{fill:{dim}}}.on{{fill:#fff}}.cell{{fill:{cell}}}{fills}"
        f".edge{{stroke:{paper};stroke-width:1}}.grid{{stroke:{grid};stroke-width:1}}"
    )


STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:13px}"
    ".title{font-size:18px;font-weight:600}.small{font-size:11px}"
    + colours("#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#0072b2", LIGHT)
    + "@media(prefers-color-scheme:dark){"
    + colours("#0d1117", "#f0f6fc", "#9198a1", "#30363d", "#2a7fb8", DARK)
    + "}"
)


def fill(series):
    return f"s{series % len(LIGHT)}"


def number(value):
    """As short as a coordinate can be."""
    return f"{value:.1f}".removesuffix(".0")


def text(x, y, words, kind="ink", anchor="start"):
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{number(x)}" y="{number(y)}" class="{kind}"{end}>{escape(str(words))}</text>'


def box(x, y, width, height, kind, more=""):
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect {place} class="{kind}"{more}/>'


def line(x1, y1, x2, y2):
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line {ends} class="grid"/>'


def legend(names, y):
    """A square and a name for each series, in one row."""
    drawn, x = [], MARGIN
    for i, name in enumerate(names):
        drawn += [box(x, y - 10, 11, 11, fill(i)), text(x + 17, y, name)]
        x += 17 + 7.5 * len(name) + 18
    return drawn


def image(title, about, height, draw):
    """The frame of a chart: `draw(top)` returns what stands below the title and the line about it."""
    titles = textwrap.wrap(title, 62)
    abouts = textwrap.wrap(about, 92)
    drawn = [text(MARGIN, 38 + 23 * i, words, "ink title") for i, words in enumerate(titles)]
    below = 38 + 23 * len(titles)
    drawn += [text(MARGIN, below + 17 * i, words, "dim") for i, words in enumerate(abouts)]
    top = below + 17 * len(abouts) + 10
    drawn += draw(top)
    height += top
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {number(height)}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(about)}</desc>",
        f"<style>{STYLE}</style>",
        box(0, 0, WIDTH, height, "paper", ' rx="8"'),
        *drawn,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def bars(title, about, series, rows, form="{:,}".format):
    """Bars from the left, a group for each row: (label, a value for each series); their numbers at their ends."""
    label = 8 * max(len(name) for name, _ in rows) + 12
    longest = max(max(values) for _, values in rows) or 1
    room = WIDTH - 2 * MARGIN - label - 8 * max(len(form(v)) for _, values in rows for v in values) - 8
    thick = 16
    group = thick * len(series) + 14

    def draw(top):
        named = len(series) > 1
        drawn = legend(series, top + 8) if named else []
        top += 28 if named else 4
        x = MARGIN + label
        for i, (name, values) in enumerate(rows):
            y = top + group * i
            drawn.append(text(x - 10, y + (group - 14) / 2 + 4.5, name, anchor="end"))
            for j, value in enumerate(values):
                long = max(room * value / longest, 1)
                drawn.append(box(x, y + thick * j, long, thick - 2, fill(j)))
                drawn.append(text(x + long + 6, y + thick * j + 11.5, form(value), "ink"))
        drawn.append(line(x, top - 4, x, top + group * len(rows) - 10))
        return drawn

    return image(title, about, (28 if len(series) > 1 else 4) + group * len(rows) + 6, draw)


def step(largest):
    """The distance of about five grid lines: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * 5 >= largest:
                return factor * power
        power *= 10


def stacks(title, about, unit, series, rows):
    """Columns that are stacked of the series from below: (label, a value for each); every other label is shown."""
    tall, left = 260, MARGIN + 52
    largest = max(sum(values) for _, values in rows) or 1
    grid = step(largest)
    wide = (WIDTH - MARGIN - left) / len(rows)

    def draw(top):
        drawn = legend(series, top + 8)
        drawn.append(text(MARGIN, top + 36, unit, "dim small"))
        zero = top + 52 + tall
        for value in range(0, largest + 1, grid):
            y = zero - tall * value / largest
            drawn += [line(left, y, WIDTH - MARGIN, y), text(left - 8, y + 4, f"{value:,}", "dim small", "end")]
        for i, (name, values) in enumerate(rows):
            x, y = left + wide * i, zero
            for j, value in enumerate(values):
                high = tall * value / largest
                y -= high
                drawn.append(box(x + wide * 0.1, y, wide * 0.8, high, f"{fill(j)} edge"))
            if i % (1 + len(rows) // 13) == 0:
                drawn.append(text(x + wide / 2, zero + 18, name, "dim small", "middle"))
        return drawn

    return image(title, about, 52 + tall + 36, draw)


def heat(title, about, across, columns, rows):
    """Cells that are the darker the larger their percentage: (label, size, a value or None for each column)."""
    left, high = MARGIN + 120, 22
    wide = (WIDTH - MARGIN - left) / len(columns)
    largest = max(value for _, _, values in rows for value in values if value is not None) or 1

    def draw(top):
        drawn = [text(left, top + 8, across, "dim small")]
        drawn += [
            text(left + wide * (i + 0.5), top + 28, name, "dim small", "middle") for i, name in enumerate(columns)
        ]
        for i, (name, size, values) in enumerate(rows):
            y = top + 36 + high * i
            drawn.append(text(MARGIN, y + 15, name))
            drawn.append(text(left - 10, y + 15, f"{size:,}", "dim", "end"))
            for j, value in enumerate(values):
                if value is None:
                    continue
                share = value / largest
                shade = f' fill-opacity="{0.06 + 0.94 * share:.2f}"'
                drawn.append(box(left + wide * j, y, wide, high, "cell edge", shade))
                kind = "on small" if share > 0.84 else "ink small"
                drawn.append(text(left + wide * (j + 0.5), y + 15, value, kind, "middle"))
        return drawn

    return image(title, about, 36 + high * len(rows) + 20, draw)
