"""The library's AWS calls, answered by moto in this process. Hooks can observe or change them.

With `make test-engines`, those of DynamoDB go to another engine.

A hook of `around_calls` gets each call once, with its parameters. A hook of `around_tries` gets each HTTP
exchange, including the client's retries. The hook that was added last is the outermost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

from patchbay import aws
from patchbay.aws_http import Response

Params = dict[str, Any]
# (service, operation, parameters, the call itself)
CallHook = Callable[[str, str, Params, Callable[[Params], Params]], Params]
# ("dynamodb.PutItem", body, the exchange itself). The tries of one call have the same body object.
TryHook = Callable[[str, bytes, Callable[[bytes], Response]], Response]

_SERVICES = {kind.target: service for service, kind in aws.SERVICES.items()}


_exchange = aws.exchange
sent: list[bytes] = []  # the bodies that were sent to another engine, since a fixture emptied it


def moto(url: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Replaces `aws.exchange`. Calls to the endpoint of another engine are sent (`make test-engines`)."""
    if url.startswith("http://"):
        sent.append(body)
        return _exchange(url, headers, body)
    http_headers = HTTPHeaders()
    for name, value in headers.items():
        http_headers[name] = value
    request = AWSPreparedRequest(method="POST", url=url, headers=http_headers, body=body, stream_output=False)
    answer = BotocoreStubber().process_request(request)
    assert answer is not None, f"moto has no answer for {url}"
    status, response_headers, content = answer
    content = content.encode() if isinstance(content, str) else content
    return status, {name.lower(): str(value) for name, value in response_headers.items()}, content


@contextlib.contextmanager
def around_calls(hook: CallHook) -> Iterator[None]:
    call = aws.call

    def hooked(service: str, operation: str, params: Params) -> Params:
        return hook(service, operation, params, lambda params: call(service, operation, params))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "call", hooked)
        yield


@contextlib.contextmanager
def around_tries(hook: TryHook) -> Iterator[None]:
    exchange = aws.exchange

    def hooked(url: str, headers: Mapping[str, str], body: bytes) -> Response:
        target, _, operation = headers["x-amz-target"].partition(".")
        return hook(f"{_SERVICES[target]}.{operation}", body, lambda body: exchange(url, headers, body))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "exchange", hooked)
        yield
