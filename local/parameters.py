"""The template's parameters on this machine: parameters.toml, then the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from local.settings import Problem

FILE = Path(__file__).with_name("parameters.toml")


def read(given: Iterable[str] = ()) -> dict[str, str]:
    """The values by name. The `given` pairs `Name=Value` take precedence."""
    try:
        values = tomllib.loads(FILE.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{FILE.name} does not parse: {error}") from None
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Problem(f"a parameter must be Name=Value, not {pair!r}")
        values[name] = value
    return {name: str(value) for name, value in values.items()}
