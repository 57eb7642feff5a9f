"""Writes the page of errors, to which the `type` of every problem links. `make derived`."""

from __future__ import annotations

import json
import re
from html import escape

from local.settings import ROOT
from patchbay.errors import Problem, all_problems
from tools.openapi.examples import Examples
from tools.openapi.operations import operations

TARGET = ROOT / "layers/reference/patchbay_reference/errors.html"

_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Errors · Patchbay API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="reference.css" />
  </head>
  <body>
    <main class="errors">
      <h1>Errors</h1>
      <p>
        Every error of the <a href="../docs">Patchbay API</a> is <code>application/problem+json</code>
        (<a href="https://www.rfc-editor.org/rfc/rfc9457" rel="noreferrer">RFC 9457</a>). Decide by its
        <code>code</code>, which is stable, and show its <code>detail</code> to people. Quote the
        <code>requestId</code> when you ask for help.
      </p>
      <nav aria-label="Codes">
{links}
      </nav>
{sections}
    </main>
  </body>
</html>
"""
_LINK = """        <a href="#{code}">{status} <code>{code}</code> <span>{title}</span></a>"""
_SECTION = """      <section id="{code}">
        <h2>{status} <a href="#{code}"><code>{code}</code></a></h2>
        <p>{title}.</p>
        <h3>What to do</h3>
        <p>{remedy}</p>
        <h3>Example</h3>
        <pre tabindex="0"><code>{example}</code></pre>
      </section>"""
_STATUS = """<span class="status{kind}">{status}</span>"""


def render() -> str:
    """Return the page."""
    problems = all_problems()
    return _PAGE.format(
        links="\n".join(
            _LINK.format(code=each.code, status=_status(each), title=escape(each.title)) for each in problems
        ),
        sections="\n".join(_section(each) for each in problems),
    )


def example(problem: type[Problem]) -> dict[str, object]:
    """Return a recorded response with this code, or one like it."""
    recorded = Examples.load().any_problems([problem.code])
    return recorded[problem.code]["value"] if recorded else _sample(problem)


def _section(problem: type[Problem]) -> str:
    return _SECTION.format(
        code=problem.code,
        status=_status(problem),
        title=escape(problem.title),
        remedy=_with_code(problem.remedy),
        example=escape(json.dumps(example(problem), ensure_ascii=False, indent=2), quote=False),
    )


def _sample(problem: type[Problem]) -> dict[str, object]:
    """An example of a code that no recording has: a failure of AWS, or an oversized request."""
    path = next(
        (each.path for each in operations() if problem in each.problems and "{" not in each.path),
        "/api/events",
    )
    return {
        "type": f"https://patchbay.example/api/docs/errors#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.remedy.replace("`", ""),
        "code": problem.code,
        "instance": path,
        "requestId": "KkPv4jWcoAMEJ5Q=",
    }


def _status(problem: type[Problem]) -> str:
    return _STATUS.format(status=problem.status, kind=" server" if problem.status >= 500 else "")


def _with_code(text: str) -> str:
    """A text with `code` in backticks, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
