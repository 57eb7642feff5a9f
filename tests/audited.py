"""The actions that the audit log records."""

from __future__ import annotations

from local.direct import handler_of
from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Template
from patchbay.http.auditing import Rule
from tests.conftest import routes_of


def actions() -> set[str]:
    """The actions of all routes whose requests are recorded when they succeed."""
    template = Template(ROOT / "template.yaml", REQUIRED_PARAMETERS)
    functions = template.functions()
    rules: list[tuple[str, Rule]] = [
        (route.method, rule)
        for route in routes_of(template)
        if (rule := handler_of(functions[route.function]).endpoint["audit"]) is not None
    ]
    return {
        rule.action
        for method, rule in rules
        if rule.unaudited is None and (method not in ("GET", "HEAD") or rule.reads_secret or rule.revealed_by)
    }
