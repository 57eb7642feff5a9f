"""The local HTTP API: payload format 2.0, routes, CORS and errors, as in API Gateway."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.testing import RunningStack, stack

TEMPLATE = Path(__file__).parent / "fixtures/local_app/template.yaml"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with stack(tmp_path_factory.mktemp("state"), template=TEMPLATE) as running:
        yield running


@pytest.fixture(scope="module")
def http(running: RunningStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as http:
        yield http


def act(http: httpx.Client, act: str, **arguments: Any) -> httpx.Response:
    return http.post("/act", json={"act": act, **arguments})


def test_event_has_payload_format_2_0(http: httpx.Client, running: RunningStack) -> None:
    request = http.build_request(
        "POST",
        "/echo/a%20b%2Fc%C3%A9?x=1&y=&x=2%20%26",
        headers=[
            ("Cookie", "first=1; second=2"),
            ("X-Many", "one"),
            ("x-many", "two"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "tests/1"),
        ],
        content='{"é": 1}'.encode(),
    )
    event = http.send(request).json()["event"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "ANY /echo/{id}"
    assert event["rawPath"] == "/echo/a b/cé"
    assert event["rawQueryString"] == "x=1&y=&x=2%20%26"
    assert event["queryStringParameters"] == {"x": "1,2 &", "y": ""}
    assert event["pathParameters"] == {"id": "a b/cé"}
    assert event["cookies"] == ["first=1", "second=2"]
    assert event["headers"]["x-many"] == "one,two"
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == ('{"é": 1}', False)
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": "/echo/a b/cé",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tests/1",
    }
    assert {"accountId", "apiId", "domainName", "requestId", "time", "timeEpoch"} <= context.keys()
    assert context["stage"] == "$default"
    assert f"http://{context['domainName']}" == running.url


def test_empty_fields_of_the_event_are_absent(http: httpx.Client) -> None:
    event = http.get("/echo/fixed").json()["event"]
    absent = {"cookies", "queryStringParameters", "pathParameters", "body"}
    assert not absent & event.keys()
    assert event["rawQueryString"] == ""
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("content_type", "encoded"),
    [
        ("text/csv", False),
        ("application/xml", False),
        ("application/octet-stream", True),
        ("application/x-www-form-urlencoded", True),
        (None, True),
    ],
)
def test_binary_bodies_are_base64(http: httpx.Client, content_type: str | None, encoded: bool) -> None:
    headers = {"content-type": content_type} if content_type else {}
    event = http.post("/echo/1", content=b"a=b", headers=headers).json()["event"]
    assert event["isBase64Encoded"] is encoded
    assert event["body"] == (base64.b64encode(b"a=b").decode() if encoded else "a=b")


def test_text_that_is_not_utf8_is_base64(http: httpx.Client) -> None:
    event = http.post("/echo/1", content=b"\xff", headers={"content-type": "text/plain"}).json()
    assert (event["event"]["body"], event["event"]["isBase64Encoded"]) == ("/w==", True)


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/echo/fixed", "GET /echo/fixed"),
        ("POST", "/echo/fixed", "ANY /echo/{id}"),
        ("GET", "/echo/other", "GET /echo/{id}"),
        ("GET", "/echo/other/sub", "GET /echo/{id}/sub"),
        ("POST", "/echo/other/sub", "ANY /echo/{proxy+}"),
        ("GET", "/echo/a/b/c", "ANY /echo/{proxy+}"),
    ],
)
def test_most_specific_route_matches(http: httpx.Client, method: str, path: str, route: str) -> None:
    assert http.request(method, path).json()["event"]["routeKey"] == route


def test_unknown_route_is_404(http: httpx.Client) -> None:
    for method, path in [("GET", "/nothing"), ("GET", "/act"), ("GET", "/echo"), ("POST", "/")]:
        response = http.request(method, path)
        assert (response.status_code, response.json()) == (404, {"message": "Not Found"})


def test_function_has_lambdas_environment(http: httpx.Client, running: RunningStack) -> None:
    answer = http.get("/echo/fixed").json()
    context, environment = answer["context"], answer["environment"]
    assert answer["word"] == "from the layer"
    assert context["name"] == environment["AWS_LAMBDA_FUNCTION_NAME"] == "patchbay-EchoFunction"
    assert context["memory"] == environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert context["arn"].endswith(":function:patchbay-EchoFunction")
    assert context["request_id"]
    assert 0 < context["milliseconds_left"] <= 10_000
    assert environment["GREETING"] == "hello from patchbay"
    assert environment["SEEN_TABLE"] == running.tables["SeenTable"]
    assert environment["PATCHBAY_ALLOW_LOOPBACK_TARGETS"] == "1"
    assert environment["AWS_ENDPOINT_URL_SQS"] == running.endpoints["sqs"]
    kms = running.client("kms")
    assert environment["KEY_ARN"] == kms.describe_key(KeyId="alias/tests")["KeyMetadata"]["Arn"]
    secret = running.client("secretsmanager").get_secret_value(SecretId=environment["SECRET_ARN"])
    assert secret["SecretString"] == (running.state / "jwt-secret").read_text()
    assert len(secret["SecretString"]) >= 32


def test_result_without_a_status_is_the_body(http: httpx.Client) -> None:
    for value in ({"a": 1}, "text", None, [1]):
        response = act(http, "return", value=value)
        assert (response.status_code, response.json()) == (200, value)
        assert response.headers["content-type"] == "application/json"


def test_complete_response(http: httpx.Client) -> None:
    value = {
        "statusCode": 201,
        "headers": {"X-Thing": "1", "Content-Type": "image/png"},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": base64.b64encode(b"\x89PNG").decode(),
        "isBase64Encoded": True,
    }
    response = act(http, "return", value=value)
    assert response.status_code == 201
    assert response.content == b"\x89PNG"
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-thing"] == "1"
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]


def test_response_with_only_a_status(http: httpx.Client) -> None:
    response = act(http, "return", value={"statusCode": 204})
    assert (response.status_code, response.content) == (204, b"")
    assert act(http, "return", value={"statusCode": "202"}).status_code == 202


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": {"a": ["list"]}},
        {"statusCode": 200, "body": "not base64", "isBase64Encoded": True},
    ],
)
def test_invalid_response_is_500(http: httpx.Client, value: Any) -> None:
    response = act(http, "return", value=value)
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})


def test_failed_invocation_is_500(http: httpx.Client, running: RunningStack) -> None:
    for response in (
        act(http, "raise"),
        act(http, "exit"),
        act(http, "fill", bytes=6 * 1024 * 1024),
        http.get("/broken"),
    ):
        assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    output = running.output()
    assert "ActFunction RuntimeError: on purpose at " in output
    assert "ActFunction about to go" in output
    assert "No module named 'app.missing'" in output
    assert act(http, "return", value="still there").json() == "still there"


def test_function_is_killed_after_its_timeout(http: httpx.Client, running: RunningStack) -> None:
    act(http, "return", value=1)
    before = running.pids("ActFunction")
    response = act(http, "sleep")
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})
    assert "Task timed out after 1.00 seconds" in running.output()
    assert act(http, "return", value=2).json() == 2
    assert set(running.pids("ActFunction")).isdisjoint(before[-1:])


def test_killed_process_is_replaced(http: httpx.Client, running: RunningStack) -> None:
    first = http.get("/echo/fixed").json()["pid"]
    assert http.get("/echo/fixed").json()["pid"] == first, "processes are kept warm"
    assert running.kill("EchoFunction") == [first]
    assert http.get("/echo/fixed").json()["pid"] != first


def test_oversized_body_is_413(http: httpx.Client) -> None:
    for size in (10 * 1024 * 1024 + 1, 6 * 1024 * 1024):  # the API's limit, and Lambda's
        response = http.post("/echo/1", content=b"x" * size, headers={"content-type": "text/plain"})
        assert response.status_code == 413
        assert response.json() == {"message": "Request Entity Too Large"}


def test_gateway_answers_preflight_requests(http: httpx.Client) -> None:
    preflight = {"origin": "https://a.two.example", "access-control-request-method": "GET"}
    response = http.options("/echo/fixed", headers=preflight)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "https://a.two.example"
    assert response.headers["access-control-allow-methods"] == "GET,POST"
    assert response.headers["access-control-allow-headers"] == "authorization"
    assert response.headers["access-control-max-age"] == "600"
    foreign = http.options("/echo/fixed", headers=preflight | {"origin": "https://evil.example"})
    assert not [name for name in foreign.headers if name.startswith("access-control-")]


def test_cors_settings_replace_the_functions_headers(http: httpx.Client) -> None:
    value = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}
    body = json.dumps({"act": "return", "value": value})

    def allowed(origin: str) -> str | None:
        response = http.post(
            "/act", content=body, headers={"origin": origin, "content-type": "application/json"}
        )
        return response.headers.get("access-control-allow-origin")

    assert allowed("https://one.example") == "https://one.example"
    assert allowed("https://evil.example") is None
