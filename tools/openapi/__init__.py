"""Derives `openapi.json` from template.yaml, the handlers, the models and the catalogue. `make derived`.

- `operations`: a route with everything that its handler declares.
- `problems`: the problems that a handler can raise, found in its code.
- `schemas`: the models as JSON Schema, with stable names.
- `examples`: the recorded examples, and how they are added to an operation.
- `document`: combines the parts into one document.
- `texts`: texts that are in no model or docstring: the introduction, tags, parameters, fields.
- `changes`: the breaking changes between two documents.
"""
