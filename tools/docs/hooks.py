"""The MkDocs hooks of this site, beyond Material: see `hooks` in mkdocs.yml.

- Draws the Mermaid diagrams at build time.
- Adds the pages of the API reference, which `api_pages` generates from openapi.json, and the changelog.
- Links files of the repository that are not pages.
- Writes a Markdown copy of each page, llms.txt and llms-full.txt.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.docs import api_pages, diagrams  # noqa: E402

FENCE = re.compile(r"^( *)```mermaid\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
WIDTH = re.compile(r"max-width: ([\d.]+px)")
# What only the tests use: instructions for a block, and hidden blocks, such as those that wait.
DIRECTIVE = re.compile(r"^ *<!--(?: test: .*? |\n *```.*?)-->\n+", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FONTS = {
    "inter.woff2": "inter/files/inter-latin-wght-normal.woff2",
    "inter-italic.woff2": "inter/files/inter-latin-wght-italic.woff2",
    "jetbrains-mono.woff2": "jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2",
}

_markdown: dict[str, str] = {}
_nav: list[Navigation] = []


def on_files(files: Files, config: Any) -> Files:
    for name, source in FONTS.items():
        path = diagrams.PACKAGES / "@fontsource-variable" / source
        files.append(File.generated(config, f"assets/fonts/{name}", abs_src_path=str(path)))
    for name, text in api_pages.render(ROOT / "openapi.json").items():
        files.append(File.generated(config, f"reference/api/{name}", content=text))
    changelog = (ROOT / "CHANGELOG.md").read_text()
    files.append(File.generated(config, "changelog.md", content=changelog))
    return files


def on_nav(nav: Navigation, config: Any, files: Files) -> None:
    _nav[:] = [nav]


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    markdown = DIRECTIVE.sub("", markdown)
    markdown = _with_repository_links(markdown, page.file, config["extra"]["repository"])
    _markdown[page.file.src_uri] = markdown
    sources = [match[2] for match in FENCE.finditer(markdown)]
    if not sources:
        return markdown
    try:
        drawn = diagrams.render(sources, os.environ.get("CHROMIUM"))
    except diagrams.BadDiagram as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error

    def figure(match: re.Match[str]) -> str:
        svgs = (
            f'<div class="diagram-{scheme}">{drawn[match[2]][scheme]}</div>' for scheme in diagrams.SCHEMES
        )
        drawn_width = WIDTH.search(drawn[match[2]]["light"])
        style = f' style="--drawn-width: {drawn_width[1]}"' if drawn_width else ""
        return f'{match[1]}<figure class="diagram"{style}>{"".join(svgs)}</figure>'.replace("\n", " ")

    return FENCE.sub(figure, markdown)


def _with_repository_links(markdown: str, file: File, repository: str) -> str:
    """Point links to files outside docs/ to the repository's site."""
    if file.abs_src_path is None:
        folder = ROOT / "docs" / Path(file.src_uri).parent
        if file.src_uri == "changelog.md":
            folder = ROOT
    else:
        folder = Path(file.abs_src_path).parent

    def pointed(match: re.Match[str]) -> str:
        text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, hash_mark, anchor = target.partition("#")
        found = (folder / path).resolve()
        if found.is_relative_to(ROOT / "docs"):
            if file.abs_src_path is None:
                relative = os.path.relpath(found, ROOT / "docs" / Path(file.src_uri).parent)
                return f"[{text}]({Path(relative).as_posix()}{hash_mark}{anchor})"
            return match[0]
        if not found.exists():
            return match[0]  # MkDocs reports it
        kind = "tree" if found.is_dir() else "blob"
        return f"[{text}]({repository}/{kind}/main/{found.relative_to(ROOT).as_posix()}{hash_mark}{anchor})"

    return LINK.sub(pointed, markdown)


def on_post_page(output: str, page: Page, config: Any) -> str:
    """Name the theme's search dialog, for screen readers."""
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')


def on_post_build(config: Any) -> None:
    site = Path(config["site_dir"])
    for source, text in _markdown.items():
        (site / source).parent.mkdir(parents=True, exist_ok=True)
        (site / source).write_text(text)
    name, summary = config["site_name"], config["site_description"]
    index, full = [f"# {name}\n\n> {summary}\n"], [f"# {name}\n\n> {summary}\n"]
    for item in _nav[0].items:
        pages = _pages(item)
        index.append(f"\n## {item.title}\n\n")
        for page in pages:
            about = page.meta.get("description")
            index.append(f"- [{page.title}]({page.file.src_uri})" + (f": {about}" if about else "") + "\n")
            full.append(f"\n<!-- {page.file.src_uri} -->\n\n{_markdown[page.file.src_uri]}\n")
    (site / "llms.txt").write_text("".join(index))
    (site / "llms-full.txt").write_text("".join(full))


def _pages(item: Any) -> list[Page]:
    if isinstance(item, Section):
        return [page for child in item.children for page in _pages(child)]
    return [item] if isinstance(item, Page) else []
