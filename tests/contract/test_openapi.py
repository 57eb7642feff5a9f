"""openapi.json is complete, matches the code, and describes what the API does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from local import gateway
from patchbay.auth.scopes import ROLES
from patchbay.catalogue import entries
from tests.conftest import Api, Backend
from tests.contract.test_template import TEMPLATE
from tests.faults import one_at_a_time
from tests.recorded import STAND_INS, Contract, Recorder, alike, errors_of, merged
from tests.tour import tour
from tools.generated_files import as_file
from tools.openapi import errors_page
from tools.openapi.__main__ import TARGET, render
from tools.openapi.document import build
from tools.openapi.examples import FILE, Examples

DOCUMENT: dict[str, Any] = json.loads(TARGET.read_text("utf-8"))
CONTRACT = Contract(DOCUMENT)
EXAMPLES = Examples.load()
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}


def test_document_is_up_to_date() -> None:
    assert TARGET.read_text("utf-8") == render(), "stale: run `make derived`"


def test_page_of_errors_is_up_to_date() -> None:
    assert errors_page.TARGET.read_text("utf-8") == errors_page.render(), "stale: run `make derived`"


def test_every_route_below_api_is_an_operation() -> None:
    routes = [route for route in gateway.read(TEMPLATE).routes if route.path and route.method != "HEAD"]
    assert {route.path for route in routes if not route.path.startswith("/api/")} == {
        "/console",
        "/console/{file+}",
        "/connect",
        "/connect/{file+}",
    }
    routes = [route for route in routes if route.path.startswith("/api/")]
    described = {
        f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {route.key for route in routes}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operation_is_complete(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    scopes = [scopes for requirement in operation["security"] for scopes in requirement.values()]
    assert all(each == [operation["x-required-scope"]] for each in scopes if each)
    assert operation["x-sdk-group"]
    assert operation["x-sdk-method"]
    for parameter in operation.get("parameters", ()):
        assert "$ref" in parameter or parameter["description"], parameter
    without_example = [content for content in _json_contents(operation) if not content.get("examples")]
    assert without_example == [], "run `make examples`"


def test_every_path_variable_has_an_example_in_an_operation() -> None:
    """An operation without an example takes it from another operation."""
    variables: dict[tuple[str, str], bool] = {}
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") == "path":
                key = (parameter["name"], parameter["description"])
                variables[key] = variables.get(key, False) or bool(parameter.get("example"))
    assert [key for key, has_example in variables.items() if not has_example] == [], "run `make examples`"


def _json_contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The JSON bodies of the request and of successful responses, except for this document itself."""
    body = operation.get("requestBody", {})
    bodies = [body] if body.get("required") else []
    bodies += [body for status, body in operation["responses"].items() if status.startswith("2")]
    for body in bodies:
        content = body.get("content", {}).get("application/json", {})
        if "$ref" in content.get("schema", {}):
            yield content


def test_operation_ids_and_sdk_methods_are_unique() -> None:
    methods = [(each["x-sdk-group"], each["x-sdk-method"]) for each in OPERATIONS.values()]
    assert len(methods) == len(set(methods)) == len(OPERATIONS)


def test_every_component_is_used_and_every_reference_resolves() -> None:
    defined = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "parameters", "headers")
        for name in DOCUMENT["components"][kind]
    }
    assert set(_references(DOCUMENT)) == defined


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _links() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for id, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            for link in response.get("links", {}).values():
                yield id, status, link


def test_links_name_each_parameter_of_the_path() -> None:
    for _, _, link in _links():
        target = OPERATIONS[link["operationId"]]
        parameters = [each for each in target.get("parameters", ()) if "name" in each]
        required = {each["name"] for each in parameters if each["in"] == "path"}
        assert required <= link.get("parameters", {}).keys() <= {each["name"] for each in parameters}, link


def test_links_lead_to_fields_of_the_response() -> None:
    missing = []
    for id, status, link in _links():
        content = OPERATIONS[id]["responses"][status]["content"]["application/json"]
        bodies = [example["value"] for example in content["examples"].values()]
        for expression in [*link.get("parameters", {}).values(), *link.get("requestBody", {}).values()]:
            if expression.startswith("$request.path."):
                continue
            path = expression.removeprefix("$response.body#/").split("/")
            if not any(_has(body, path) for body in bodies):
                missing.append(f"{id}: {expression}")
    assert missing == []


def _has(value: object, path: Sequence[str]) -> bool:
    if not path:
        return True
    name, *rest = path
    if isinstance(value, list):
        return int(name) < len(value) and _has(value[int(name)], rest)
    return isinstance(value, dict) and name in value and _has(value[name], rest)


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("createApiKey", {"getApiKey", "updateApiKey", "revokeApiKey", "rotateApiKey", "verifyApiKey"}),
        ("publishEvents", {"getEvent", "eraseEventData", "listAllDeliveries"}),
        ("listAllDeliveries", {"getDelivery", "retryDelivery"}),
        ("browseMarketplace", {"getListing", "installIntegration"}),
        ("initiateOauth", {"completeOauth"}),
        ("completeOauth", {"getConnection", "getToken", "deleteConnection", "refreshConnection"}),
        ("deleteWebhook", set()),
    ],
)
def test_links_lead_from_a_resource_to_what_can_be_done_with_it(source: str, targets: set[str]) -> None:
    found = {link["operationId"] for id, _, link in _links() if id == source}
    assert found - {"listApiKeyLogs"} == targets


def test_every_field_has_a_description() -> None:
    undescribed = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, content in schema.get("properties", {}).items()
        if not content.get("description")
    ]
    assert undescribed == [], "describe it in its model, or in tools/openapi/texts.toml"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_examples_match_their_schemas(operation: str) -> None:
    assert [*errors_of(operation, EXAMPLES.recorded[operation], CONTRACT)] == [], "run `make examples`"


def test_samples_of_events_match_their_schemas() -> None:
    for entry in entries.all_entries():
        content = DOCUMENT["webhooks"][entry.type]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            assert CONTRACT.sample_errors(entry.type, example["value"]) == []


def test_example_of_an_owner_has_the_scopes_of_the_role() -> None:
    [answer] = EXAMPLES.responses("getCaller", 200).values()
    assert answer["value"]["scopes"] == sorted(ROLES[answer["value"]["role"]])


def test_examples_contain_no_secret() -> None:
    text = FILE.read_text("utf-8")
    assert {*re.findall(r"whsec_[\w+/=]+", text)} == {STAND_INS["whsec_"]}
    assert {*re.findall(r"sk_test_\w{30,}", text)} == {STAND_INS["sk_test_"]}
    assert not re.search(r"eyJ\w{10,}|127\.0\.0\.1", text), "a JWT or an address of the recording"


@pytest.mark.parameters(MaxVisibilityWaitSeconds=1000)
def test_requests_and_responses_match_the_document(
    backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If RECORD_EXAMPLES is set (`make examples`), it records the examples instead."""
    one_at_a_time(monkeypatch)
    recorder = Recorder(backend, api)
    tour(recorder)
    if kept := os.environ.get("RECORD_EXAMPLES"):
        current = Contract(build(EXAMPLES))
        old = {} if kept == "all" else EXAMPLES.recorded
        recording = merged(old, recorder.recording(), current)
        FILE.write_text(as_file(recording), "utf-8")
        TARGET.write_text(as_file(build(Examples(recording))), "utf-8")
        return
    errors = [
        f"{exchange.operation}: {error}"
        for exchange in recorder.exchanges
        for error in CONTRACT.response_errors(
            exchange.operation, exchange.status, exchange.media_type, exchange.response
        )
    ]
    errors += [
        f"{exchange.operation}: {error}"
        for exchange in recorder.exchanges
        # In a batch, each event is validated on its own.
        if exchange.status < 300 and exchange.request is not None and exchange.operation != "publishEvents"
        for error in CONTRACT.request_errors(exchange.operation, exchange.request)
    ]
    assert errors == []
    assert {exchange.operation for exchange in recorder.exchanges} == OPERATIONS.keys()
    recorded = recorder.recording()
    outdated = [
        f"{operation}: {code}"
        for operation, examples in EXAMPLES.recorded.items()
        for code, problem in examples["problems"].items()
        if not alike(problem, recorded[operation]["problems"][code])
    ]
    assert outdated == [], "run `make examples`"
