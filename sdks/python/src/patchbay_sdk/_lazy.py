"""Imports the models when a response is parsed. Building them takes longer than importing the rest of the SDK, and
a command or a Lambda function that only sends a request on one path should not pay for it at its start.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class _LazyModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


models = _LazyModule("patchbay_sdk.models")


def parse(type: Any, value: Any) -> Any:
    """`_model.parse`, imported on the first call."""
    from patchbay_sdk._model import parse

    return parse(type, value)
