#!/usr/bin/env python3
"""Opens the report pages of example runs in Chromium, at a desktop's width and at a phone's, in light and dark and as
printed, and holds each to what a page owes whoever looks at it, or hears it: nothing is fetched, nothing complained of,
nothing is wider than the screen, no label lies on another, headings are in order, axe-core finds nothing, and every chart
says what it shows. Pictures of all of it are kept, to be looked at. It takes some minutes.

Exit codes: 0 all of it holds; 1 something does not, or broke; 2 refused, such as when there is no Chromium.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
PYTHON = TARGET / "browser" / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "tests" / "external" / "browser" / "requirements.txt"

# Each page with the summaries that it is made from.
PAGES = {name: [name] for name in ("demo", "per-node", "failing", "second", "empty", "events", "merged", "huge")} | {
    "comparison-of-two": ["demo", "per-node"],
    "comparison-of-four": ["demo", "per-node", "failing", "second"],
    "comparison-of-six": ["demo", "per-node", "failing", "second", "empty", "huge"],
}


# A busy machine takes longer than the half minute that is the default.
PICTURE_MS = 180_000


class Refused(Exception):
    """A program or a package is missing."""


def browser():
    names = ["chromium", "chromium-browser", "google-chrome"]
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise Refused("no Chromium: apt install chromium")
    return found


def drive():
    """Continues in the Python that has the packages."""
    if importlib.util.find_spec("playwright") and importlib.util.find_spec("axe_playwright_python"):
        return
    if not PYTHON.exists() or Path(sys.prefix) == PYTHON.parents[1]:
        raise Refused(f"no playwright: python3 -m venv {PYTHON.parents[1]}; {PYTHON} -m pip install -r {REQUIREMENTS}")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])


def make(loadgen, folder):
    """The pages, by name."""
    summaries = loadgen.parent / "examples" / "summaries"
    for program, command in (loadgen, "cargo build"), (summaries, "cargo build --example summaries"):
        if not program.exists():
            raise Refused(f"no {program}: {command}")
    subprocess.run([summaries, folder], check=True)
    pages = {}
    for name, of in PAGES.items():
        pages[name] = folder / f"{name}.html"
        files = [folder / f"{each}.json" for each in of]
        subprocess.run([loadgen, "report", *files, "--output", pages[name]], check=True)
    return pages


# Reports faults of the layout.
LAYOUT = """() => {
  const wrong = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) wrong.push(`the page is ${wide} px wider than the screen`);
  const seen = element => element.getClientRects().length > 0;
  for (const axis of document.querySelectorAll('.upwards, .across')) {
    const labels = [...axis.querySelectorAll('span')].filter(seen).map(span => [span.textContent, span.getBoundingClientRect()]);
    for (const [text, box] of labels) {
      if (box.left < 0 || box.right > window.innerWidth) wrong.push(`the label ${text} is cut off`);
    }
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    labels.forEach(([text, box], at) => labels.slice(at + 1).forEach(([other, its]) => {
      if (meet(box, its)) wrong.push(`the label ${text} lies on ${other}`);
    }));
  }
  const levels = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(heading => Number(heading.tagName[1]));
  if (levels.filter(level => level === 1).length !== 1) wrong.push('not one h1');
  levels.forEach((level, at) => { if (level > (levels[at - 1] ?? 0) + 1) wrong.push(`h${level} after h${levels[at - 1]}`); });
  for (const figure of document.querySelectorAll('figure')) {
    const said = figure.querySelector('[role=img]')?.getAttribute('aria-label') ?? '';
    if (said.length < 20 || !/[0-9]|no request/.test(said)) wrong.push(`a chart says only '${said}'`);
  }
  return wrong;
}"""


def look(context, name, path, width, scheme, folder):
    """Returns the faults of a page at this width and scheme."""
    from axe_playwright_python.sync_playwright import Axe

    wrong = []
    page = context.new_page()
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))

    def route(route):
        if route.request.url == path.as_uri():
            return route.continue_()
        wrong.append(f"fetched: {route.request.url}")
        route.abort()

    page.route("**/*", route)
    page.goto(path.as_uri())
    wrong += page.evaluate(LAYOUT)
    height = page.evaluate("() => document.documentElement.scrollHeight")
    # A browser takes minutes for a picture that is much higher than this.
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 16_000)}
    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True, clip=clip, timeout=PICTURE_MS)
    # The same with all details open.
    page.evaluate("() => document.querySelectorAll('details').forEach(details => details.open = true)")
    wrong += page.evaluate(LAYOUT)
    # A check of a page this large takes a while, so one is enough.
    if name == "huge" and (width, scheme) != (1280, "light"):
        page.close()
        return list(dict.fromkeys(wrong))
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    for violation in found:
        places = violation["nodes"][:3]
        wrong += [f"axe: {violation['help']}: {place['html'][:200]}" for place in places]
    if width > 1000 and scheme == "dark":
        page.emulate_media(media="print")
        wrong += [f"printed: {each}" for each in page.evaluate(
            "() => getComputedStyle(document.body).color === 'rgb(26, 29, 33)' ? [] : ['not in dark letters']")]
        pdf = folder / f"{name}.pdf"
        page.pdf(path=pdf, prefer_css_page_size=True, format="A4", print_background=False)
    page.close()
    return list(dict.fromkeys(wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,…", default="", help=f"only these of {', '.join(PAGES)}")
    parser.add_argument("--loadgen", metavar="PATH", type=Path, default=TARGET / "debug" / "loadgen",
                        help="the program under test (default: %(default)s)")
    options = parser.parse_args()
    folder = TARGET / "browser" / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        executable = browser()
        drive()
        pages = make(options.loadgen, folder)
        only = [name for name in options.only.split(",") if name] or list(pages)
        if unknown := [name for name in only if name not in pages]:
            raise Refused(f"--only: there is no '{unknown[0]}', but {', '.join(pages)}")
    except Refused as reason:
        print(f"browser: {reason}", file=sys.stderr)
        return 2
    except (OSError, subprocess.CalledProcessError) as failure:
        print(f"browser: {failure}", file=sys.stderr)
        return 1

    from playwright.sync_api import Error, sync_playwright

    failing = 0
    try:
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=executable)
            for width, scheme in (1280, "light"), (1280, "dark"), (360, "light"), (360, "dark"):
                size = {"width": width, "height": 800}
                context = chromium.new_context(viewport=size, color_scheme=scheme, offline=True)
                for name in only:
                    wrong = look(context, name, pages[name], width, scheme, folder)
                    failing += bool(wrong)
                    print(f"{name:20} {width:5} px  {scheme:5}  {'wrong' if wrong else 'holds'}")
                    for each in wrong:
                        print(f"    {each}")
                context.close()
            chromium.close()
    except Error as failure:
        print(f"browser: {failure}", file=sys.stderr)
        return 1
    print(f"pictures: {folder}")
    return 1 if failing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
