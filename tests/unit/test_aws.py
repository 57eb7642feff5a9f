"""The AWS client against a raw server: signatures, retries, deadlines, connection reuse, errors, and TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from patchbay import aws, aws_http, sigv4
from patchbay.aws import CallFailed, NoResponse, ServiceError
from tests.certificates import self_signed, server_tls
from tests.raw_receivers import Answer, Receiver, answer, receiver, run
from tests.receivers import Answer as HttpAnswer
from tests.receivers import Request
from tests.receivers import receiver as http_receiver

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OK = answer("200 OK", body=b'{"ok": true}')
Script = bytes | Answer
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[float]]:
    """Record the maximum of each pause of the client, instead of sleeping."""
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    for protocol in aws.SERVICES.values():
        monkeypatch.delenv(protocol.endpoint_variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    recorded: list[float] = []
    monkeypatch.setattr(aws, "_pause", recorded.append)
    aws.clear_cache()
    yield recorded
    aws.clear_cache()


def call(text: str = "x") -> dict[str, Any]:
    return aws.call("dynamodb", "PutItem", {"text": text})


def with_server(
    script: Script, act: Callable[[], Result], tls: ssl.SSLContext | None = None
) -> tuple[Result, Receiver]:
    """Run `act` while a server answers the client with the script. Returns the result and the server."""

    async def scenario() -> tuple[Result, Receiver]:
        async with receiver(script, tls) as server:
            scheme = "https" if tls else "http"
            with patch.dict("os.environ", AWS_ENDPOINT_URL=f"{scheme}://localhost:{server.port}"):
                return await asyncio.to_thread(act), server

    return run(scenario())


def raised_by(act: Callable[[], object] = call) -> Callable[[], CallFailed]:
    def catch() -> CallFailed:
        with pytest.raises(CallFailed) as caught:
            act()
        return caught.value

    return catch


def scripted(*steps: bytes | None) -> Script:
    """Each request takes the next response, and the last one repeats. None closes the connection without a
    response.
    """
    remaining = list(steps)

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        step = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if step is None:
            writer.close()
        else:
            writer.write(step)

    return script


def error_response(code: str, status: str = "400 Bad Request") -> bytes:
    return answer(status, body=json.dumps({"__type": code, "message": "no"}).encode())


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "body", "signature"),
    [
        ({}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
    ids=["post-vanilla", "post-x-www-form-urlencoded"],
)
def test_signatures_match_the_aws_test_suite(headers: dict[str, str], body: bytes, signature: str) -> None:
    headers = {"host": "example.amazonaws.com", **headers}
    signed = sigv4.sign(
        sigv4.Credentials(ACCESS_KEY, SECRET_KEY), "us-east-1", "service", "/", headers, body, now=1440938160
    )
    assert signed["x-amz-date"] == "20150830T123600Z"
    assert signed["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("path", ["/", "/a%20b/c~d"])
def test_signatures_match_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, token: str | None, path: str
) -> None:
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    sent: list[tuple[str, dict[str, str], bytes]] = []

    def exchange(url: str, headers: dict[str, str], body: bytes) -> aws_http.Response:
        sent.append((url, headers, body))
        return 200, {}, b"{}"

    monkeypatch.setattr(aws, "exchange", exchange)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:8000{path}")
    call("é\udc00")
    ((url, headers, body),) = sent
    authorization = headers.pop("authorization")
    unsigned = {name: headers[name] for name in ("content-type", "host", "x-amz-target")}
    request = AWSRequest("POST", url, headers=unsigned, data=body)
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, token), "dynamodb", "us-east-1")
    with patch("botocore.auth.get_current_datetime") as now:
        now.return_value.strftime = lambda _: headers["x-amz-date"]
        signer.add_auth(request)
    assert authorization == request.headers["Authorization"]


def test_request_is_complete_and_has_its_operation() -> None:
    _, server = with_server(OK, call)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    assert json.loads(body) == {"text": "x"}
    assert f"host: localhost:{server.port}" in lines
    assert "x-amz-target: DynamoDB_20120810.PutItem" in lines
    assert f"content-length: {len(body)}" in lines


@pytest.mark.parametrize(
    ("region", "service", "host"),
    [
        ("us-east-1", "dynamodb", "dynamodb.us-east-1.amazonaws.com"),
        ("ap-southeast-3", "sqs", "sqs.ap-southeast-3.amazonaws.com"),
        ("us-gov-west-1", "kms", "kms.us-gov-west-1.amazonaws.com"),
        ("cn-northwest-1", "secretsmanager", "secretsmanager.cn-northwest-1.amazonaws.com.cn"),
        ("us-iso-east-1", "sqs", "sqs.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "sqs", "sqs.us-isob-east-1.sc2s.sgov.gov"),
        ("us-isof-south-1", "sqs", "sqs.us-isof-south-1.csp.hci.ic.gov"),
        ("eu-isoe-west-1", "sqs", "sqs.eu-isoe-west-1.cloud.adc-e.uk"),
        ("eusc-de-east-1", "sqs", "sqs.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_endpoint_of_each_partition(
    monkeypatch: pytest.MonkeyPatch, region: str, service: str, host: str
) -> None:
    def exchange(url: str, headers: dict[str, str], body: bytes) -> aws_http.Response:
        assert url == f"https://{host}/"
        assert headers["host"] == host
        assert f"/{region}/{service}/aws4_request" in headers["authorization"]
        return 200, {}, b""

    monkeypatch.setattr(aws, "exchange", exchange)
    monkeypatch.setenv("AWS_REGION", region)
    assert aws.call(service, "Do", {}) == {}


def test_endpoints_and_region_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def exchange(url: str, headers: dict[str, str], body: bytes) -> aws_http.Response:
        urls.append(url)
        return 200, {}, b"{}"

    monkeypatch.setattr(aws, "exchange", exchange)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    call()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets:2")
    call()
    aws.call("secretsmanager", "GetSecretValue", {})
    assert urls == ["https://dynamodb.eu-west-1.amazonaws.com/", "http://all:1", "http://secrets:2"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "AWS_REGION" in str(raised_by()())


# ── credentials ──────────────────────────────────────────────────────────────────────────────────────


def signing_credentials(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str | None]:
    """The access key and the session token that sign a call."""
    used: list[tuple[str, str | None]] = []

    def exchange(url: str, headers: dict[str, str], body: bytes) -> aws_http.Response:
        key = headers["authorization"].partition("Credential=")[2].partition("/")[0]
        used.append((key, headers.get("x-amz-security-token")))
        return 200, {}, b"{}"

    with monkeypatch.context() as patched:
        patched.setattr(aws, "exchange", exchange)
        call()
    return used[0]


def test_environment_credentials_are_read_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert signing_credentials(monkeypatch) == (ACCESS_KEY, None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAROTATED")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert signing_credentials(monkeypatch) == ("ASIAROTATED", "token")
    assert SECRET_KEY not in repr(aws._credentials())


def test_profile_credentials_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert "credentials" in str(raised_by()())
    aws.clear_cache()
    profile = "[work]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n"
    (tmp_path / "credentials").write_text(profile)
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert signing_credentials(monkeypatch) == ("AKIAPROFILE", None)


def test_container_credentials_are_refreshed_when_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    """This happens after a SnapStart restore."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    lifetimes = [60, 9999]  # seconds

    def issue(_: Request) -> HttpAnswer:
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetimes.pop(0)))
        issued = {
            "AccessKeyId": f"ASIA{len(lifetimes)}",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": ends,
        }
        return HttpAnswer(200, {}, json.dumps(issued).encode())

    with http_receiver([issue]) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url)
        assert [signing_credentials(monkeypatch) for _ in range(3)] == [("ASIA0", "t")] * 3
        assert not lifetimes


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────

FAULT, THROTTLED = [0.1, 0.2, 0.4], [0.5, 1, 2]


@pytest.mark.parametrize(
    ("step", "waits"),
    [
        (answer("500 Internal Server Error"), FAULT),
        (answer("503 Service Unavailable", body=b"<html>"), FAULT),
        (error_response("InternalServerError", "500 Internal Server Error"), FAULT),
        (error_response("RequestTimeout"), FAULT),
        (
            error_response("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
            THROTTLED,
        ),
        (error_response("com.amazon.coral.availability#ThrottlingException"), THROTTLED),
        (error_response("RequestLimitExceeded"), THROTTLED),
        (answer("429 Too Many Requests"), THROTTLED),
        (None, FAULT),
        (error_response("ValidationException"), []),
        (error_response("ConditionalCheckFailedException"), []),
        (error_response("TransactionConflictException"), []),
        (answer("403 Forbidden"), []),
    ],
)
def test_transient_failures_are_attempted_four_times(
    step: bytes | None, waits: list[float], pauses: list[float]
) -> None:
    error, server = with_server(scripted(step), raised_by())
    assert isinstance(error, NoResponse if step is None else ServiceError)
    assert pauses == waits
    assert len(server.requests) == 1 + len(waits)
    assert len({request.partition(b"\r\n\r\n")[2] for request in server.requests}) == 1
    if waits:
        pauses.clear()
        result, server = with_server(scripted(step, step, OK), call)
        assert result == {"ok": True}
        assert pauses == waits[:2]


def test_unreachable_server_raises_no_response(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    error = raised_by(lambda: call("sesame"))()
    assert isinstance(error, NoResponse)
    assert "sesame" not in str(error)
    assert pauses == FAULT


def test_pauses_are_random_up_to_their_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    slept: list[float] = []
    monkeypatch.setattr(aws, "time", SimpleNamespace(sleep=slept.append))
    for _ in range(100):
        aws._pause(0.4)
    assert 0 <= min(slept) < 0.1
    assert 0.3 < max(slept) <= 0.4


def test_slow_response_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_MAX_ATTEMPTS", 1)
    monkeypatch.setattr(aws_http, "_RESPONSE_SECONDS", 0.3)

    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in answer("200 OK", body=b" " * 100):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    def timed() -> tuple[CallFailed, float]:
        started = time.monotonic()
        return raised_by()(), time.monotonic() - started

    (error, seconds), _ = with_server(drip, timed)
    assert "TimeoutError" in str(error)
    assert 0.25 < seconds < 1.5


# ── responses ────────────────────────────────────────────────────────────────────────────────────────

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "whole",
    [
        OK,
        b"HTTP/1.1 200\r\nContent-Length:12\r\n\r\n" + b'{"ok": true}',
        CHUNKED + b'6\r\n{"ok":\r\n6;a=b\r\n true}\r\n0\r\n\r\n',
        CHUNKED + b'C\r\n{"ok": true}\r\n0\r\nx-trailer: y\r\n\r\n',
    ],
)
def test_response_is_read_in_any_fragments(whole: bytes) -> None:
    async def byte_by_byte(_: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in whole:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    for script in (whole, byte_by_byte):
        results, server = with_server(script, lambda: [call(), call()])
        assert results == [{"ok": True}] * 2
        assert server.connections == 1, "the connection is reused"


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n{}",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"99999999\r\n",
        CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    ],
)
def test_malformed_response_raises_no_response(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_MAX_ATTEMPTS", 1)
    error, _ = with_server(whole, raised_by())
    assert isinstance(error, NoResponse)


@pytest.mark.parametrize(
    ("headers", "body", "code", "message"),
    [
        ([], {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}, "QueueDoesNotExist", "no"),
        ([], {"__type": "NotFoundException", "Message": "no"}, "NotFoundException", "no"),
        ([], {"__type": "a#B:http://internal.amazon.com/"}, "B", ""),
        (
            ["x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender"],
            {"__type": "com.amazonaws.sqs#QueueDoesNotExist"},
            "AWS.SimpleQueueService.NonExistentQueue",
            "",
        ),
        (["x-amzn-errortype: AccessDeniedException:http://x/"], {}, "AccessDeniedException", ""),
        ([], {}, "400", ""),
        ([], [], "400", ""),
    ],
)
def test_service_errors_have_code_and_message(headers: list[str], body: Any, code: str, message: str) -> None:
    error, _ = with_server(answer("400 Bad Request", *headers, body=json.dumps(body).encode()), raised_by())
    assert isinstance(error, ServiceError)
    assert (error.code, error.message, error.status) == (code, message, 400)
    assert error.response == (body or {})
    assert str(error) == f"{code}: {message}"


# ── connection reuse ─────────────────────────────────────────────────────────────────────────────────


def test_closed_idle_connection_costs_no_attempt(pauses: list[float]) -> None:
    """The server closes it while it is idle, or while the next request is sent."""

    async def answer_once(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    def call_three_times() -> None:
        for _ in range(3):
            call()
            time.sleep(0.02)

    _, server = with_server(answer_once, call_three_times)
    assert server.connections == 3
    _, server = with_server(scripted(OK, None, OK), lambda: [call(), call()])
    assert server.connections == 2
    assert len(server.requests) == 3
    assert pauses == []


def test_connections_with_unread_bytes_or_long_idle_are_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    for script in (OK + b"HTTP/1.1 200 OK\r\n", answer("200 OK", "Connection: close", body=b"{}")):
        _, server = with_server(script, lambda: [call(), call()])
        assert server.connections == 2
    now = [1_000.0]
    monkeypatch.setattr(aws_http, "time", SimpleNamespace(time=lambda: now[0], monotonic=time.monotonic))

    def call_after(seconds: float) -> dict[str, Any]:
        now[0] += seconds
        return call()

    _, server = with_server(OK, lambda: [call_after(seconds) for seconds in (0, 14, 14, 16, -1)])
    assert server.connections == 3, "after 16 s, and when the clock was set back"


def test_threads_get_their_own_responses_over_few_connections() -> None:
    async def echo(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.001)
        writer.write(answer("200 OK", body=request.partition(b"\r\n\r\n")[2]))

    def call_concurrently() -> list[Any]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(call, map(str, range(200))))

    results, server = with_server(echo, call_concurrently)
    assert results == [{"text": str(number)} for number in range(200)]
    assert server.connections <= 8


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────


def test_certificate_must_be_trusted_and_have_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(aws, "_MAX_ATTEMPTS", 1)
    for host in ("localhost", "aws.test"):
        (tmp_path / host).mkdir()
    good, other = (self_signed(tmp_path / host, host) for host in ("localhost", "aws.test"))
    error, server = with_server(OK, raised_by(), server_tls(good))
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert server.requests == []
    monkeypatch.setenv("AWS_CA_BUNDLE", str(other))
    error, server = with_server(OK, raised_by(), server_tls(other))
    assert "Hostname mismatch" in str(error)
    assert server.requests == []
    monkeypatch.setenv("AWS_CA_BUNDLE", str(good))
    results, server = with_server(OK, lambda: [call(), call()], server_tls(good))
    assert results == [{"ok": True}] * 2
    assert server.connections == 1
