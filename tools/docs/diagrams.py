"""Renders the Mermaid diagrams of the documentation as SVG, in Chromium, without requests to other machines.

The results are in .tools/diagrams, named after a hash of everything that they depend on. Each diagram has two
drawings: for the light and the dark palette of the site.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".tools/node/docs/node_modules"
CACHE = ROOT / ".tools/diagrams"
FONT = PACKAGES / "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2"
SCHEMES = ("light", "dark")

_LIGHT = {
    "background": "#ffffff",
    "primaryColor": "#eceefc",
    "primaryBorderColor": "#4f56d3",
    "primaryTextColor": "#1b1f25",
    "secondaryColor": "#f1f5f9",
    "secondaryBorderColor": "#64748b",
    "tertiaryColor": "#fff7ed",
    "tertiaryBorderColor": "#c2660c",
    "lineColor": "#475569",
    "textColor": "#1b1f25",
    "clusterBkg": "#f8fafc",
    "clusterBorder": "#cbd5e1",
    "edgeLabelBackground": "#ffffff",
    "noteBkgColor": "#fff7ed",
    "noteBorderColor": "#c2660c",
    "noteTextColor": "#1b1f25",
    "actorLineColor": "#94a3b8",
    "signalColor": "#334155",
    "signalTextColor": "#1b1f25",
}
_DARK = {
    "background": "#15181c",
    "primaryColor": "#2c3066",
    "primaryBorderColor": "#a5aaf0",
    "primaryTextColor": "#e6e9ee",
    "secondaryColor": "#262b33",
    "secondaryBorderColor": "#94a3b8",
    "tertiaryColor": "#4a2e0d",
    "tertiaryBorderColor": "#fdba74",
    "lineColor": "#a3b3c6",
    "textColor": "#e6e9ee",
    "clusterBkg": "#1b1f25",
    "clusterBorder": "#4b5563",
    "edgeLabelBackground": "#15181c",
    "noteBkgColor": "#4a2e0d",
    "noteBorderColor": "#fdba74",
    "noteTextColor": "#e6e9ee",
    "actorLineColor": "#64748b",
    "signalColor": "#cbd5e1",
    "signalTextColor": "#e6e9ee",
}
THEMES: Mapping[str, Mapping[str, str]] = {"light": _LIGHT, "dark": _DARK}

_PAGE = """<!doctype html><meta charset="utf-8">
<style>
@font-face { font-family: "Inter"; src: url(data:font/woff2;base64,FONT); font-weight: 100 900; }
body { font-family: "Inter"; }
</style>
<p>Text that loads the font: <b>bold</b></p>"""

# Labels cover the lines below them. No shadows.
_STYLE = """
.edgeLabel rect, .edgeLabel .background { opacity: 1; }
.messageText { paint-order: stroke; stroke: BACKGROUND !important; stroke-width: 8px; }
.node *, .node, .cluster *, .cluster, .actor, .note { filter: none !important; }
.node rect { rx: 6px; ry: 6px; }
"""

_RENDER = """async ([id, source, theme, dark]) => {
  await document.fonts.ready;
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    theme: "base",
    htmlLabels: false,
    fontFamily: 'Inter, sans-serif',
    themeCSS: STYLE.replaceAll('BACKGROUND', theme.background),
    themeVariables: { ...theme, fontSize: "15px", darkMode: dark },
    flowchart: { htmlLabels: false, curve: "basis", useMaxWidth: true, padding: 12 },
    sequence: { useMaxWidth: true, mirrorActors: false },
    state: { useMaxWidth: true },
  });
  return (await mermaid.render(id, source)).svg;
}""".replace("STYLE", json.dumps(_STYLE))


class BadDiagram(Exception):
    """Mermaid cannot draw a diagram. The message contains Mermaid's message and the source."""


def render(sources: Iterable[str], chromium: str | None) -> dict[str, dict[str, str]]:
    """Return the SVG of each source, by scheme. Raises `BadDiagram`.

    `chromium` is the path of the browser, which is only started if the cache lacks a diagram.
    """
    keys = {source: _key(source) for source in sources}
    missing = [source for source, key in keys.items() if not _file(key).exists()]
    if missing:
        CACHE.mkdir(parents=True, exist_ok=True)
        _draw({source: keys[source] for source in missing}, chromium)
    return {source: json.loads(_file(key).read_text()) for source, key in keys.items()}


def _key(source: str) -> str:
    version = json.loads((PACKAGES / "mermaid/package.json").read_text())["version"]
    made_of = json.dumps([source, version, THEMES, _PAGE, _RENDER])
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _file(key: str) -> Path:
    return CACHE / f"{key}.json"


def _draw(keys: Mapping[str, str], chromium: str | None) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())  # nothing is fetched
        page.set_content(_PAGE.replace("FONT", base64.b64encode(FONT.read_bytes()).decode()))
        page.add_script_tag(content=(PACKAGES / "mermaid/dist/mermaid.min.js").read_text())
        for source, key in keys.items():
            drawn = {}
            for scheme in SCHEMES:
                theme = THEMES[scheme]
                try:
                    arguments = [f"diagram-{key}-{scheme}", source, theme, scheme == "dark"]
                    drawn[scheme] = page.evaluate(_RENDER, arguments)
                except Error as error:
                    raise BadDiagram(f"{error}\n\n{source}") from error
            _file(key).write_text(json.dumps(drawn))
        browser.close()
