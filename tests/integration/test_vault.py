"""Envelope encryption with moto's KMS and the data keys table."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from patchbay import aws, vault
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.vault import DecryptionFailed, KeyUnavailable, decrypt, encrypt
from tests import faults
from tests.conftest import Backend
from tests.faults import Clock, failing, meanwhile
from tests.wire import Params, around_calls

CONTEXT = "webhooks/whk_1/secret"
DAY = 86_400


def test_decrypt_returns_the_plaintext(backend: Backend, subtests: pytest.Subtests) -> None:
    for plaintext in ("", "whsec_abc", "Grüße 🎈\x00", "x" * 100_000):
        with subtests.test(plaintext[:20]):
            ciphertext = encrypt("acme", plaintext, encryption_context=CONTEXT)
            assert plaintext == "" or plaintext not in ciphertext
            assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == plaintext
            vault.clear_cache()
            assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == plaintext


def test_equal_plaintexts_have_different_ciphertexts(backend: Backend) -> None:
    assert encrypt("acme", "same", encryption_context=CONTEXT) != encrypt(
        "acme", "same", encryption_context=CONTEXT
    )


def test_decrypt_rejects_moved_ciphertext(backend: Backend, subtests: pytest.Subtests) -> None:
    ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    encrypt("other", "secret", encryption_context=CONTEXT)
    for workspace, context in (
        ("acme", "webhooks/whk_2/secret"),
        ("acme", "webhooks/whk_1/headers"),
        ("other", CONTEXT),
        ("never-seen", CONTEXT),
    ):
        with subtests.test(f"{workspace} {context}"), pytest.raises(DecryptionFailed):
            decrypt(workspace, ciphertext, encryption_context=context)


def test_decrypt_rejects_damaged_ciphertext(backend: Backend, subtests: pytest.Subtests) -> None:
    form, version, text = encrypt("acme", "secret", encryption_context=CONTEXT).split(".")
    raw = base64.urlsafe_b64decode(text)
    damaged = [
        "",
        "v1",
        "v1.1",
        f"v2.{version}.{text}",
        f"{form}.2.{text}",
        f"{form}.x.{text}",
        f"{form}.{version}.",
        f"{form}.{version}.{text[:12]}",
        f"{form}.{version}.{text}.",
        f"{form}.{version}.=",
    ]
    for position in (0, 11, 12, len(raw) - 1):  # in the nonce, the text, and the tag
        flipped = bytearray(raw)
        flipped[position] ^= 1
        damaged.append(f"{form}.{version}.{base64.urlsafe_b64encode(flipped).decode()}")
    damaged.append(f"{form}.{version}.{base64.urlsafe_b64encode(raw[:-1]).decode()}")
    for ciphertext in damaged:
        with subtests.test(ciphertext), pytest.raises(DecryptionFailed):
            decrypt("acme", ciphertext, encryption_context=CONTEXT)


def test_kms_decrypts_a_data_key_only_for_its_workspace(backend: Backend) -> None:
    """This holds even if someone with write access to the table copies the key to another workspace."""
    ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    (row,) = backend.rows("DataKeysTable")
    dynamo.put(settings().data_keys_table, {**row, "workspaceId": "thief"})
    with pytest.raises(DecryptionFailed):
        decrypt("thief", ciphertext, encryption_context=CONTEXT)
    blob = base64.b64encode(row["wrapped"]).decode()
    with pytest.raises(aws.ServiceError, match="InvalidCiphertext"):
        aws.call("kms", "Decrypt", {"CiphertextBlob": blob, "KeyId": settings().kms_key_id})


def test_plaintext_keys_are_neither_stored_nor_printed(backend: Backend) -> None:
    encrypt("acme", "secret", encryption_context=CONTEXT)
    (row,) = backend.rows("DataKeysTable")
    assert row.keys() == {"workspaceId", "version", "wrapped", "createdAt"}
    keys = vault._cache["acme"]
    (key,) = keys.plaintext.values()
    assert len(key) == 32
    assert key not in row["wrapped"]
    assert repr(key) not in repr(keys)


def test_key_rotates_after_90_days_and_old_ciphertexts_stay_readable(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    old = encrypt("acme", "secret", encryption_context=CONTEXT)
    clock.move(90 * DAY)
    assert encrypt("acme", "secret", encryption_context=CONTEXT).startswith("v1.1.")
    clock.move(1)
    new = encrypt("acme", "secret", encryption_context=CONTEXT)
    assert (old[:5], new[:5]) == ("v1.1.", "v1.2.")
    for _ in range(2):
        assert (
            decrypt("acme", old, encryption_context=CONTEXT)
            == decrypt("acme", new, encryption_context=CONTEXT)
            == "secret"
        )
        vault.clear_cache()
    assert sorted(row["version"] for row in backend.rows("DataKeysTable")) == [1, 2]


def test_decrypt_fetches_a_newer_key_of_another_process(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    encrypt("acme", "secret", encryption_context=CONTEXT)
    keys = vault._cache["acme"]
    clock.move(91 * DAY)
    newer = encrypt("acme", "new", encryption_context=CONTEXT)
    vault._cache["acme"] = keys
    assert keys.newest == 1
    assert decrypt("acme", newer, encryption_context=CONTEXT) == "new"


@pytest.mark.parametrize("version", [1, 2], ids=["first_key", "rotation"])
def test_concurrent_key_creation_uses_the_winners_key(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    clock = Clock(monkeypatch)
    if version == 2:
        encrypt("acme", "first", encryption_context=CONTEXT)
        clock.move(91 * DAY)
    key = backend.client("kms").generate_data_key(
        KeyId=settings().kms_key_id, KeySpec="AES_256", EncryptionContext={"workspaceId": "acme"}
    )
    row = {
        "workspaceId": "acme",
        "version": version,
        "wrapped": key["CiphertextBlob"],
        "createdAt": clock.now,
    }
    table = settings().data_keys_table
    with meanwhile("dynamodb.PutItem", lambda: _put_as_other_process(backend, table, row)):
        ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    assert vault._cache["acme"].plaintext[version] == key["Plaintext"]
    assert [r for r in backend.rows("DataKeysTable") if r["version"] == version] == [row]
    vault.clear_cache()
    assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == "secret"


def _put_as_other_process(backend: Backend, table: str, row: dynamo.Row) -> None:
    """Write a row with the test's own client, which bypasses the hooks on Patchbay's calls."""
    item = dynamo.pack_row(row) | {"wrapped": {"B": row["wrapped"]}}
    backend.client("dynamodb").put_item(TableName=table, Item=item)


def test_cached_keys_expire_after_data_key_cache_seconds(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    monkeypatch.setattr("patchbay.vault.time", SimpleNamespace(monotonic=lambda: now[0]))
    vault.clear_cache()
    decrypt("acme", ciphertext, encryption_context=CONTEXT)
    backend.calls.clear()
    now[0] += settings().data_key_cache_seconds
    decrypt("acme", ciphertext, encryption_context=CONTEXT)
    encrypt("acme", "secret", encryption_context=CONTEXT)
    assert backend.calls.made == []
    now[0] += 1
    decrypt("acme", ciphertext, encryption_context=CONTEXT)
    assert backend.calls.made == ["dynamodb.Query", "kms.Decrypt"]


def test_cache_evicts_the_least_recently_used_workspace(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "_CACHED_WORKSPACES", 3)
    ciphertexts = {name: encrypt(name, "secret", encryption_context=CONTEXT) for name in "abc"}
    decrypt("a", ciphertexts["a"], encryption_context=CONTEXT)
    encrypt("d", "secret", encryption_context=CONTEXT)
    assert list(vault._cache) == ["c", "a", "d"]
    assert decrypt("b", ciphertexts["b"], encryption_context=CONTEXT) == "secret"
    assert list(vault._cache) == ["a", "d", "b"]


def test_slow_kms_call_does_not_delay_other_workspaces(backend: Backend) -> None:
    ciphertexts = {
        name: encrypt(name, "secret", encryption_context=CONTEXT) for name in ("slow", "cold", "warm")
    }
    vault.clear_cache()
    decrypt("warm", ciphertexts["warm"], encryption_context=CONTEXT)
    called, may_return = threading.Event(), threading.Event()

    def hook(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if service == "kms" and params["EncryptionContext"] == {"workspaceId": "slow"}:
            called.set()
            assert may_return.wait(10)
        return call(params)

    with around_calls(hook), ThreadPoolExecutor() as pool:
        waiting = pool.submit(decrypt, "slow", ciphertexts["slow"], encryption_context=CONTEXT)
        try:
            assert called.wait(10)
            others = [
                pool.submit(decrypt, name, ciphertexts[name], encryption_context=CONTEXT)
                for name in ("warm", "cold")
            ]
            assert [other.result(5) for other in others] == ["secret"] * 2
            assert not waiting.done()
        finally:
            may_return.set()
        assert waiting.result() == "secret"


def test_are_keys_cached_is_false_for_keys_that_need_a_kms_call(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    old = encrypt("acme", "secret", encryption_context=CONTEXT)
    clock.move(91 * DAY)
    new = encrypt("acme", "secret", encryption_context=CONTEXT)
    vault.clear_cache()
    assert not vault.are_keys_cached("acme", [new])
    decrypt("acme", new, encryption_context=CONTEXT)
    assert vault.are_keys_cached("acme", [new])
    assert not vault.are_keys_cached("acme", [new, old])  # KMS has not decrypted the older key yet


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException", "NotFoundException"])
def test_unavailable_kms_key_raises_key_unavailable(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    vault.clear_cache()
    monkeypatch.setitem(faults._ERRORS, ("kms", "disabled"), code)
    for operation, action in (
        ("kms.Decrypt", lambda: decrypt("acme", ciphertext, encryption_context=CONTEXT)),
        ("kms.Decrypt", lambda: encrypt("acme", "other", encryption_context=CONTEXT)),
        ("kms.GenerateDataKey", lambda: encrypt("new", "other", encryption_context=CONTEXT)),
    ):
        with failing(operation, error="disabled"), pytest.raises(KeyUnavailable, match=code) as caught:
            action()
        assert caught.value.status == 502
        assert "No data is lost" in caught.value.detail
    assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == "secret"


def test_kms_key_rotation_keeps_ciphertexts_readable(backend: Backend) -> None:
    """KMS replaces the key material, keeps the key's ID, and still decrypts older data keys."""
    ciphertext = encrypt("acme", "secret", encryption_context=CONTEXT)
    backend.client("kms").enable_key_rotation(KeyId=settings().kms_key_id)
    backend.client("kms").rotate_key_on_demand(KeyId=settings().kms_key_id)
    vault.clear_cache()
    assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == "secret"


def test_encryptor_makes_no_aws_calls(backend: Backend) -> None:
    """It makes none even after its keys leave the cache: its plaintext may exist nowhere else."""
    encrypt_now = vault.encryptor("acme")
    vault.clear_cache()
    backend.calls.clear()
    ciphertext = encrypt_now("secret", CONTEXT)
    assert backend.calls.made == []
    assert decrypt("acme", ciphertext, encryption_context=CONTEXT) == "secret"


def test_hundred_decryptions_make_one_kms_call(backend: Backend) -> None:
    ciphertexts = [encrypt("acme", f"secret {n}", encryption_context=f"{CONTEXT}/{n}") for n in range(100)]
    vault.clear_cache()
    backend.calls.clear()
    assert [
        decrypt("acme", text, encryption_context=f"{CONTEXT}/{n}") for n, text in enumerate(ciphertexts)
    ] == [f"secret {n}" for n in range(100)]
    assert backend.calls.made == ["dynamodb.Query", "kms.Decrypt"]
