"""Finds the known name that a caller probably meant by an unknown one: "did you mean `eventTypes`?".

`nearest` is for a name that is rejected anyway. `misspelled` is stricter, for fields where callers can
also choose names: there, a false match would reject a correct name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from typing_extensions import TypeAliasType

# A longer name is not a typo, and comparing names takes quadratic time.
_MAX_LENGTH = 64
_SIMILARITY = 0.6
# `domian` is a typo of domain (0.83). `zoom` and `google-ads` are not typos of zoho and google (0.75).
_TYPO_SIMILARITY = 0.82
# Names that other APIs use (Svix, Stripe, GitHub), in lowercase and without separators. The first one that
# is known is suggested.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "after": ("since",),
    "before": ("until",),
    "body": ("data",),
    "callback": ("callbackUrl", "url"),
    "count": ("limit",),
    "enabledevents": ("eventTypes",),
    "end": ("until",),
    "endpoint": ("url",),
    "event": ("eventType", "eventTypes", "type"),
    "events": ("eventTypes",),
    "eventtype": ("eventType", "eventTypes", "type"),
    "filtertypes": ("eventTypes", "eventType"),
    "from": ("since",),
    "iterator": ("cursor",),
    "offset": ("cursor",),
    "page": ("cursor",),
    "pagesize": ("limit",),
    "payload": ("data",),
    "perpage": ("limit",),
    "q": ("search",),
    "query": ("search",),
    "ratelimit": ("rateLimitPerSecond", "rateLimitPerHour"),
    "reason": ("statusReason",),
    "size": ("limit",),
    "start": ("since",),
    "startingafter": ("cursor",),
    "state": ("status",),
    "targeturl": ("url",),
    "to": ("until",),
    "topics": ("eventTypes",),
    "types": ("eventTypes", "type"),
    "uri": ("url",),
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar to `name`, or None. `name` may be another spelling (`event_types`),
    another API's word (`events`), or a typo.
    """
    if len(name) > _MAX_LENGTH:
        return None
    by_spelling = {_plain(candidate): candidate for candidate in sorted(known, reverse=True)}
    plain = _plain(name)
    if plain in by_spelling:
        return by_spelling[plain]
    for synonym in _SYNONYMS.get(plain, ()):
        if _plain(synonym) in by_spelling:
            return by_spelling[_plain(synonym)]
    from difflib import get_close_matches  # only errors need it

    found = get_close_matches(plain, by_spelling, n=1, cutoff=_SIMILARITY)
    return by_spelling[found[0]] if found else None


def misspelled(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is a misspelling of: another spelling of its words (`client_id`), or a typo.
    None if `name` is known, or similar to none of them.
    """
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    if name in by_lower_case.values() or len(name) > _MAX_LENGTH:
        return None
    for candidate in by_lower_case.values():
        if _plain(candidate) == _plain(name):
            return candidate
    from difflib import get_close_matches  # only errors need it

    found = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_TYPO_SIMILARITY)
    return by_lower_case[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean `…`?` for an error's text; empty if no known name is similar to `name`."""
    suggestion = nearest(name, known)
    return "" if suggestion is None else f"; did you mean `{suggestion}`?"


def one_of(text: str, known: Collection[str], what: str) -> str:
    """The error for a text that is not one of `known`: names the nearest one, or else all of them."""
    return f"is not {what}" + (did_you_mean(text, known) or f"; use one of {', '.join(sorted(known))}")


def fields_at(model: type[BaseModel], location: Iterable[str | int]) -> set[str]:
    """The JSON names of the fields of the object at `location` in a `model`; for a union, those of every
    alternative. `location` is Pydantic's: a step that is neither a field nor an index names a type.
    """
    found: set[Any] = {model}
    for step in location:
        found = {child for kind in found for child in _children(kind, step)} or found
    return {name for kind in found for name in _fields(kind)}


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(".", "").lower()


def _alternatives(kind: Any) -> Iterator[Any]:
    """The models, lists and dicts that a type allows."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif isinstance(kind, TypeAliasType):
        yield from _alternatives(kind.__value__)
    elif isinstance(kind, TypeVar):
        return
    elif origin in (Union, UnionType):
        for member in get_args(kind):
            yield from _alternatives(member)
    elif isinstance(kind, type) and issubclass(kind, RootModel):
        yield from _alternatives(kind.model_fields["root"].annotation)
    elif origin in (list, dict) or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        yield kind


def _children(kind: Any, step: str | int) -> Iterator[Any]:
    """The alternatives for the value that `step` leads to."""
    for parent in _alternatives(kind):
        if get_origin(parent) is list:
            if isinstance(step, int):
                yield from _alternatives(get_args(parent)[0])
        elif get_origin(parent) is dict:
            yield from _alternatives(get_args(parent)[1])
        else:
            for name, field in parent.model_fields.items():
                if step == (field.alias or name):
                    yield from _alternatives(field.annotation)


def _fields(kind: Any) -> Iterator[str]:
    for parent in _alternatives(kind):
        if isinstance(parent, type) and issubclass(parent, BaseModel):
            for name, field in parent.model_fields.items():
                yield field.alias or name
