"""Paths of API requests that every server interprets in the same way.

Proxies and servers differ in how they interpret empty segments, and encoded dots and backslashes. A path
without them leads to the same place everywhere.
"""

from __future__ import annotations

import re

# Segments of RFC 3986, 3.3. One slash may end the path.
_PATH = re.compile(r"(/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*/?")
# Some servers decode slashes before they remove dot segments.
_AMBIGUOUS = re.compile(r"(/|%2f)\.{1,2}(/|%2f|$)|%(2e|5c|00)", re.IGNORECASE)
RULE = "without empty, . or .. segments, without %2E and %5C, and with other characters percent-encoded"


def is_plain_path(path: str) -> bool:
    """Whether a path is empty or begins with a slash, and follows the RULE."""
    return _PATH.fullmatch(path) is not None and _AMBIGUOUS.search(path) is None
