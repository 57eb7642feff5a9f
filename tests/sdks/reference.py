"""The code samples that the reference shows."""

from __future__ import annotations

import json

from local.settings import ROOT


def code_samples(language: str) -> list[str]:
    """Return the sample of each operation that the SDKs have."""
    document = json.loads((ROOT / "openapi.json").read_text("utf-8"))
    found = [
        sample["source"]
        for item in document["paths"].values()
        for operation in item.values()
        for sample in operation.get("x-codeSamples", ())
        if sample["lang"] == language
    ]
    assert len(found) > 50
    return found
