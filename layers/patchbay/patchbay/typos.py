"""Misspellings of names among which a caller may also have names of their own.

Stricter than a suggestion for a name that is refused anyway: a false match refuses a right name. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# A longer name is not a typo, and comparing names takes quadratic time.
_MAX_LENGTH = 64
# `domian` is a typo of domain (0.83). `zoom` and `google-ads` are not typos of zoho and google (0.75).
_SIMILARITY = 0.82


def misspelled(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is a misspelling of: another spelling of its words (`client_id`), or a typo.
    None if `name` is known, or like none of them.
    """
    names = list(known)
    if name in names or len(name) > _MAX_LENGTH:
        return None
    for candidate in names:
        if _plain(candidate) == _plain(name):
            return candidate
    by_lower_case = {candidate.lower(): candidate for candidate in names}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_SIMILARITY)
    return by_lower_case[found[0]] if found else None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
