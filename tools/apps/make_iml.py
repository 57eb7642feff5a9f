"""IML, the language of Make's mappings: as much of it as the Make app uses, and an error on anything else.

    evaluate("{{parameters.text}}", {"parameters": {"text": "Hello"}})  # "Hello"

A text that is one `{{…}}` has the type of its value; in a longer text values are written out. What a variable
does not have is UNDEFINED: a field of that value is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote


class ImlError(Exception):
    """Not IML, or more of it than is understood here."""


class Undefined:
    """What a variable does not have."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()
# As a name, it takes in the fields of a collection.
SPREAD: Final = "{{...}}"


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Path:
    """`parameters.text` is ("parameters", "text")."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Operation:
    operator: str
    left: Expression
    right: Expression


Expression = Literal | Path | Call | Operation

# ── reading ──────────────────────────────────────────────────────────────────────────────────────────

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<text>'[^']*')|(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign>!=|<|>|=|\+|\(|\)|,))"
)
_KEYWORDS = {"undefined": UNDEFINED, "null": None, "true": True, "false": False}
# Those that bind less first.
_OPERATORS = (("=", "!=", "<", ">"), ("+",))


def parse(text: str) -> list[str | Expression]:
    """The parts of a text: what stands there as it is, and what stands in `{{…}}`. Raises ImlError."""
    parts: list[str | Expression] = []
    end = 0
    for place in _PLACE.finditer(text):
        parts += [text[end : place.start()], _Reader(place[1]).whole()]
        end = place.end()
    parts.append(text[end:])
    found = [part for part in parts if part != ""]
    if any(isinstance(part, str) and ("{{" in part or "}}" in part) for part in found):
        raise ImlError(f"braces that do not match: {text}")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()

    def _split(self) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        at, text = 0, self._text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise ImlError(f"not understood: {text[at:]}")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        return tokens

    def whole(self) -> Expression:
        expression = self._operations(0)
        if self._tokens:
            raise ImlError(f"more than one expression: {self._text}")
        return expression

    def _operations(self, level: int) -> Expression:
        if level == len(_OPERATORS):
            return self._operand()
        left = self._operations(level + 1)
        while self._tokens and self._tokens[0][1] in _OPERATORS[level]:
            left = Operation(self._tokens.pop(0)[1], left, self._operations(level + 1))
        return left

    def _operand(self) -> Expression:
        kind, token = self._next()
        if kind == "number":
            return Literal(int(token))
        if kind == "text":
            return Literal(token[1:-1])
        if kind != "path":
            raise ImlError(f"{token} at the wrong place: {self._text}")
        if self._tokens and self._tokens[0][1] == "(":
            return Call(token, self._arguments())
        return Literal(_KEYWORDS[token]) if token in _KEYWORDS else Path(tuple(token.split(".")))

    def _arguments(self) -> tuple[Expression, ...]:
        self._next()
        arguments = [self._operations(0)]
        while (sign := self._next()[1]) == ",":
            arguments.append(self._operations(0))
        if sign != ")":
            raise ImlError(f"{sign} at the wrong place: {self._text}")
        return tuple(arguments)

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise ImlError(f"ends too soon: {self._text}")
        return self._tokens.pop(0)


def expressions(value: Any) -> Iterator[Expression]:
    """Every expression in a JSON value, the parts of each included. Raises ImlError."""
    if isinstance(value, str):
        for part in parse(value):
            if not isinstance(part, str):
                yield from _with_parts(part)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name != SPREAD:
                yield from expressions(name)
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def _with_parts(expression: Expression) -> Iterator[Expression]:
    yield expression
    match expression:
        case Call(arguments=arguments):
            for argument in arguments:
                yield from _with_parts(argument)
        case Operation(left=left, right=right):
            yield from _with_parts(left)
            yield from _with_parts(right)


# ── working it out ───────────────────────────────────────────────────────────────────────────────────


def evaluate(value: Any, variables: Mapping[str, Any]) -> Any:
    """A JSON value with its mappings carried out. Raises ImlError."""
    if isinstance(value, str):
        parts = parse(value)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return _value(parts[0], variables)
        return "".join(part if isinstance(part, str) else _text(_value(part, variables)) for part in parts)
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, inner in value.items():
            found = evaluate(inner, variables)
            if name == SPREAD:
                made |= found or {}
            elif found is not UNDEFINED:
                made[str(evaluate(name, variables))] = found
        return made
    if isinstance(value, list):
        return [evaluate(inner, variables) for inner in value]
    return value


def _value(expression: Expression, variables: Mapping[str, Any]) -> Any:
    match expression:
        case Literal(value):
            return value
        case Path(names):
            return _at(names, variables)
        case Call(function, arguments):
            if function not in FUNCTIONS:
                raise ImlError(f"no function that is known here: {function}")
            return FUNCTIONS[function](*(_value(argument, variables) for argument in arguments))
        case Operation(operator, left, right):
            return _OPERATIONS[operator](_value(left, variables), _value(right, variables))


def _at(names: tuple[str, ...], variables: Mapping[str, Any]) -> Any:
    if names[0] not in variables:
        raise ImlError(f"there is no variable {names[0]} here")
    found: Any = variables
    for name in names:
        found = found.get(name, UNDEFINED) if isinstance(found, Mapping) else UNDEFINED
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is UNDEFINED or value is None else str(value)


def _add(left: Any, right: Any) -> Any:
    texts = isinstance(left, str) or isinstance(right, str)
    return _text(left) + _text(right) if texts else left + right


def _if_empty(value: Any, otherwise: Any) -> Any:
    return otherwise if value is UNDEFINED or value is None or value == "" else value


def _map(items: list[Mapping[str, Any]], name: str) -> list[Any]:
    return [item.get(name, UNDEFINED) for item in items]


def _to_collection(items: Any, key: str, value: str) -> dict[str, Any]:
    return {item[key]: item[value] for item in items} if items else {}


_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "encodeURL": lambda value: quote(_text(value), safe=""),
    "if": lambda condition, then, otherwise: then if condition else otherwise,
    "ifempty": _if_empty,
    "join": lambda items, between: between.join(map(_text, items)),
    "length": lambda value: len(value) if value else 0,
    "map": lambda items, name: _map(items, name) if items else [],
    "substring": lambda value, start, end: _text(value)[start:end],
    "toCollection": _to_collection,
}
