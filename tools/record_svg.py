#!/usr/bin/env python3
"""record_svg.py < what-a-terminal-showed > recording.svg - a recording of `make demo` as one SVG that turns its own pages.

What it reads is what a terminal got, colours and all: script -qec "stty cols 80; make demo" /dev/null. A line that begins with
"-- " begins a page; a page that is longer than a screen is split. The pages follow each other by CSS alone, so the picture moves
in a README too, and stands still (the page that --still names) for who asks for less motion.
"""
import argparse
import html
import re
import sys

COLUMNS, WIDTH, HEIGHT, PAD = 80, 8.4, 17, 14
COLOURS = {31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2"}


def styled(line):
    """(column, text, colour, bold, dim) runs of a line, after its escapes and carriage returns."""
    line = line.rstrip("\n").split("\r")[-1] if line.rstrip("\n").rstrip("\r").count("\r") else line.rstrip("\r\n")
    line = re.sub(r"\x1b\[[0-9;]*[A-Zac-ln-z]|\x1b\][^\x07]*\x07", "", line)
    runs, column, colour, bold, dim = [], 0, None, False, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not code:
            if part:
                runs.append((column, part, colour, bold, dim))
            column += len(part)
            continue
        for n in (int(x or 0) for x in code.group(1).split(";")):
            if n == 0:
                colour, bold, dim = None, False, False
            elif n == 1:
                bold = True
            elif n == 2:
                dim = True
            else:
                colour = COLOURS.get(n, colour)
    return runs


def pages(lines, rows):
    found, page = [], []
    for line in lines:
        if line.startswith("-- ") and any(old.startswith("-- ") for old in page):
            found.append(page)
            page = []
        page.append(line)
    found.append(page)
    for page in found:
        while page and not page[0].strip():
            page = page[1:]
        while page and not page[-1].strip():
            page = page[:-1]
        while len(page) > rows:  # at an empty line, where there is one
            at = max((i for i in range(rows // 2, rows) if not page[i].strip()), default=rows)
            yield page[:at]
            page = page[at:]
        if page:
            yield page


def draw_line(runs, y):
    spans = []
    for column, text, colour, bold, dim in runs:
        # Words apart, each at its own column: no font then moves what stands behind it.
        for word in re.finditer(r"\S+(?: \S+)*", text):
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "") + (' opacity=".6"' if dim else "")
            n, x = len(word.group()), PAD + (column + word.start()) * WIDTH
            spans.append(f'<text x="{x:.1f}" y="{y}" textLength="{n * WIDTH:.1f}"{style}>{html.escape(word.group(), quote=False)}</text>')
    return "".join(spans)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=34)
    options.add_argument("--seconds", type=float, default=7, help="a page stays")
    options.add_argument("--still", type=int, default=3, help="the page that stands where nothing may move")
    a = options.parse_args()
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    shown = list(pages(text.split("\n"), a.rows))
    rows = max(len(page) for page in shown)
    width, height, total = 2 * PAD + COLUMNS * WIDTH, 2 * PAD + rows * HEIGHT, a.seconds * len(shown)
    share = 100 / len(shown)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">',
           "<title>make demo, in a terminal</title><style>",
           "text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}",
           ".p{visibility:hidden;animation:p %.1fs infinite}" % total,
           "@keyframes p{0%%{visibility:visible}%.3f%%{visibility:hidden}100%%{visibility:hidden}}" % share,
           "@media(prefers-reduced-motion:reduce){.p{animation:none}.s{visibility:visible}}</style>",
           f'<rect width="100%" height="100%" rx="8" fill="#1e2228"/><g fill="#d7dae0">']
    for i, page in enumerate(shown):
        still = " s" if i == min(a.still, len(shown) - 1) else ""
        lines = "".join(draw_line(styled(line), PAD + 12 + k * HEIGHT) for k, line in enumerate(page))
        out.append(f'<g class="p{still}" style="animation-delay:{i * a.seconds:.1f}s">{lines}</g>')
    out.append("</g></svg>")
    print("\n".join(x for x in out if x))


if __name__ == "__main__":
    main()
