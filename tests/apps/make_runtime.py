"""Runs a Make app as Make does. It supports the features that this app uses; others are assertion errors.

    app = MakeApp(ROOT / "apps/make", base_url)
    connection = app.connect({"apiKey": key})
    hook = app.attach("postPublished", connection, url, {})
    bundles = app.receive("postPublished", body)

It follows Make's documentation, because Make's own runtime is not public.
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
    """An error as Make shows it: its type and message."""

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
    """An app, read from its folder, with another base URL. `log` is Make's log of requests and responses."""

    folder: Path
    base_url: str
    log: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        manifest = self._read("makecomapp.json")
        self.components: dict[str, Any] = manifest["components"]
        self.base: dict[str, Any] = self._read(manifest["generalCodeFiles"]["base"])
        self.common: dict[str, Any] = {
            **self._read(manifest["generalCodeFiles"]["common"]),
            "baseUrl": self.base_url,
        }

    def code(self, kind: str, id: str, code: str) -> Any:
        return self._read(self.components[kind][id]["codeFiles"][code])

    def connect(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Create a connection, and return its data with its `metadata`. Raises MakeError."""
        variables = {"parameters": parameters, "common": self.common}
        answer = self._send(self.code("connection", "patchbay", "communication"), variables, {})
        metadata = evaluate(answer.response["metadata"], answer.variables)
        return {**parameters, "metadata": metadata}

    def attach(
        self, webhook: str, connection: Mapping[str, Any], url: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Attach a webhook, and return the data that Make stores."""
        variables = self._variables(connection, parameters, webhook={"url": url})
        answer = self._send(self.code("webhook", webhook, "attach"), variables, self.base)
        return {"url": url, **evaluate(answer.response["data"], answer.variables)}

    def detach(self, webhook: str, connection: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
        variables = self._variables(connection, {}, webhook=stored)
        self._send(self.code("webhook", webhook, "detach"), variables, self.base)

    def receive(self, module: str, body: Any) -> dict[str, Any]:
        """Return the bundle that a trigger outputs for the body that its webhook received."""
        assert self.code("module", module, "communication") == {}
        communication = self.code("webhook", self.components["module"][module]["webhook"], "communication")
        assert communication.keys() == {"output"}
        bundle: dict[str, Any] = evaluate(communication["output"], {"body": body})
        return bundle

    def choices(self, rpc: str, connection: Mapping[str, Any]) -> list[Any]:
        """Return the choices of a dropdown."""
        communication = self.code("rpc", rpc, "communication")
        return list(self._items(communication, self._variables(connection, {})))

    def run(self, module: str, connection: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        """Run a module, and return its output. Raises MakeError."""
        expected = {field["name"] for field in self.code("module", module, "mappableParams")}
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
        """Run a search, and return its bundles."""
        assert parameters.keys() <= {field["name"] for field in self.code("module", module, "mappableParams")}
        communication = self.code("module", module, "communication")
        return list(self._items(communication, self._variables(connection, parameters)))

    def _variables(
        self, connection: Mapping[str, Any], parameters: Mapping[str, Any], **variables: Any
    ) -> dict[str, Any]:
        return {"connection": connection, "parameters": parameters, "common": self.common, **variables}

    def _items(self, request: dict[str, Any], variables: dict[str, Any]) -> Iterator[Any]:
        remaining = evaluate(request["response"]["limit"], variables)
        paging = request.get("pagination", {})
        assert paging.keys() <= {"qs", "condition"}
        query: dict[str, Any] = {}
        while True:
            answer = self._send({**request, "qs": {**request.get("qs", {}), **query}}, variables, self.base)
            items = evaluate(answer.response["iterate"], answer.variables)
            for item in items[:remaining]:
                yield evaluate(answer.response["output"], {**answer.variables, "item": item})
            remaining -= len(items)
            ends = {"first": items[0], "last": items[-1]} if items else {}
            after = {**answer.variables, "iterate": {"container": ends}}
            if remaining <= 0 or not paging or not evaluate(paging["condition"], after):
                return
            query = evaluate(paging["qs"], after)

    def _send(self, request: dict[str, Any], variables: dict[str, Any], base: Mapping[str, Any]) -> Answer:
        """Send a request, and repeat it as its `repeat` says. Raises MakeError."""
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
        # Make removes a double slash.
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
        # With an empty dict, httpx would drop the parameters of the URL.
        received = httpx.request(
            method, url, headers=headers, params=query or None, timeout=40, trust_env=False, **sent
        )
        content = _body(received, response["type"])
        self._log(request, base, {"url": url, "headers": dict(headers), "body": sent.get("json")}, content)
        after = {
            **variables,
            "body": content,
            "headers": dict(received.headers),
            "statusCode": received.status_code,
        }
        if received.is_error:
            error = response["error"]
            error = error.get(str(received.status_code), error)
            raise MakeError(error["type"], evaluate(error["message"], after))
        valid = response.get("valid")
        if valid and not evaluate(valid["condition"], after):
            raise MakeError("RuntimeError", evaluate(valid["message"], after))
        return Answer(received.status_code, dict(received.headers), content, after, response)

    def _log(self, request: dict[str, Any], base: Mapping[str, Any], sent: Any, body: Any) -> None:
        """Log a request and its response, sanitized."""
        entry = json.loads(json.dumps({"request": sent, "response": {"body": body}}))
        for path in request.get("log", base.get("log", {})).get("sanitize", ()):
            *parents, last = path.split(".")
            parent = entry
            for name in parents:
                parent = parent.get(name, {}) if isinstance(parent, dict) else {}
            if isinstance(parent, dict) and last in parent:
                parent[last] = "[sanitized]"
        self.log.append(entry)

    def _read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text("utf-8"))


def _body(received: httpx.Response, kinds: Mapping[str, str]) -> Any:
    assert kinds == {"*": "automatic", "400-599": "json"}
    if received.is_error or received.headers.get("content-type", "").startswith("application/json"):
        return received.json()
    return received.text
