"""The credentials of connections without OAuth: their fields, with the check and the JSON Schema of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from patchbay import pasted_credentials
from patchbay.errors import ValidationFailed
from patchbay.integrations.config_fields import Schema
from patchbay.providers.provider import AuthType, CredentialField
from patchbay.suggestions import did_you_mean

Fields = Mapping[str, CredentialField]

# The credentials for a provider that Patchbay does not know.
CUSTOM: Mapping[AuthType, Fields] = {
    AuthType.API_KEY: {"apiKey": CredentialField(label="API key", pattern=None)},
    AuthType.BASIC: {
        "username": CredentialField(label="User name", secret=False, pattern=None),
        "password": CredentialField(label="Password", pattern=None),
    },
}


def check(fields: Fields, credentials: Mapping[str, str]) -> None:
    """Raises ValidationFailed, which never repeats a value, unless the credentials have exactly these fields,
    each with a valid value.
    """
    for name in credentials.keys() - fields.keys():
        near = did_you_mean(name, fields) or f"; this provider takes {', '.join(fields)}"
        raise ValidationFailed.for_field(f"credentials.{name[:64]}", f"unknown field{near}")
    for name, value in credentials.items():
        try:
            pasted_credentials.check(value)
        except ValueError as error:
            raise ValidationFailed.for_field(f"credentials.{name}", str(error)) from None
    for name, field in fields.items():
        if not re.fullmatch(field.pattern or r"[\s\S]+", credentials.get(name, "")):
            raise ValidationFailed.for_field(
                f"credentials.{name}", f"must be {field.description or field.label}"
            )


def json_schema(fields: Fields) -> Schema:
    """The JSON Schema 2020-12 of the `credentials` of a new connection."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def _field_schema(field: CredentialField) -> Schema:
    schema: Schema = {"title": field.label, **pasted_credentials.SCHEMA}
    if field.description:
        schema["description"] = field.description
    if field.secret:
        schema["writeOnly"] = True
    if field.pattern is not None:
        schema["allOf"] = [{"pattern": schema["pattern"]}]
        schema["pattern"] = f"^(?:{field.pattern})$"
    return schema
