"""A parser and evaluator of IML, the language of Make's mappings. It supports what the Make app uses, and
rejects everything else.

    evaluate("{{parameters.text}}", {"parameters": {"text": "Hello"}})  # "Hello"

A text that is a single `{{…}}` evaluates to a value of any type; in a longer text, values become strings. A
missing field of a variable is UNDEFINED, and an object's field with this value is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote


class ImlError(Exception):
    """Not IML, or IML that this parser does not support."""


class Undefined:
    """The value of a missing field."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()
# A field of this name adds the fields of its value, a collection, to the object.
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


_MAPPING = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<text>'[^']*')|(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign>!=|<|>|=|\+|\(|\)|,))"
)
_KEYWORDS = {"undefined": UNDEFINED, "null": None, "true": True, "false": False}
# By precedence, lowest first.
_OPERATORS = (("=", "!=", "<", ">"), ("+",))


def parse(text: str) -> list[str | Expression]:
    """Split a text into literal strings and the expressions in `{{…}}`. Raises ImlError."""
    parts: list[str | Expression] = []
    end = 0
    for mapping in _MAPPING.finditer(text):
        parts += [text[end : mapping.start()], _Parser(mapping[1]).parse()]
        end = mapping.end()
    parts.append(text[end:])
    parts = [part for part in parts if part != ""]
    if any(isinstance(part, str) and ("{{" in part or "}}" in part) for part in parts):
        raise ImlError(f"unbalanced braces: {text}")
    return parts


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()

    def _split(self) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position, text = 0, self._text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match or not match.lastgroup:
                raise ImlError(f"invalid token: {text[position:]}")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return tokens

    def parse(self) -> Expression:
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
            raise ImlError(f"unexpected {token}: {self._text}")
        if self._tokens and self._tokens[0][1] == "(":
            return Call(token, self._arguments())
        return Literal(_KEYWORDS[token]) if token in _KEYWORDS else Path(tuple(token.split(".")))

    def _arguments(self) -> tuple[Expression, ...]:
        self._next()
        arguments = [self._operations(0)]
        while (sign := self._next()[1]) == ",":
            arguments.append(self._operations(0))
        if sign != ")":
            raise ImlError(f"unexpected {sign}: {self._text}")
        return tuple(arguments)

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise ImlError(f"unexpected end: {self._text}")
        return self._tokens.pop(0)


def expressions(value: object) -> Iterator[Expression]:
    """Yield every expression in a JSON value, including nested ones. Raises ImlError."""
    if isinstance(value, str):
        for part in parse(value):
            if not isinstance(part, str):
                yield from _with_nested(part)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name != SPREAD:
                yield from expressions(name)
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def _with_nested(expression: Expression) -> Iterator[Expression]:
    yield expression
    match expression:
        case Call(arguments=arguments):
            for argument in arguments:
                yield from _with_nested(argument)
        case Operation(left=left, right=right):
            yield from _with_nested(left)
            yield from _with_nested(right)


# ── evaluation ───────────────────────────────────────────────────────────────────────────────────────


def evaluate(value: object, variables: Mapping[str, object]) -> Any:
    """Evaluate the mappings in a JSON value. Raises ImlError."""
    if isinstance(value, str):
        parts = parse(value)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return _value(parts[0], variables)
        return "".join(part if isinstance(part, str) else _text(_value(part, variables)) for part in parts)
    if isinstance(value, Mapping):
        fields: dict[str, Any] = {}
        for name, inner in value.items():
            evaluated = evaluate(inner, variables)
            if name == SPREAD:
                fields |= evaluated or {}
            elif evaluated is not UNDEFINED:
                fields[str(evaluate(name, variables))] = evaluated
        return fields
    if isinstance(value, list):
        return [evaluate(inner, variables) for inner in value]
    return value


def _value(expression: Expression, variables: Mapping[str, object]) -> Any:
    match expression:
        case Literal(value):
            return value
        case Path(names):
            return _lookup(names, variables)
        case Call(function, arguments):
            if function not in FUNCTIONS:
                raise ImlError(f"unknown function: {function}")
            return FUNCTIONS[function](*(_value(argument, variables) for argument in arguments))
        case Operation(operator, left, right):
            return _OPERATIONS[operator](_value(left, variables), _value(right, variables))


def _lookup(names: tuple[str, ...], variables: Mapping[str, object]) -> object:
    if names[0] not in variables:
        raise ImlError(f"unknown variable: {names[0]}")
    value: object = variables
    for name in names:
        value = value.get(name, UNDEFINED) if isinstance(value, Mapping) else UNDEFINED
    return value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is UNDEFINED or value is None else str(value)


def _add(left: Any, right: Any) -> Any:
    is_text = isinstance(left, str) or isinstance(right, str)
    return _text(left) + _text(right) if is_text else left + right


def _if_empty(value: object, otherwise: object) -> object:
    return otherwise if value is UNDEFINED or value is None or value == "" else value


def _map(items: list[Mapping[str, object]], name: str) -> list[object]:
    return [item.get(name, UNDEFINED) for item in items]


def _to_collection(items: list[Mapping[str, str]], key: str, value: str) -> dict[str, str]:
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
