"""What a provider's answer means: pure, so that each provider's quirk is a test without a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any
from urllib.parse import quote, quote_plus

from patchbay.providers.provider import FollowUp, Kept, OAuth, at_host
from patchbay.schema import MASK

# RFC 6749, 5.2, and 4.1.2.1: it is not the grant's fault, and passes.
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
# What they answer says nothing of the server behind them: it may have done its work.
_GATEWAYS = frozenset({502, 504})
# RFC 6749, A.12 and A.17. It goes into a header.
_TOKEN = re.compile(r"[\x20-\x7e]{1,16384}")
_SCOPE = re.compile(r"[\x21-\x7e]{1,512}")
_MAX_TEXT = 300
_MAX_KEPT = 1024
# Of all scopes together. More than an integration can ask for: 100 of 256 characters.
_MAX_SCOPES_BYTES = 32 * 1024
# Who says longer means for ever, or does not count in seconds.
_LONGEST_SECONDS = 10 * 365 * 86_400
_LATEST_SECONDS = 4_102_444_800  # 2100-01-01
# Slack says whose the token is. It is a bearer token all the same.
_BEARER = frozenset({"bearer", "bot", "user"})
# To whoever revokes, a token that is not known is as good as revoked (RFC 7009, 2.2).
_GONE = frozenset({"invalid_grant", "invalid_token"})


class Unusable(Exception):
    """No answer that says yes or no. `reason` is for people; `lost` says that the request may have been
    worked all the same, and only its answer was lost.
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
        expires_at = _number(_at(payload, follow_up.expires_at), _LATEST_SECONDS)
        return replace(
            self,
            expires_at_ms=self.expires_at_ms if expires_at is None else expires_at * 1000,
            account_id=_shown(_at(payload, follow_up.account_id)) or self.account_id,
            account_label=_shown(_at(payload, follow_up.account_label)) or self.account_label,
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
    if holder is None or not 200 <= status < 300:
        return _error(oauth, status, payload)
    kind = _shown(holder.get("token_type"))
    token: dict[str, Any] = {
        "access_token": _token(holder["access_token"]),
        "token_type": "Bearer" if kind is None or kind.lower() in _BEARER else kind,
    }
    if _text(holder.get("refresh_token")):
        token["refresh_token"] = _token(holder["refresh_token"])
    expires_in = _number(holder.get("expires_in"))
    if expires_in is not None:
        token["expires_in"] = min(expires_in, _LONGEST_SECONDS)
    scopes = _scopes(_at(holder, oauth.scope_path))
    if scopes:
        token["scope"] = " ".join(scopes)
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
        scopes=None if scope is None else tuple(scope.split()),
        account_id=_shown(_at(payload, oauth.account_id)),
        account_label=_shown(_at(payload, oauth.account_label)),
        metadata=_kept(payload, oauth.metadata),
    )


def check_revoked(oauth: OAuth, status: int, payload: Any) -> None:
    """Raises Unusable when the answer to a revocation is a no; that there was nothing to revoke is none."""
    code = _first(payload, oauth.errors.codes)
    if code in _GONE or code in oauth.errors.ended:
        return
    if code is not None or not 200 <= status < 300:
        raise Unusable(code or f"HTTP {status}")


def clean(text: Any, secrets: Iterable[str | None] = ()) -> str:
    """A provider's words as they may be shown: one line of bounded length, without the secrets that we sent
    it and without what could pass for something else.
    """
    if not isinstance(text, str | int | float):
        return ""
    shown = str(text)
    spellings = {
        spelt for secret in secrets if secret for spelt in (secret, quote(secret, ""), quote_plus(secret))
    }
    for spelt in sorted(spellings, key=len, reverse=True):  # one may hold another
        shown = shown.replace(spelt, MASK)
    return _line(shown)


def _error(oauth: OAuth, status: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    code = _first(payload, oauth.errors.codes)
    if code is None:
        raise Unusable(f"HTTP {status} with neither a token nor an error", lost=status < 300)
    description = _first(payload, oauth.errors.descriptions) or ""
    said = {code, f"{code}: {description}"}
    if code in _PASSING or said.intersection(oauth.errors.passing):
        raise Unusable(f"{code}: {description}" if description else code, lost=False)
    if said.intersection(oauth.errors.ended):
        code, description = "invalid_grant", f"{code} {description}".strip()
    return {"error": code, "error_description": description}


def _first(payload: Any, paths: Iterable[str]) -> str | None:
    return next(filter(None, (_text(_at(payload, path)) for path in paths)), None)


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
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return None


def _line(text: str) -> str:
    """On one line of bounded length, without controls, marks that turn the text's direction, and halves of
    characters.
    """
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return shown if len(shown) <= _MAX_TEXT else shown[: _MAX_TEXT - 1] + "…"


def _shown(value: Any) -> str | None:
    text = _text(value)
    return None if text is None else _line(text) or None


def _token(value: Any) -> str:
    text = _text(value)
    if text is None or not _TOKEN.fullmatch(text):
        raise Unusable("a token that is too long, or has other than printable ASCII characters")
    return text


def _scopes(value: Any) -> list[str]:
    """Without what cannot be one, and without those that exceed the bound; in a text they are separated by
    spaces or commas, whichever was asked.
    """
    entries = value if isinstance(value, list) else re.split(r"[\s,]+", _text(value) or "")
    scopes = dict.fromkeys(entry for entry in entries if isinstance(entry, str) and _SCOPE.fullmatch(entry))
    ends = accumulate(len(scope) + 1 for scope in scopes)
    return [scope for scope, end in zip(scopes, ends, strict=True) if end <= _MAX_SCOPES_BYTES]


def _number(value: Any, most: int | None = None) -> int | None:
    """A whole number above 0 (Mailchimp says 0 and means never), and no more than `most`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if number > 0 and (most is None or number <= most) else None


def _is_keepable(text: str | None) -> bool:
    return text is not None and text.isprintable() and len(text) <= _MAX_KEPT


def _kept(payload: Any, wanted: Mapping[str, Kept]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kept in wanted.items():
        value = _at(payload, kept.path)
        if value is None:
            continue
        if kept.hosts is not None:
            if not at_host(value, kept.hosts):
                raise Unusable(f"the answer's {kept.path} is not one of the provider's own addresses")
            found[name] = value.rstrip("/")
        elif isinstance(value, bool) or _is_keepable(_text(value)):
            found[name] = value
    return found
