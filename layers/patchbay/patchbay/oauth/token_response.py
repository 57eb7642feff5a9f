"""What a provider's answer means: pure, so that each provider's quirk is a test without a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from patchbay.providers.provider import FollowUp, Kept, OAuth, at_host
from patchbay.schema import MASK

# RFC 6749, 5.2, and 4.1.2.1: it is not the grant's fault, and passes.
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
# What they answer says nothing of the server behind them: it may have done its work.
_GATEWAYS = frozenset({502, 504})
_MAX_TOKEN = 16_384
_MAX_TEXT = 300
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u1fff\u2010-\u2027\u2030-\u205e\u3000-\ud7ff]+")


class Unusable(Exception):
    """No answer that says yes or no. `reason` is for people; `lost` says that the request may have been worked
    all the same, and only its answer was lost.
    """

    def __init__(self, reason: str, *, lost: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lost = lost


class Refused(Exception):
    """The provider's no. `ended` means that this grant is over for good (`invalid_grant`)."""

    def __init__(self, code: str, description: str, *, ended: bool) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.ended = ended


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a connection works with. `expires_in` in seconds, None where the provider does not say;
    `expires_at_ms` where it gave a moment instead.
    """

    access_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105  # a kind, no secret
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    expires_at_ms: int | None = None
    scopes: tuple[str, ...] | None = None
    account_id: str | None = None
    account_label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def with_follow_up(self, follow_up: FollowUp, payload: Any) -> TokenSet:
        """With what a follow-up's answer tells. Raises Unusable for a host that is not the provider's."""
        expires_at = _number(_at(payload, follow_up.expires_at))
        return replace(
            self,
            expires_at_ms=self.expires_at_ms if expires_at is None else expires_at * 1000,
            account_id=_text(_at(payload, follow_up.account_id)) or self.account_id,
            account_label=_text(_at(payload, follow_up.account_label)) or self.account_label,
            metadata={**self.metadata, **_kept(payload, follow_up.metadata)},
        )


def standard(oauth: OAuth, status: int, payload: Any) -> dict[str, Any]:
    """A token endpoint's answer in the shape of RFC 6749: of 5.1 when it has a token, else of 5.2.

    A code that means the grant is over becomes `invalid_grant`. Raises Unusable for what is neither.
    """
    if status >= 500 or status == 429:
        raise Unusable(f"HTTP {status}", lost=status in _GATEWAYS)
    if not isinstance(payload, Mapping):
        raise Unusable(f"HTTP {status} without a JSON object", lost=status < 300)
    holder = next((at for at in _holders(payload, oauth.token_in) if _text(at.get("access_token"))), None)
    if holder is None or status >= 400:
        return _error(oauth, status, payload)
    token: dict[str, Any] = {"access_token": holder["access_token"]}
    if len(token["access_token"]) > _MAX_TOKEN:
        raise Unusable("an access token that is too long")
    token["token_type"] = _text(holder.get("token_type")) or "Bearer"
    if _text(holder.get("refresh_token")):
        token["refresh_token"] = holder["refresh_token"]
    expires_in = _number(holder.get("expires_in"))
    if expires_in is not None and expires_in > 0:  # Mailchimp says 0 and means never
        token["expires_in"] = expires_in
    scope = holder.get(oauth.scope_path)
    if isinstance(scope, list):
        scope = " ".join(str(entry) for entry in scope)
    if _text(scope):
        token["scope"] = scope
    return token


def token_set(oauth: OAuth, token: Mapping[str, Any], payload: Mapping[str, Any]) -> TokenSet:
    """The token of `standard`, and what else the whole answer tells. Raises Unusable for a host that is not
    the provider's.
    """
    scope = token.get("scope")
    return TokenSet(
        access_token=token["access_token"],
        token_type=token["token_type"],
        refresh_token=token.get("refresh_token"),
        expires_in=token.get("expires_in"),
        scopes=None if scope is None else tuple(dict.fromkeys(re.split(r"[ ,]+", scope.strip()))),
        account_id=_text(_at(payload, oauth.account_id)),
        account_label=_text(_at(payload, oauth.account_label)),
        metadata=_kept(payload, oauth.metadata),
    )


def clean(text: Any, secrets: Iterable[str | None] = ()) -> str:
    """A provider's words as they may be shown: one line of bounded length, without the secrets that we sent
    it and without what could pass for something else.
    """
    if not isinstance(text, str | int | float):
        return ""
    shown = str(text)
    for secret in secrets:
        if secret:
            shown = shown.replace(secret, MASK)
    shown = " ".join(_UNPRINTABLE.sub(" ", shown).split())
    return shown if len(shown) <= _MAX_TEXT else shown[: _MAX_TEXT - 1] + "…"


def _error(oauth: OAuth, status: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    code = next(filter(None, (_text(_at(payload, path)) for path in oauth.errors.codes)), None)
    if code is None:
        raise Unusable(f"HTTP {status} with neither a token nor an error", lost=status < 300)
    if code in _PASSING:
        raise Unusable(code, lost=False)
    description = next(filter(None, (_text(_at(payload, path)) for path in oauth.errors.descriptions)), "")
    if code in oauth.errors.ended:
        code, description = "invalid_grant", f"{code} {description}".strip()
    return {"error": code, "error_description": description}


def _holders(payload: Mapping[str, Any], paths: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    for path in paths:
        holder = _at(payload, path)
        if isinstance(holder, Mapping):
            yield holder


def _at(value: Any, path: str | None) -> Any:
    """What stands at a dot path; a number picks from a list. None where nothing does."""
    if path is None:
        return None
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _kept(payload: Any, wanted: Mapping[str, Kept]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kept in wanted.items():
        value = _at(payload, kept.path)
        if value is None:
            continue
        if kept.hosts is not None and not at_host(value, kept.hosts):
            raise Unusable(f"the answer's {kept.path} is not one of the provider's own addresses")
        if isinstance(value, str | int | float | bool) and len(str(value)) <= 1024:
            found[name] = value.rstrip("/") if kept.hosts is not None else value
    return found
