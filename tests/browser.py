"""Pages in a headless Chromium: what it logs, how wide a page becomes, pictures of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_PROBE = """<script>addEventListener('load',()=>{const e=document.documentElement,wide=[];
for(const each of document.querySelectorAll('main *')){const r=each.getBoundingClientRect();
if(r.right>e.clientWidth+1&&!each.closest('.scroll')&&!each.closest('svg'))wide.push(each.tagName)}
document.title='PROBE'+JSON.stringify({width:innerWidth,scroll:e.scrollWidth,height:e.scrollHeight,wide,
dark:matchMedia('(prefers-color-scheme:dark)').matches,ground:getComputedStyle(document.body).backgroundColor})})</script>"""


def chromium(*options: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs Chromium without a window."""
    assert CHROMIUM is not None
    fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions"]
    return subprocess.run(
        [CHROMIUM, *fixed, *map(str, options)], capture_output=True, text=True, timeout=timeout, check=True
    )


def _theme(dark: bool) -> str:
    return f"--blink-settings=preferredColorScheme={0 if dark else 1}"


def console(page: Path) -> list[str]:
    """What the page makes the console say."""
    done = chromium("--enable-logging=stderr", "--v=0", "--dump-dom", page.as_uri())
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probe(page: Path, width: int, *, dark: bool = False) -> dict:
    """Measures of the page in a window of that width: 'scroll' is how wide it becomes, 'wide' what sticks out.

    The page is measured in a frame, since windows have a least width."""
    inner, outer = page.with_suffix(".probe.html"), page.with_suffix(".frame.html")
    inner.write_text(page.read_text(encoding="utf-8").replace("</body>", _PROBE + "</body>"), encoding="utf-8")
    outer.write_text(
        f"<body style='margin:0'><iframe src='{inner.name}' style='border:0;width:{width}px;height:800px'></iframe>"
        "<script>const f=document.querySelector('iframe');f.addEventListener('load',()=>setTimeout(()=>{"
        "document.body.append(f.contentDocument.title)},50))</script>"
    )
    try:
        options = ["--allow-file-access-from-files", "--virtual-time-budget=3000", _theme(dark)]
        text = chromium(*options, "--dump-dom", outer.as_uri()).stdout
    finally:
        inner.unlink()
        outer.unlink()
    found = re.search(r"PROBE(\{.*?\})", text)
    assert found is not None, text[-500:]
    return json.loads(found[1].replace("&quot;", '"'))


def screenshot(page: Path, image: Path, width: int, height: int, *, dark: bool = False) -> None:
    """A picture of the page in a window of that size."""
    framed = page.with_suffix(".frame.html")
    framed.write_text(
        f"<body style='margin:0;background:#888'><iframe src='{page.name}' "
        f"style='border:0;width:{width}px;height:{height}px' scrolling=no></iframe>"
    )
    try:
        chromium(
            _theme(dark), f"--screenshot={image}", f"--window-size={max(width, 500)},{height + 120}", framed.as_uri()
        )
    finally:
        framed.unlink()


def print_pdf(page: Path, pdf: Path) -> None:
    """The page on paper."""
    chromium(f"--print-to-pdf={pdf}", "--no-pdf-header-footer", page.as_uri())
