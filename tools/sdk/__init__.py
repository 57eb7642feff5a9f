"""Generates the cores of the SDKs from openapi.json.

`python` writes the models and the resources of the Python SDK. The TypeScript SDK's types come from
openapi-typescript.
"""
