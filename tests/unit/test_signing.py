from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from patchbay.webhooks.signing import new_secret, sign

BODY = b'{"test": 2432232314}'


def by_standardwebhooks(secret: str, body: bytes, headers: dict[str, str]) -> None:
    standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)


def by_svix(secret: str, body: bytes, headers: dict[str, str]) -> None:
    svix.webhooks.Webhook(secret).verify(body, headers)


verifiers = pytest.mark.parametrize("verify", [by_standardwebhooks, by_svix])
Verify = Callable[[str, bytes, dict[str, str]], None]


def headers(signature: str, message_id: str, timestamp: int) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_signature_matches_the_vector_of_the_specification(prefix: str) -> None:
    secret = prefix + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_new_secret_has_32_random_bytes() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@verifiers
@given(text=st.text())
def test_verifiers_accept_any_body(verify: Verify, text: str) -> None:
    secret, now, body = new_secret(), int(time.time()), text.encode("utf-8", "replace")
    signed = headers(sign([secret], "msg_1", now, body), "msg_1", now)
    verify(secret, body, signed)


@verifiers
def test_both_secrets_sign_during_a_rotation(verify: Verify) -> None:
    old, new, now = new_secret(), new_secret(), int(time.time())
    signature = sign([new, old], "msg_1", now, BODY)
    assert len(signature.split(" ")) == 2
    for secret in (old, new):
        verify(secret, BODY, headers(signature, "msg_1", now))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verify(new_secret(), BODY, headers(signature, "msg_1", now))


@verifiers
@pytest.mark.parametrize(
    ("body", "message_id", "seconds"), [(BODY + b" ", "msg_1", 0), (BODY, "msg_2", 0), (BODY, "msg_1", 1)]
)
def test_verifiers_reject_a_tampered_message(
    verify: Verify, body: bytes, message_id: str, seconds: int
) -> None:
    secret, now = new_secret(), int(time.time())
    signature = sign([secret], "msg_1", now, BODY)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verify(secret, body, headers(signature, message_id, now + seconds))


@pytest.mark.parametrize("secrets", [[], ["whsec_not base64!"], ["whsec_abc"]])
def test_error_for_an_invalid_secret_does_not_contain_it(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        sign(secrets, "msg_1", 1, BODY)
    assert not any(secret.removeprefix("whsec_") in str(caught.value) for secret in secrets)
