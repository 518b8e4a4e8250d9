#!/usr/bin/env python3
"""Makes the pictures of the README from runs of the demo.

    docs/pictures.py [--loadgen PATH] [--into FOLDER]

live.svg is the live view of `loadgen --demo`, 22 seconds after its start, in the second burst. report.png is the first screen
of the page of `loadgen --demo --demo-limiter per-node --report page.html`. Each run takes 40 seconds.

Needs pyte (docs/requirements.txt) and Chromium.
"""

import argparse
import fcntl
import os
import pathlib
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from xml.sax.saxutils import escape, quoteattr

import pyte
from pyte import graphics

COLUMNS, ROWS = 100, 34
# The size of a cell and the space around all of them, in pixels.
WIDTH, HEIGHT, MARGIN = 8.4, 17, 14
# When the live view is drawn, in seconds after the program's start.
INSTANT = 22.5
# No run of the demo takes longer, in seconds.
LONGEST = 90

BACKGROUND, FOREGROUND, DIM = "#12171e", "#d5dbe3", "#8b96a5"
# The terminal's 16 colours, in their order, by pyte's names.
COLOURS = {
    "black": "#3b4452", "red": "#f0776c", "green": "#5fc77e", "brown": "#dfb04f",
    "blue": "#6ba6f2", "magenta": "#c38bf0", "cyan": "#4fc3c9", "white": FOREGROUND,
    "brightblack": DIM, "brightred": "#f79a91", "brightgreen": "#86dba0", "brightbrown": "#f0cd7f",
    "brightblue": "#98c2f7", "brightmagenta": "#d8b3f6", "brightcyan": "#83dade",
    "brightwhite": "#ffffff",
}  # fmt: skip


class Screen(pyte.Screen):
    """A screen that knows dim text, which pyte ignores. It is kept as blinking text, of which there is none."""

    def select_graphic_rendition(self, *codes, **rest):
        for code, instead in [(2, (5,)), (22, (22, 25))]:
            if codes == (code,):
                codes = instead
        super().select_graphic_rendition(*codes, **rest)


def live_view(loadgen):
    """Returns the screen of a run of the demo at INSTANT."""
    screen = Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
        os.execv(loadgen, ["loadgen", "--demo"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start, shown = time.monotonic(), None
    try:
        while time.monotonic() - start < LONGEST:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    written = os.read(terminal, 65536)
                except OSError:  # Linux says so at the end.
                    break
                if not written:
                    break
                stream.feed(written)
            if shown is None and time.monotonic() - start >= INSTANT:
                shown = [[row[column] for column in range(COLUMNS)] for row in map(screen.buffer.get, range(ROWS))]
        else:
            os.kill(child, 9)
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    if shown is None:
        sys.exit(f"the demo ended early, with {os.waitstatus_to_exitcode(status)}")
    return shown


def colour(name, default):
    if name == "default":
        return default
    # A colour of the 256 that is one of the 16.
    if name in graphics.FG_BG_256[:16]:
        return list(COLOURS.values())[graphics.FG_BG_256.index(name)]
    return COLOURS.get(name) or f"#{name}"


def runs(row):
    """Splits a row of cells into texts of one style without two spaces in a row: the first column, the text, and its style."""
    start, text, style = 0, "", None
    for column, cell in enumerate(row):
        of_cell = cell._replace(data="")
        if of_cell != style or text.endswith("  "):
            if text.strip():
                yield start, text, style
            start, text, style = column, "", of_cell
        text += cell.data
    if text.strip():
        yield start, text, style


def rectangle(column, row, columns, share, fill):
    """A rectangle over cells of one row, or over this share of them from below."""
    left, height = MARGIN + column * WIDTH, HEIGHT * share
    top = MARGIN + (row + 1) * HEIGHT - height
    return f'<rect x="{left:.1f}" y="{top:.2f}" width="{columns * WIDTH:.1f}" height="{height:.2f}" fill="{fill}"/>'


# Block elements are drawn as rectangles, since fonts leave gaps between them.
BLOCKS = {"▁": 1 / 8, "▂": 2 / 8, "▃": 3 / 8, "▄": 4 / 8, "▅": 5 / 8, "▆": 6 / 8, "▇": 7 / 8, "█": 1.0}


def svg(rows, label):
    while rows and not "".join(cell.data for cell in rows[-1]).strip():
        rows = rows[:-1]
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), len(rows) * HEIGHT + 2 * MARGIN
    fonts = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f" role=\"img\" aria-label={quoteattr(label)}>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="{fonts}" font-size="14" fill="{FOREGROUND}" shape-rendering="crispEdges">',
    ]
    for number, row in enumerate(rows):
        texts = []
        for column, cell in enumerate(row):
            front, back = colour(cell.fg, DIM if cell.blink else FOREGROUND), colour(cell.bg, BACKGROUND)
            if cell.reverse:
                front, back = back, front
            if back != BACKGROUND:
                lines.append(rectangle(column, number, 1, 1.0, back))
            is_block = cell.data in BLOCKS
            if is_block:
                lines.append(rectangle(column, number, 1, BLOCKS[cell.data], front))
            data = " " if is_block else cell.data
            texts.append(cell._replace(data=data, fg=front, bg="default", reverse=False))
        for column, text, style in runs(texts):
            # Spaces at the ends have no ink.
            column += len(text) - len(text.lstrip())
            text = text.strip()
            bold = ' font-weight="bold"' if style.bold else ""
            fill = f' fill="{style.fg}"' if style.fg != FOREGROUND else ""
            place = f'x="{MARGIN + column * WIDTH:.1f}" y="{MARGIN + number * HEIGHT + 13}"'
            lines.append(f'<text {place} textLength="{len(text) * WIDTH:.1f}"{bold}{fill}>{escape(text)}</text>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def report(loadgen, picture):
    """Takes the first screen of the page of a broken limiter."""
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder, "page.html")
        command = [loadgen, "--demo", "--demo-limiter", "per-node", "--report", page]
        code = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=LONGEST).returncode
        if code != 4:
            sys.exit(f"the demo of nodes that count alone ended with {code}, not with 4")
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        take = [f"--screenshot={picture}", "--window-size=1100,800", page.as_uri()]
        subprocess.run([*browser, *take], check=True, stderr=subprocess.DEVNULL, timeout=LONGEST)


def main():
    here = pathlib.Path(__file__).resolve().parent
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--loadgen", default=here.parent / "target/release/loadgen", type=pathlib.Path)
    options.add_argument("--into", default=here, type=pathlib.Path)
    options = options.parse_args()
    loadgen, into = options.loadgen.resolve(), options.into.resolve()

    label = "The live view of the demo on a terminal, in a burst: rates, percentiles, targets, and the state of the audit"
    (into / "live.svg").write_text(svg(live_view(loadgen), label))
    report(loadgen, into / "report.png")


if __name__ == "__main__":
    main()
