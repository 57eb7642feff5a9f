"""What a generator needs from openapi.json: its operations and its schemas."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
# The groups of methods (`x-sdk-group`), with a description of each.
GROUPS = {
    "actions": "The results and choices that the platform returns for actions; for its own workspace.",
    "apiKeys": "API keys.",
    "audit": "The audit log.",
    "automations": "Triggers, hooks, actions and runs of Zapier, Make and n8n.",
    "connectSessions": "Connect links, on whose page your users connect their accounts.",
    "connections": "Connections to providers.",
    "deliveries": "Deliveries of all webhooks.",
    "events": "Events.",
    "flows": "Flows and their runs.",
    "health": "The state of the deployment.",
    "integrations": "Integrations, providers and the marketplace.",
    "me": "The caller.",
    "portalSessions": "Portal sessions, which open the console for your users.",
    "publications": "The platform's reviews of public integrations; for its own workspace.",
    "tasks": "Tasks that run in the background, such as replays.",
    "workspace": "The workspace as a whole: its settings, its export and its erasure.",
    "webhooks": "Webhooks, their deliveries and their feeds.",
}
_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True)
class Field:
    """A parameter, or a property of a request's body. `name` is its name on the wire."""

    name: str
    schema: Schema
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """An operation that an SDK offers as `<group>.<method>`."""

    id: str
    group: str
    method: str
    http_method: str
    path: str
    summary: str
    description: str
    path_parameters: tuple[Field, ...]
    query: tuple[Field, ...]
    body: tuple[Field, ...] | None
    response: Schema
    takes_idempotency_key: bool
    takes_if_match: bool
    example: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The operation in sentences. A description that continues the summary's sentence replaces it."""
        if self.description[:1] in {" ", ",", ":"}:
            return self.summary + self.description
        return f"{self.summary}.\n\n{self.description.lstrip('. ')}".strip()


class Document:
    """openapi.json, with its references resolved on request."""

    def __init__(self, content: Schema) -> None:
        self._content = content
        self.schemas: Mapping[str, Schema] = content["components"]["schemas"]

    def resolve(self, node: Schema) -> Schema:
        """The node, or the target of its reference."""
        while "$ref" in node:
            node = self._lookup(node["$ref"])
        return node

    def operations(self) -> Iterator[Operation]:
        """The operations that answer JSON, in the order of the document."""
        for path, item in self._content["paths"].items():
            for http_method in _METHODS:
                if http_method in item and (
                    operation := self._operation(path, http_method, item[http_method])
                ):
                    yield operation

    def result_of(self, operation: Operation) -> Literal["page", "object", "nothing"]:
        """What a method returns: a page of a list, an object, or nothing for an object without fields."""
        response = self.resolve(operation.response)
        properties = response.get("properties", {})
        if "nextCursor" in properties:
            return "page"
        return "nothing" if response.get("type") == "object" and not properties else "object"

    def path_example(self, field: Field) -> str:
        """The example of a parameter in a path: its own, or that of another operation. Until `make examples`
        has recorded one, it is the parameter's name.
        """
        for item in self._content["paths"].values():
            for node in item.values():
                for parameter in node.get("parameters", ()):
                    if parameter.get("example") and _parameter(parameter) == field:
                        example: str = parameter["example"]
                        return example
        return field.name

    def event_schemas(self) -> Mapping[str, Schema]:
        """The schema of each event that a receiver gets, by event type."""
        return {
            type: self.resolve(item["post"]["requestBody"])["content"]["application/json"]["schema"]
            for type, item in self._content["webhooks"].items()
        }

    def _operation(self, path: str, http_method: str, node: Schema) -> Operation | None:
        response = self._json_response(node)
        if response is None or node.get("x-sdk-group") not in GROUPS:
            return None
        parameters = [self.resolve(parameter) for parameter in node.get("parameters", ())]
        headers = {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}
        return Operation(
            id=node["operationId"],
            group=node["x-sdk-group"],
            method=node["x-sdk-method"],
            http_method=http_method.upper(),
            path=path,
            summary=node["summary"],
            description=re.sub(r"\n*Required scope: .*", "", node["description"]).removeprefix(
                node["summary"]
            ),
            path_parameters=tuple(_parameter(each) for each in parameters if each["in"] == "path"),
            query=tuple(_parameter(each) for each in parameters if each["in"] == "query"),
            body=self._body(node, without={"idempotencyKey"} if "idempotency-key" in headers else set()),
            response=response,
            takes_idempotency_key="idempotency-key" in headers,
            takes_if_match="if-match" in headers,
            example=self._body_example(node),
        )

    def _json_response(self, node: Schema) -> Schema | None:
        """The schema of the successful responses, a union if they differ; None if none has JSON."""
        schemas: list[Schema] = []
        for status, response in sorted(node["responses"].items()):
            content = self.resolve(response).get("content", {})
            if status.startswith("2") and "application/json" in content:
                schemas.append(content["application/json"]["schema"])
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas} if schemas else None

    def _body(self, node: Schema, without: Collection[str]) -> tuple[Field, ...] | None:
        if "requestBody" not in node:
            return None
        schema = self.resolve(self.resolve(node["requestBody"])["content"]["application/json"]["schema"])
        variants = [self.resolve(variant) for variant in schema.get("oneOf", [schema])]
        fields: dict[str, Field] = {}
        for variant in variants:
            for name, property in variant["properties"].items():
                required = all(name in other.get("required", ()) for other in variants)
                if name in fields and fields[name].schema != property:
                    property = {"anyOf": [fields[name].schema, property]}
                fields[name] = Field(name, property, required, property.get("description", ""))
        return tuple(field for name, field in fields.items() if name not in without)

    def _body_example(self, node: Schema) -> Schema:
        """The first example of the request's body; empty without one."""
        content = self.resolve(node.get("requestBody", {})).get("content", {}).get("application/json", {})
        examples: Mapping[str, Schema] = content.get("examples", {})
        return next((example["value"] for example in examples.values()), {})

    def _lookup(self, reference: str) -> Schema:
        node: Any = self._content
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        found: Schema = node
        return found


def _parameter(node: Schema) -> Field:
    return Field(node["name"], node["schema"], node.get("required", False), node.get("description", ""))
