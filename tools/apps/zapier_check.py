"""Checks the Zapier app for faults that Zapier's schema accepts, but its review or its users do not.

Codes in brackets are those of Zapier's publishing checks.
https://docs.zapier.com/platform/publish/integration-checks-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SMALL = {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "text": str,
    "datetime": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
# The parts of a hook. Without one of them, a Zap gets no events, cannot unsubscribe, or has no sample (D006).
_HOOK = ("performSubscribe", "performUnsubscribe", "performList", "perform")


def problems(app: Mapping[str, Any]) -> list[str]:
    """Return the faults of a definition, each with its path in the definition."""
    return [
        *_authentication(app),
        *(problem for _, place, operation in _operations(app) for problem in _display(place, operation)),
        *(problem for kind, place, op in _operations(app) for problem in _operation(app, kind, place, op)),
        *(f"{place}: {url} is not https [D007]" for place, url in _urls(app, "app") if _is_plain(url)),
        *(f"{place}: {url} has two slashes" for place, url in _urls(app, "app") if url.count("//") > 1),
    ]


def _operations(app: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for kind in ("triggers", "creates", "searches"):
        for key, operation in app.get(kind, {}).items():
            yield kind, f"{kind}.{key}", operation


def _authentication(app: Mapping[str, Any]) -> Iterator[str]:
    authentication = app.get("authentication") or {}
    if not authentication.get("test"):
        yield "authentication: has no test"
    label = str(authentication.get("connectionLabel", ""))
    if not label:
        yield "authentication: has no connectionLabel"
    secrets = [field["key"] for field in authentication.get("fields", [])]
    for name in [*secrets, "access_token", "refresh_token"]:
        if name in label:
            yield f"authentication: connectionLabel shows {name}"
    for field in authentication.get("fields", []):
        if field.get("type") != "password":
            yield f"authentication: {field['key']} is not a password field"
        if "](https://" not in str(field.get("helpText")):
            yield f"authentication: {field['key']} has no link to the page that shows it"


def _display(place: str, operation: Any) -> Iterator[str]:
    display = operation.get("display", {})
    label, description = str(display.get("label", "")), str(display.get("description", ""))
    for name, text in (("label", label), ("noun", str(operation.get("noun", "")))):
        if not _is_title(text):
            yield f"{place}: {name} {text!r} is not in Title Case [D018]"
    prefix = "Triggers when " if place.startswith("triggers.") else ""
    if not (description.startswith(prefix) and description.endswith(".") and description[:1].isupper()):
        yield f"{place}: description {description!r} is not a sentence in Zapier's form [D021]"


def _is_title(text: str) -> bool:
    first, *rest = text.split(" ")
    return first[:1].isupper() and all(word[:1].isupper() or word in _SMALL for word in rest)


def _operation(app: Mapping[str, Any], kind: str, place: str, operation: Any) -> Iterator[str]:
    inner = operation.get("operation", {})
    if place.rpartition(".")[2] != operation.get("key"):
        yield f"{place}: its key is {operation.get('key')!r}"
    if inner.get("type") == "hook":
        yield from (f"{place}: has no {name} [D006]" for name in _HOOK if not inner.get(name))
    elif not inner.get("perform"):
        yield f"{place}: has no perform"
    if kind == "creates" and "generateCallbackUrl" in str(inner.get("perform")):
        if "performResume" not in inner:
            yield f"{place}: waits for a callback and has no performResume"
        if "isLoadingSample" not in str(inner["perform"]):
            yield f"{place}: waits for a callback in the editor too, which never sends one"
    for field in inner.get("inputFields", []):
        yield from _input(app, place, field)
    yield from _sample(place, inner)


def _input(app: Mapping[str, Any], place: str, field: Any) -> Iterator[str]:
    where = f"{place}: field {field.get('key')}"
    if not _is_title(str(field.get("label", ""))):
        yield f"{where} has no label in Title Case [D018]"
    dynamic = field.get("dynamic")
    if dynamic is None:
        if re.search(r"(Id|_id|Ids)$|^id$", field["key"]):
            yield f"{where} takes an ID and has no dropdown [D004]"
        return
    parts = dynamic.split(".")
    trigger = app.get("triggers", {}).get(parts[0])
    if trigger is None:
        yield f"{where} lists {parts[0]}, which is not a trigger"
        return
    known = {output["key"] for output in trigger["operation"].get("outputFields", [])}
    yield from (
        f"{where} shows {parts[0]}.{name}, which does not exist" for name in parts[1:] if name not in known
    )


def _sample(place: str, inner: Any) -> Iterator[str]:
    sample, outputs = inner.get("sample"), inner.get("outputFields")
    if not sample:
        yield f"{place}: has no sample [D012]"
        return
    if not outputs:
        yield f"{place}: has no outputFields [D024]"
        return
    if not sample.get("id"):
        yield f"{place}: its sample has no ID"
    flat = dict(_flat(sample))
    known = {output["key"]: output for output in outputs}
    yield from (
        f"{place}: {key} is in the sample and not in outputFields [D024]" for key in flat.keys() - known
    )
    for key, output in known.items():
        if not output.get("label"):
            yield f"{place}: output {key} has no label"
        if key not in flat:
            yield f"{place}: {key} is in outputFields and not in the sample [D024]"
            continue
        values = flat[key] if output.get("list") else [flat[key]]
        for value in values if isinstance(values, list) else [values]:
            if value is not None:  # an optional field may be null
                yield from _value(f"{place}: {key}", output["type"], value)


def _flat(sample: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a sample by the keys of outputFields, such as `data__postId`."""
    for name, value in sample.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}__")
        else:
            yield f"{prefix}{name}", value


def _value(where: str, kind: str, value: object) -> Iterator[str]:
    if kind == "datetime" and not _TIME.match(str(value)):
        yield f"{where} is not a time in ISO 8601: {value!r} [D023]"
    elif not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where} is not of type {kind}: {value!r} [D024]"
    elif kind == "string" and _TIME.match(str(value)):
        yield f"{where} is a time, but its type is string [D023]"


def _urls(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("sample", "outputFields"):
                continue
            yield from _urls(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _urls(inner, f"{place}.{index}")
    elif isinstance(value, str):
        yield from ((place, url) for url in re.findall(r"[a-z]+://[^\s'\"]+", value))


def _is_plain(url: str) -> bool:
    return not url.startswith("https://")
