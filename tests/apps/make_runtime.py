"""What Make does with an app's files, as far as this app uses it; on anything else it stops.

    app = MakeApp(ROOT / "apps/make", base_url)
    connection = app.connect({"apiKey": key})
    hook = app.attach("postPublished", connection, url, {})
    bundles = app.receive("postPublished", body)

It follows Make's documentation; Make's own runtime exists only at Make.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tools.apps.make_iml import UNDEFINED, evaluate

_REQUEST = {
    *(
        "url",
        "encodeUrl",
        "method",
        "headers",
        "qs",
        "type",
        "body",
        "response",
        "pagination",
        "repeat",
        "log",
    )
}
_RESPONSE = {
    *("type", "valid", "limit", "error", "iterate", "temp", "output", "data", "metadata"),
}


class MakeError(Exception):
    """What Make shows: the error's type, and its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any
    variables: Mapping[str, Any]
    response: Mapping[str, Any]


@dataclass
class MakeApp:
    """An app's folder, its base URL replaced. `log` is what Make keeps of requests and answers."""

    folder: Path
    base_url: str
    log: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        described = self._read("makecomapp.json")
        self.components: dict[str, Any] = described["components"]
        self.base: dict[str, Any] = self._read(described["generalCodeFiles"]["base"])
        self.common: dict[str, Any] = {
            **self._read(described["generalCodeFiles"]["common"]),
            "baseUrl": self.base_url,
        }

    def code(self, kind: str, id: str, code: str) -> Any:
        return self._read(self.components[kind][id]["codeFiles"][code])

    def connect(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """A connection as modules have it, with its `metadata`. Raises MakeError."""
        variables = {"parameters": parameters, "common": self.common}
        answer = self._send(self.code("connection", "patchbay", "communication"), variables, {})
        shown = evaluate(answer.response["metadata"], answer.variables)
        return {**parameters, "metadata": shown}

    def attach(
        self, webhook: str, connection: Mapping[str, Any], url: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What Make keeps of a webhook that it has attached."""
        variables = self._variables(connection, parameters, webhook={"url": url})
        answer = self._send(self.code("webhook", webhook, "attach"), variables, self.base)
        return {"url": url, **evaluate(answer.response["data"], answer.variables)}

    def detach(self, webhook: str, connection: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
        self._send(
            self.code("webhook", webhook, "detach"), self._variables(connection, {}, webhook=kept), self.base
        )

    def receive(self, module: str, body: Any) -> dict[str, Any]:
        """The bundle of a trigger for what its webhook got."""
        assert self.code("module", module, "communication") == {}
        communication = self.code("webhook", self.components["module"][module]["webhook"], "communication")
        assert communication.keys() == {"output"}
        bundle: dict[str, Any] = evaluate(communication["output"], {"body": body})
        return bundle

    def choices(self, rpc: str, connection: Mapping[str, Any]) -> list[Any]:
        """What a dropdown shows."""
        communication = self.code("rpc", rpc, "communication")
        return list(self._items(communication, self._variables(connection, {})))

    def run(self, module: str, connection: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        """What a module gives. Raises MakeError."""
        expected = {each["name"] for each in self.code("module", module, "mappableParams")}
        assert parameters.keys() <= expected
        requests = self.code("module", module, "communication")
        temp: dict[str, Any] = {}
        output: Any = UNDEFINED
        for request in requests if isinstance(requests, list) else [requests]:
            variables = {**self._variables(connection, parameters), "temp": temp}
            answer = self._send(request, variables, self.base)
            temp |= evaluate(answer.response.get("temp", {}), answer.variables)
            if "output" in answer.response:
                output = evaluate(answer.response["output"], answer.variables)
        return output

    def search(
        self, module: str, connection: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The bundles of a search."""
        assert parameters.keys() <= {each["name"] for each in self.code("module", module, "mappableParams")}
        communication = self.code("module", module, "communication")
        return list(self._items(communication, self._variables(connection, parameters)))

    def _variables(
        self, connection: Mapping[str, Any], parameters: Mapping[str, Any], **more: Any
    ) -> dict[str, Any]:
        return {"connection": connection, "parameters": parameters, "common": self.common, **more}

    def _items(self, request: dict[str, Any], variables: dict[str, Any]) -> Iterator[Any]:
        left = evaluate(request["response"]["limit"], variables)
        paging = request.get("pagination", {})
        assert paging.keys() <= {"qs", "condition"}
        query: dict[str, Any] = {}
        while True:
            answer = self._send({**request, "qs": {**request.get("qs", {}), **query}}, variables, self.base)
            items = evaluate(answer.response["iterate"], answer.variables)
            for item in items[:left]:
                yield evaluate(answer.response["output"], {**answer.variables, "item": item})
            left -= len(items)
            ends = {"first": items[0], "last": items[-1]} if items else {}
            after = {**answer.variables, "iterate": {"container": ends}}
            if left <= 0 or not paging or not evaluate(paging["condition"], after):
                return
            query = evaluate(paging["qs"], after)

    def _send(self, request: dict[str, Any], variables: dict[str, Any], base: Mapping[str, Any]) -> Answer:
        """One request, repeated as it says. Raises MakeError."""
        assert request.keys() <= _REQUEST, request.keys() - _REQUEST
        repeat = request.get("repeat", {"condition": False, "delay": 0, "limit": 1})
        for _ in range(repeat["limit"]):
            answer = self._send_once(request, variables, base)
            if not evaluate(repeat["condition"], answer.variables):
                break
            time.sleep(repeat["delay"] / 1000)
        return answer

    def _send_once(
        self, request: dict[str, Any], variables: dict[str, Any], base: Mapping[str, Any]
    ) -> Answer:
        response = {**base.get("response", {}), **request.get("response", {})}
        assert response.keys() <= _RESPONSE, response.keys() - _RESPONSE
        url = evaluate(request["url"], variables)
        if url.startswith("/"):
            url = evaluate(base["baseUrl"], variables) + url
        # Make drops the second slash of the two.
        url = url.replace(f"{self.base_url}//", f"{self.base_url}/")
        headers = {
            name.lower(): value
            for part in (base.get("headers", {}), request.get("headers", {}))
            for name, value in evaluate(part, variables).items()
        }
        method = evaluate(request.get("method", "GET"), variables)
        body = evaluate(request["body"], variables) if "body" in request and method != "GET" else UNDEFINED
        sent: dict[str, Any] = {}
        if body is not UNDEFINED:
            sent = {"json": body} if request.get("type", "json") == "json" else {"content": body}
        query = evaluate(request.get("qs", {}), variables)
        # With no parameters httpx drops those of the URL.
        got = httpx.request(
            method, url, headers=headers, params=query or None, timeout=40, trust_env=False, **sent
        )
        read = _body(got, response["type"])
        self._note(request, base, {"url": url, "headers": dict(headers), "body": sent.get("json")}, read)
        after = {**variables, "body": read, "headers": dict(got.headers), "statusCode": got.status_code}
        if got.is_error:
            error = response["error"]
            said = error.get(str(got.status_code), error)
            raise MakeError(said["type"], evaluate(said["message"], after))
        valid = response.get("valid")
        if valid and not evaluate(valid["condition"], after):
            raise MakeError("RuntimeError", evaluate(valid["message"], after))
        return Answer(got.status_code, dict(got.headers), read, after, response)

    def _note(self, request: dict[str, Any], base: Mapping[str, Any], asked: Any, read: Any) -> None:
        """Keep a request and its answer, without what is to be left out of logs."""
        kept = json.loads(json.dumps({"request": asked, "response": {"body": read}}))
        for path in request.get("log", base.get("log", {})).get("sanitize", ()):
            *above, last = path.split(".")
            at = kept
            for name in above:
                at = at.get(name, {}) if isinstance(at, dict) else {}
            if isinstance(at, dict) and last in at:
                at[last] = "[sanitized]"
        self.log.append(kept)

    def _read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text("utf-8"))


def _body(got: httpx.Response, kinds: Mapping[str, str]) -> Any:
    assert kinds == {"*": "automatic", "400-599": "json"}
    if got.is_error or got.headers.get("content-type", "").startswith("application/json"):
        return got.json()
    return got.text
