"""The SAM transform, with AWS's own translator, offline.

It takes seconds for a large template, so results are cached in .tools/transformed, in one file per template
content. A result is valid as long as the parameters that the translator read have the same values: it
resolves few references itself, and leaves the others to CloudFormation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from local.settings import REGION, ROOT, Problem

KEPT = ROOT / ".tools/transformed"
_MAX_FILES = 20
_MAX_RESULTS = 8  # of one template
_LOCAL_URI = "s3://local/"

Document = dict[str, Any]


def transformed(path: Path, given: Mapping[str, str]) -> tuple[Document, Document]:
    """The `Parameters` section of a template, and the template after the transform with the given values.
    Values of parameters that it does not declare are ignored. Raises `Problem`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Problem(f"{path} not found") from None
    kept = KEPT / f"{_identity(content)}.json"
    results = _load(kept)
    for result in results:
        if result["read"] == _only(given, result["read"]):
            return result["parameters"], result["document"]
    document = _parse(path.name, content)
    parameters = document.get("Parameters", {})
    values = _Values({name: value for name, value in given.items() if name in parameters})
    result = {
        "parameters": json.loads(json.dumps(parameters, default=str)),
        "document": _transform(document, values),
        "read": _only(given, values.read if values.read is not None else parameters),
    }
    _keep(kept, [result, *results[: _MAX_RESULTS - 1]])
    return result["parameters"], result["document"]


# ── the translator ───────────────────────────────────────────────────────────────────────────────────


class _NoPolicies:
    """The transform looks up managed policies by name; permissions are not enforced here."""

    def load(self) -> dict[str, str]:
        return {}


class _Values(dict[str, str]):
    """Parameter values for the translator, which resolves references with a deep copy of them. The copy
    records the names that are looked up in `read`, which is None as long as there is no copy."""

    read: set[str] | None = None

    def __deepcopy__(self, memo: object) -> _Values:
        self.read = set()
        copy = _Noting(self)
        copy.read = self.read
        return copy


class _Noting(_Values):
    def __getitem__(self, name: str) -> str:
        assert self.read is not None
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        assert self.read is not None
        self.read.add(name)
        return super().get(name, default)


def _parse(name: str, content: bytes) -> Document:
    from samtranslator.yaml_helper import yaml_parse

    try:
        document = yaml_parse(content.decode())
    except (yaml.YAMLError, ValueError) as error:
        raise Problem(f"{name} does not parse: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise Problem(f"{name} is not a template: it has no Resources")
    return document


def _transform(document: Document, values: _Values) -> Document:
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # the translator needs a region from boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    shared = document.get("Globals", {}).get("Function", {})
    owners = [shared] + [
        resource.get("Properties", {})
        for resource in document["Resources"].values()
        if isinstance(resource, dict)
    ]
    for owner in owners:  # `sam build` would upload these folders; the S3 key keeps the path
        for name in ("CodeUri", "ContentUri"):
            if isinstance(owner.get(name), str) and not owner[name].startswith("s3://"):
                owner[name] = _LOCAL_URI + owner[name]
    try:
        result: Document = transform(document, values, _NoPolicies())
    except InvalidDocumentException as error:
        raise Problem("; ".join(cause.message for cause in error.causes)) from None
    return result


# ── cached results ───────────────────────────────────────────────────────────────────────────────────


def _identity(content: bytes) -> str:
    """A hash of a template's content, of this module, and of the translator's version."""
    parts = (content, Path(__file__).read_bytes(), version("aws-sam-translator").encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _only(given: Mapping[str, str], names: Any) -> dict[str, str | None]:
    return {name: given.get(name) for name in sorted(names)}


def _load(file: Path) -> list[dict[str, Any]]:
    try:
        results: list[dict[str, Any]] = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    return results


def _keep(file: Path, results: list[dict[str, Any]]) -> None:
    """Write the results, unless JSON cannot represent them, and remove the oldest files."""
    try:
        text = json.dumps(results)
    except (TypeError, ValueError):
        return
    if json.loads(text) != results:
        return
    with contextlib.suppress(OSError):  # a read-only checkout works too, only slower
        file.parent.mkdir(parents=True, exist_ok=True)
        # Only this user may read it: parameters can be secret.
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as fresh:
            fresh.write(text)
        os.replace(fresh.name, file)
        files = sorted(file.parent.iterdir(), key=lambda each: each.stat().st_mtime)
        for old in files[:-_MAX_FILES]:
            old.unlink(missing_ok=True)
