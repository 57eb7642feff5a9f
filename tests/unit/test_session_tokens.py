"""The format of the secrets of sessions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.ids import ConnectSessionId, PortalSessionId
from patchbay.sessions import tokens

WORKSPACES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(workspace=WORKSPACES)
def test_token_names_its_row_and_nothing_else(workspace: str) -> None:
    """A workspace's ID may look like the rest of a token."""
    id = ConnectSessionId.new()
    made = tokens.mint("cses", workspace, id)
    parsed = tokens.parse("cses", made.text)
    assert parsed is not None
    assert (parsed.workspace_id, parsed.id(ConnectSessionId)) == (workspace, id)
    assert tokens.matches(parsed, made.hash)
    assert made.hash not in made.text


def test_secret_has_256_bits_and_only_its_hash_is_for_storage() -> None:
    id = PortalSessionId.new()
    secrets = {tokens.mint("pses", "acme", id).text.rpartition("_")[2] for _ in range(200)}
    assert len(secrets) == 200
    assert {len(secret) for secret in secrets} == {43}
    made = tokens.mint("pses", "acme", id)
    assert made.hash == hashlib.sha256(made.text.rpartition("_")[2].encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token + "\n",
        lambda token: token.replace("pses", "cses"),
        lambda token: token.replace("acme", ""),
        lambda token: token.replace("acme", "ac me"),
        lambda token: token.replace("acme", "a" * 65),
        lambda token: token.replace("acme", "acmé"),
        lambda token: token.upper(),
        lambda token: "",
    ],
)
def test_malformed_token_names_nothing(change: object) -> None:
    token = tokens.mint("pses", "acme", PortalSessionId.new()).text
    assert tokens.parse("pses", change(token)) is None  # type: ignore[operator]


def test_a_kind_is_not_another() -> None:
    code = tokens.mint("pcode", "acme", PortalSessionId.new())
    assert tokens.parse("pses", code.text) is None
    assert tokens.parse("pcode", code.text) is not None


def test_secret_without_a_stored_hash_never_matches() -> None:
    parsed = tokens.parse("pses", tokens.mint("pses", "acme", PortalSessionId.new()).text)
    assert parsed is not None
    assert not tokens.matches(parsed, None)
    assert not tokens.matches(parsed, "")
