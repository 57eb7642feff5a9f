"""Records examples for the OpenAPI document from the tour, and checks the tour's traffic against it.

A recording replaces what differs from run to run: IDs, times, secrets, addresses of receivers. A new
recording keeps the examples that still match the document, so that it changes only what has to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from jsonschema_rs import Validator, validator_for

from patchbay.clock import iso
from patchbay.http.file import File
from tests.conftest import Answer, Api, Backend, jwt_for
from tests.tour import Driver
from tools.openapi.operations import Operation, operations

Json = dict[str, Any]

HOST = "patchbay.example"
START = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
_MAX_TEXT, _MAX_ITEMS, _MAX_EXAMPLE = 200, 2, 8_000


class Contract:
    """Validates what is sent and received against the document."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._operations = {
            operation["operationId"]: operation
            for methods in document["paths"].values()
            for operation in methods.values()
        }
        self._open, self._closed = document["components"], _closed(document["components"])
        self._validators: dict[tuple[str, bool], Validator] = {}

    def request_errors(self, operation: str, body: object) -> list[str]:
        """The errors of a request body against its schema."""
        content = self._operations[operation].get("requestBody", {}).get("content", {})
        return self._errors(content, "application/json", body, self._open)

    def response_errors(self, operation: str, status: int, media_type: str, body: object) -> list[str]:
        """The errors of a response: in its status and values, and its missing or undocumented fields."""
        response = self._operations[operation]["responses"].get(str(status))
        if response is None:
            return [f"status {status} is not documented"]
        if "$ref" in response:
            response = self._open["responses"][response["$ref"].rpartition("/")[2]]
        if "content" not in response:
            return []
        if media_type not in response["content"]:
            return [f"{media_type} is not documented"]
        errors = self._errors(response["content"], media_type, body, self._closed)
        if status >= 400 and isinstance(body, dict) and f"`{body['code']}`" not in response["description"]:
            errors.append(f"the code {body['code']} is not documented")
        return errors

    def sample_errors(self, event_type: str, body: object) -> list[str]:
        """The errors of a request body that a receiver gets."""
        content = self.document["webhooks"][event_type]["post"]["requestBody"]["content"]
        return self._errors(content, "application/json", body, self._open)

    def _errors(self, content: Json, media_type: str, body: object, components: Json) -> list[str]:
        if media_type not in content:
            return []
        schema = content[media_type]["schema"]
        key = (json.dumps(schema), components is self._open)
        if key not in self._validators:
            self._validators[key] = validator_for({**schema, "components": components}, validate_formats=True)
        errors = self._validators[key].iter_errors(body)
        return [f"{error.instance_path}: {error.message[:300]}" for error in errors]


def _closed(value: Any) -> Any:
    """The schemas, but without undocumented fields, which a test must notice and a client must ignore."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _closed(each) for key, each in value.items()}
    if value.get("type") == "object" and "properties" in value and "additionalProperties" not in value:
        closed["additionalProperties"] = False
    return closed


class Exchange(NamedTuple):
    """A request of the tour and its response."""

    operation: str
    path: Mapping[str, str]
    request: Any
    status: int
    media_type: str
    response: Any


@dataclass
class _Kept:
    path: Json = field(default_factory=dict)
    request: Any = None
    responses: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, Any] = field(default_factory=dict)


class Recorder(Driver):
    """Keeps every exchange of the tour. After the first success of an operation, it also makes the usual
    mistakes: no credentials, no scope, an unknown ID, malformed JSON, an unknown field, a stale version.
    """

    def __init__(self, backend: Backend, api: Api) -> None:
        super().__init__(backend, api)
        self.exchanges: list[Exchange] = []
        self._ids = {operation.key: operation for operation in operations()}
        self._files = {
            each.id for each in operations() if issubclass(each.answers[min(each.answers)][0], File)
        }
        self._probed: set[str] = set()

    def call(self, line: str, **options: Any) -> Answer:
        options["headers"] = {"host": HOST, **options.get("headers", {})}
        if (body := self._default_body(line)) is not None:
            options.setdefault("json", body)
        answer = super().call(line, **options)
        found = self._keep(line, options, answer)
        if found is not None and answer.status < 300 and found not in self._probed:
            self._probed.add(found)
            for probe_line, probe in self._mistakes(line, found, options):
                mistaken = {"token": self.owner, **probe}
                self._keep(probe_line, mistaken, self._api(probe_line, **mistaken))
        return answer

    def _default_body(self, line: str) -> Json | None:
        """The body that is equivalent to no body, for an operation whose body is optional."""
        operation = self._operation(line)[0]
        if operation is None or operation.body is None or operation.body_required:
            return None
        default = operation.body.model_validate({}).model_dump(mode="json", by_alias=True, exclude_none=True)
        return default or None

    def _operation(self, line: str) -> tuple[Operation | None, Mapping[str, str]]:
        method, _, target = line.partition(" ")
        match = self._gateway.match(method, unquote(target.partition("?")[0]))
        assert match is not None, line
        return self._ids.get(match[0].key), match[1]

    def _keep(self, line: str, options: Mapping[str, Any], answer: Answer) -> str | None:
        operation, path = self._operation(line)
        if operation is None:
            return None
        media_type = answer.headers["content-type"].partition(";")[0]
        is_json = media_type.endswith("json") and answer.text
        self.exchanges.append(
            Exchange(
                operation.id,
                path,
                options.get("json"),
                answer.status,
                media_type,
                json.loads(answer.text) if is_json else answer.text or None,
            )
        )
        return operation.key

    def _mistakes(self, line: str, key: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
        operation = self._ids[key]
        body = {"json": options["json"]} if "json" in options else {}
        headers = {"host": HOST}
        if not operation.public:
            yield line, {**body, "headers": headers, "token": None}
        if operation.scope is not None:
            unscoped = jwt_for("acme", scope="profile:read")
            yield line, {**body, "headers": headers, "token": unscoped}
        path, question, query = line.partition("?")
        if (last := re.search(r"_[0-9A-Za-z]{22}(?=[^?]*$)", path)) is not None:
            unknown = path[: last.start()] + "_" + "0" * 22 + path[last.end() :]
            yield f"{unknown}{question}{query}", {**body, "headers": headers}
        if operation.body is not None:
            yield line, {"body": b'{"name": ', "headers": headers}
            yield line, {"json": {"nmae": "misspelled"}, "headers": headers}
        elif operation.query is not None:
            yield f"{path}?limit=1000", {"headers": headers}
        if operation.takes_if_match:
            yield line, {**body, "headers": {**headers, "if-match": '"999"'}}

    def recording(self) -> Json:
        """The examples of this run: for each operation the exchanges with the most content."""
        kept: dict[str, _Kept] = {}
        scores: dict[tuple[str, str], int] = {}
        for exchange in self.exchanges:
            own = kept.setdefault(exchange.operation, _Kept())
            response, request = _shortened(exchange.response), _shortened(exchange.request)
            if exchange.status >= 400:
                own.problems.setdefault(response["code"], response)
                continue
            score = _content(response) + _content(request)
            if score <= scores.get((exchange.operation, str(exchange.status)), -1):
                continue
            scores[exchange.operation, str(exchange.status)] = score
            if response is not None and exchange.operation not in self._files:
                own.responses[str(exchange.status)] = response
            if exchange.status == min(int(each) for each in [*own.responses, str(exchange.status)]):
                own.path, own.request = dict(exchange.path), request
        return self._normalized(
            {
                name: {
                    "path": each.path,
                    **({} if each.request is None else {"request": each.request}),
                    "responses": each.responses,
                    "problems": dict(sorted(each.problems.items())),
                }
                for name, each in sorted(kept.items())
            }
        )

    def _normalized(self, recording: Json) -> Json:
        text = json.dumps(recording, ensure_ascii=False)
        for secret in sorted(self.secrets.values(), key=len, reverse=True):
            text = text.replace(secret, _stand_in(secret))
        started = datetime.now(UTC) - timedelta(seconds=5)
        numbers: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            count = sum(each.startswith(match[1]) for each in numbers)
            return f"{match[1]}_03552{numbers.setdefault(match[0], count + 1):017}"

        def move(match: re.Match[str]) -> str:
            moment = datetime.fromisoformat(match[0])
            return iso(START + timedelta(seconds=round((moment - started).total_seconds())))

        for pattern, replacement in (
            (r"\b(whk|evt|dlv|int|con|run|log|key|tsk|flw|frn|cse|pse)_(?!0{20})[0-9A-Za-z]{22}\b", number),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", move),
            (r"(sk_test_)[0-9A-Za-z]{22}_", r"\g<1>1000000000000000025530_"),
            (r"(code_challenge=)[\w-]+", r"\g<1>E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            (
                r"http://127\.0\.0\.1:\d+/(authorization|token|revocation)",
                r"https://provider.example/oauth/\1",
            ),
            (r"http://127\.0\.0\.1:\d+", "https://receiver.example"),
            (r"127\.0\.0\.1", "203.0.113.7"),
            (r"\btest-request\b", "KkPv4jWcoAMEJ5Q="),
        ):
            text = re.sub(pattern, replacement, text)
        normalized: Json = json.loads(text)
        return normalized


STAND_INS = {
    "sk_test_": "sk_test_1000000000000000025530_example_secret_example_secret_example",
    "whsec_": "whsec_QW5FeGFtcGxlT2ZBU2lnbmluZ1NlY3JldDMyQnl0ZXM=",
    "access_token": "the-provider's-access-token",
    "refresh_token": "the-provider's-refresh-token",
}


def _stand_in(secret: str) -> str:
    """The document's text for a secret: constants stay, and nothing looks like a real key."""
    for start, text in STAND_INS.items():
        if secret.startswith(start):
            return text
    return (
        secret
        if re.fullmatch(r"[\w-]+-[0-9a-f]{4,8}|.*receiver-\w+-[0-9a-f]{4}", secret)
        else "example-state"
    )


def _shortened(value: Any) -> Any:
    """The first sentences of long texts, and the first items of long lists."""
    if isinstance(value, str):
        if len(value) <= _MAX_TEXT or value.startswith("http"):
            return value
        return value[:_MAX_TEXT].partition(". ")[0] + " …"
    if isinstance(value, list):
        count = _MAX_ITEMS if any(isinstance(each, dict) for each in value) else len(value)
        return [_shortened(each) for each in value[:count]]
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    return value


def _content(value: Any) -> int:
    """How much an example shows: the number of its nonempty values, or 0 if it is too long to read."""
    if len(json.dumps(value)) > _MAX_EXAMPLE:
        return 0
    return sum(1 for each in _leaves(value) if each not in (None, "", 0, False))


def _leaves(value: Any) -> Iterator[object]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def merged(old: Json, new: Json, contract: Contract) -> Json:
    """The new recording, with each old example that is still correct."""
    result = {}
    for operation, recorded in new.items():
        before = old.get(operation, {})
        still_correct = (
            before.keys() == recorded.keys()
            and before.get("responses", {}).keys() == recorded["responses"].keys()
            and not [*errors_of(operation, before, contract)]
        )
        result[operation] = {**(before if still_correct else recorded)}
        kept = {
            code: problem
            for code, problem in before.get("problems", {}).items()
            if code in recorded["problems"] and alike(problem, recorded["problems"][code])
        }
        result[operation]["problems"] = {**recorded["problems"], **kept}
    return result


def alike(problem: Json, other: Json) -> bool:
    """Whether both have the same fields and texts, apart from values that contain a digit, such as IDs."""
    return problem.keys() == other.keys() and _wording(problem) == _wording(other)


def _wording(problem: Json) -> list[str]:
    return [re.sub(r"\S*\d\S*", "", problem[key]) for key in ("title", "detail")]


def errors_of(operation: str, recorded: Json, contract: Contract) -> Iterator[str]:
    """The errors of an operation's examples."""
    if "request" in recorded:
        yield from contract.request_errors(operation, recorded["request"])
    for status, body in recorded["responses"].items():
        yield from contract.response_errors(operation, int(status), "application/json", body)
    for problem in recorded["problems"].values():
        yield from contract.response_errors(operation, problem["status"], "application/problem+json", problem)
