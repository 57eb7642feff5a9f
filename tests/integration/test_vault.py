"""Envelope encryption against moto's KMS and the table of data keys."""

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


def test_what_was_encrypted_is_read_back(backend: Backend) -> None:
    for plaintext in ("", "whsec_abc", "Grüße 🎈\x00", "x" * 100_000):
        sealed = encrypt("acme", plaintext, encryption_context=CONTEXT)
        assert plaintext == "" or plaintext not in sealed
        assert decrypt("acme", sealed, encryption_context=CONTEXT) == plaintext
        vault.clear_cache()
        assert decrypt("acme", sealed, encryption_context=CONTEXT) == plaintext
    assert encrypt("acme", "same", encryption_context=CONTEXT) != encrypt(
        "acme", "same", encryption_context=CONTEXT
    )


def test_a_ciphertext_that_was_moved_does_not_open(backend: Backend) -> None:
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    encrypt("other", "secret", encryption_context=CONTEXT)
    for workspace, place in (
        ("acme", "webhooks/whk_2/secret"),
        ("acme", "webhooks/whk_1/headers"),
        ("other", CONTEXT),
        ("never-seen", CONTEXT),
    ):
        with pytest.raises(DecryptionFailed):
            decrypt(workspace, sealed, encryption_context=place)


def test_a_damaged_ciphertext_does_not_open(backend: Backend) -> None:
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    form, version, text = sealed.split(".")
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
    for at in (0, 11, 12, len(raw) - 1):  # nonce, text, tag
        flipped = bytearray(raw)
        flipped[at] ^= 1
        damaged.append(f"{form}.{version}.{base64.urlsafe_b64encode(flipped).decode()}")
    damaged.append(f"{form}.{version}.{base64.urlsafe_b64encode(raw[:-1]).decode()}")
    for ciphertext in damaged:
        with pytest.raises(DecryptionFailed):
            decrypt("acme", ciphertext, encryption_context=CONTEXT)


def test_kms_unwraps_a_data_key_for_its_workspace_only(backend: Backend) -> None:
    """Also when its row was copied to another workspace by someone who can write the table."""
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    (row,) = backend.rows("DataKeysTable")
    dynamo.put(settings().data_keys_table, {**row, "workspaceId": "thief"})
    with pytest.raises(DecryptionFailed):
        decrypt("thief", sealed, encryption_context=CONTEXT)
    blob = base64.b64encode(row["wrapped"]).decode()
    with pytest.raises(aws.ServiceError, match="InvalidCiphertext"):
        aws.call("kms", "Decrypt", {"CiphertextBlob": blob, "KeyId": settings().kms_key_id})


def test_no_key_and_no_secret_lies_in_the_clear(backend: Backend) -> None:
    encrypt("acme", "secret", encryption_context=CONTEXT)
    (row,) = backend.rows("DataKeysTable")
    assert row.keys() == {"workspaceId", "version", "wrapped", "createdAt"}
    keys = vault._cache["acme"]
    (plain,) = keys.plain.values()
    assert len(plain) == 32
    assert plain not in row["wrapped"]
    assert repr(plain) not in repr(keys)


def test_a_new_version_after_90_days_and_the_old_one_still_reads(
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


def test_a_process_reads_what_another_encrypted_with_a_newer_key(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    encrypt("acme", "secret", encryption_context=CONTEXT)
    here = vault._cache["acme"]
    clock.move(91 * DAY)
    newer = encrypt("acme", "new", encryption_context=CONTEXT)
    vault._cache["acme"] = here
    assert here.newest == 1
    assert decrypt("acme", newer, encryption_context=CONTEXT) == "new"


@pytest.mark.parametrize("version", [1, 2], ids=["the_first_key", "a_rotation"])
def test_of_two_processes_that_make_a_key_at_once_the_loser_uses_the_winners(
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
    with meanwhile("dynamodb.PutItem", lambda: _put_aside(backend, table, row)):
        sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    assert vault._cache["acme"].plain[version] == key["Plaintext"]
    assert [r for r in backend.rows("DataKeysTable") if r["version"] == version] == [row]
    vault.clear_cache()
    assert decrypt("acme", sealed, encryption_context=CONTEXT) == "secret"


def _put_aside(backend: Backend, table: str, row: dynamo.Row) -> None:
    """A write of another process: by another client, so that no hook sees it."""
    item = dynamo.pack_row(row) | {"wrapped": {"B": row["wrapped"]}}
    backend.client("dynamodb").put_item(TableName=table, Item=item)


def test_keys_stay_in_memory_for_as_long_as_the_setting_says(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    monkeypatch.setattr("patchbay.vault.time", SimpleNamespace(monotonic=lambda: now[0]))
    vault.clear_cache()
    decrypt("acme", sealed, encryption_context=CONTEXT)
    backend.calls.clear()
    now[0] += settings().data_key_cache_seconds
    decrypt("acme", sealed, encryption_context=CONTEXT)
    encrypt("acme", "secret", encryption_context=CONTEXT)
    assert backend.calls.made == []
    now[0] += 1
    decrypt("acme", sealed, encryption_context=CONTEXT)
    assert backend.calls.made == ["dynamodb.Query", "kms.Decrypt"]


def test_memory_holds_a_bounded_number_of_workspaces(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was used longest ago goes first."""
    monkeypatch.setattr(vault, "_CACHED_WORKSPACES", 3)
    sealed = {name: encrypt(name, "secret", encryption_context=CONTEXT) for name in "abc"}
    decrypt("a", sealed["a"], encryption_context=CONTEXT)
    encrypt("d", "secret", encryption_context=CONTEXT)
    assert list(vault._cache) == ["c", "a", "d"]
    assert decrypt("b", sealed["b"], encryption_context=CONTEXT) == "secret"
    assert list(vault._cache) == ["a", "d", "b"]


def test_a_key_that_kms_is_slow_to_give_delays_no_other_workspace(backend: Backend) -> None:
    sealed = {name: encrypt(name, "secret", encryption_context=CONTEXT) for name in ("slow", "cold", "warm")}
    vault.clear_cache()
    decrypt("warm", sealed["warm"], encryption_context=CONTEXT)
    asked, answers = threading.Event(), threading.Event()

    def hook(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if service == "kms" and params["EncryptionContext"] == {"workspaceId": "slow"}:
            asked.set()
            assert answers.wait(10)
        return call(params)

    with around_calls(hook), ThreadPoolExecutor() as pool:
        waiting = pool.submit(decrypt, "slow", sealed["slow"], encryption_context=CONTEXT)
        try:
            assert asked.wait(10)
            others = [
                pool.submit(decrypt, name, sealed[name], encryption_context=CONTEXT)
                for name in ("warm", "cold")
            ]
            assert [each.result(5) for each in others] == ["secret"] * 2
            assert not waiting.done()
        finally:
            answers.set()
        assert waiting.result() == "secret"


def test_what_opens_at_once_makes_no_call(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    old = encrypt("acme", "secret", encryption_context=CONTEXT)
    clock.move(91 * DAY)
    new = encrypt("acme", "secret", encryption_context=CONTEXT)
    vault.clear_cache()
    assert not vault.are_keys_cached("acme", [new])
    decrypt("acme", new, encryption_context=CONTEXT)
    assert vault.are_keys_cached("acme", [new])
    assert not vault.are_keys_cached("acme", [new, old])  # KMS has not been asked for the older key


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException", "NotFoundException"])
def test_a_key_that_kms_does_not_let_us_use_is_a_clear_error_and_nothing_is_lost(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    vault.clear_cache()
    monkeypatch.setitem(faults._ERRORS, ("kms", "disabled"), code)
    for operation, work in (
        ("kms.Decrypt", lambda: decrypt("acme", sealed, encryption_context=CONTEXT)),
        ("kms.Decrypt", lambda: encrypt("acme", "other", encryption_context=CONTEXT)),
        ("kms.GenerateDataKey", lambda: encrypt("new", "other", encryption_context=CONTEXT)),
    ):
        with failing(operation, error="disabled"), pytest.raises(KeyUnavailable, match=code) as caught:
            work()
        assert caught.value.status == 502
        assert "Nothing is lost" in caught.value.detail
    assert decrypt("acme", sealed, encryption_context=CONTEXT) == "secret"


def test_a_rotation_of_the_kms_key_keeps_old_rows_readable(backend: Backend) -> None:
    """KMS rotates its key's material beneath the same key id; what was wrapped before opens still."""
    sealed = encrypt("acme", "secret", encryption_context=CONTEXT)
    backend.client("kms").enable_key_rotation(KeyId=settings().kms_key_id)
    backend.client("kms").rotate_key_on_demand(KeyId=settings().kms_key_id)
    vault.clear_cache()
    assert decrypt("acme", sealed, encryption_context=CONTEXT) == "secret"


def test_a_sealer_asks_nothing_of_aws(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the keys have gone stale since: what it seals may exist nowhere else."""
    seal = vault.sealer("acme")
    vault.clear_cache()
    backend.calls.clear()
    sealed = seal("secret", CONTEXT)
    assert backend.calls.made == []
    assert decrypt("acme", sealed, encryption_context=CONTEXT) == "secret"


def test_a_hundred_reads_of_a_workspaces_secrets_are_one_kms_call(backend: Backend) -> None:
    sealed = [encrypt("acme", f"secret {n}", encryption_context=f"{CONTEXT}/{n}") for n in range(100)]
    vault.clear_cache()
    backend.calls.clear()
    assert [decrypt("acme", text, encryption_context=f"{CONTEXT}/{n}") for n, text in enumerate(sealed)] == [
        f"secret {n}" for n in range(100)
    ]
    assert backend.calls.made == ["dynamodb.Query", "kms.Decrypt"]
