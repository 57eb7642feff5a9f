"""What a provider's answer means: pure, so that each provider's quirk is a test without a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import accumulate
from typing import Any
from urllib.parse import quote, quote_plus

from patchbay.api_model import MASK, plain, tidy
from patchbay.oauth.token_body import without_tokens
from patchbay.providers import error_codes
from patchbay.providers.error_codes import folded
from patchbay.providers.provider import FollowUp, Kept, OAuth, at_host

# The provider refuses. Others (404, 405, 3xx) say that the address is wrong or has moved.
_REFUSING = frozenset({400, 401, 403, 410, 422})
# What they answer says nothing of the server behind them: it may have done its work.
_GATEWAYS = frozenset({502, 504})
# RFC 6749, A.12 and A.17. It goes into a header.
_TOKEN = re.compile(r"[\x20-\x7e]{1,16384}")
_SCOPE = re.compile(r"[\x21-\x7e]{1,512}")
_MAX_TEXT = 300
_MAX_DATE = 64
_MAX_KEPT = 1024
_MAX_FIELDS = 200  # of an object whose fields are looked for in other spellings
_DECIMAL = re.compile(r"\s*\d{1,12}\.\d{1,12}\s*")
# Of all scopes together. More than an integration can ask for: 100 of 256 characters.
_MAX_SCOPES_BYTES = 32 * 1024
# Who says longer means for ever, or does not count in seconds.
_LONGEST_SECONDS = 10 * 365 * 86_400
_LATEST_SECONDS = 4_102_444_800  # 2100-01-01
# From here on a number is a moment, not a lifetime: 2001 in Unix seconds, and in Unix milliseconds.
_FIRST_MOMENT = 1_000_000_000
_FIRST_MOMENT_MS = 1_000_000_000_000
# Fields that say when an access token ends, in the order in which they count. `.expires` (ASP.NET) folds to
# `expires`; Azure's ext_expires_in is for outages, and longer than the others.
_LIFETIME_FIELDS = """
    expires_in expire_in access_token_expires_in token_expires_in expires_in_seconds
    expires_at expire_at expires_on access_token_expires_at access_token_expires_on token_expires_at
    token_expires_on token_expiry expires expiry expiry_date expires_date expiration expiration_date
    expiration_time expire_time expires_time access_token_expiration access_token_expires ext_expires_in
"""
_LIFETIMES = [folded(name) for name in _LIFETIME_FIELDS.split()]
# Slack says whose the token is. It is a bearer token all the same.
_BEARER = frozenset({"bearer", "bot", "user", "bearertoken"})
_NO_TOKEN = frozenset({"null", "undefined", "none", "nil"})
# How a success says in its body that it is none: {"success": false}, {"status": "error"}.
_VERDICTS = ("success", "ok", "status")
_FAILURES = frozenset({"false", "error", "fail", "failed", "failure"})
# Words that speak of a success, or hold a token in a form that is not known.
_NO_COMPLAINT = re.compile(r"\bsuccess|token[\"'\s]{0,5}[:=]", re.IGNORECASE)


class NoToken(Exception):
    """No token came. `unclear` says that the provider refused without a known reason, so the grant may be
    over; `retry_after` is the wait in seconds that the provider asks for.
    """

    def __init__(self, text: str, *, unclear: bool = False, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.unclear = unclear
        self.retry_after = retry_after


class Unusable(NoToken):
    """No answer that says yes or no. `reason` is for people; `lost` says that the request may have been
    worked all the same, and only its answer was lost.
    """

    def __init__(
        self, reason: str, *, lost: bool = True, unclear: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(reason, unclear=unclear, retry_after=retry_after)
        self.reason = reason
        self.lost = lost


class Refused(NoToken):
    """The provider's no. `ended` means that this grant is over for good (`invalid_grant`)."""

    def __init__(
        self,
        code: str,
        description: str,
        *,
        ended: bool,
        unclear: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(
            f"{code}: {description}" if description else code, unclear=unclear, retry_after=retry_after
        )
        self.code = code
        self.description = description
        self.ended = ended


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a connection works with. `expires_in` in seconds, None where the provider does not say;
    `expires_at_ms` where it gave a moment instead, `zone_unknown` if that moment came without a timezone.
    """

    access_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105  # a kind, no secret
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    expires_at_ms: int | None = None
    zone_unknown: bool = False
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
            zone_unknown=self.zone_unknown and expires_at is None,
            account_id=_shown(_at(payload, follow_up.account_id)) or self.account_id,
            account_label=_shown(_at(payload, follow_up.account_label)) or self.account_label,
            metadata={**self.metadata, **_kept(payload, follow_up.metadata)},
        )


def standard(oauth: OAuth, status: int, payload: Any) -> dict[str, Any]:
    """A token endpoint's answer in the shape of RFC 6749, 5.1, with `expires_at_ms` instead of `expires_in`
    if it names a moment, and `zone_unknown` if that moment has no timezone.

    Raises Refused for an error, with the code `invalid_grant` if it means that; Unusable for an answer that
    is neither a token nor an error.
    """
    if status >= 500 or status == 429:
        raise Unusable(f"HTTP {status}", lost=status in _GATEWAYS)
    if not isinstance(payload, Mapping):
        raise Unusable(f"HTTP {status} without a readable body", lost=status < 300)
    holder = next((at for at in _holders(payload, oauth.token_in) if _text(_get(at, "access_token"))), None)
    if holder is None or not 200 <= status < 300:
        raise _no(oauth, status, payload)
    kind = _shown(_get(holder, "token_type"))
    token: dict[str, Any] = {
        "access_token": _token(_get(holder, "access_token")),
        "token_type": "Bearer" if kind is None or folded(kind) in _BEARER else kind,
    }
    refresh_token = _text(_get(holder, "refresh_token"))
    if refresh_token is not None and refresh_token.strip().lower() not in _NO_TOKEN:
        token["refresh_token"] = _token(refresh_token)
    token |= _lifetime(holder)
    scopes = _scopes(_at(holder, oauth.scope_path)) or _scopes(_get(holder, "scopes"))
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
        expires_at_ms=token.get("expires_at_ms"),
        zone_unknown=token.get("zone_unknown", False),
        scopes=None if scope is None else tuple(scope.split()),
        account_id=_shown(_at(payload, oauth.account_id)),
        account_label=_shown(_at(payload, oauth.account_label)),
        metadata=_kept(payload, oauth.metadata),
    )


def check_revoked(oauth: OAuth, status: int, payload: Any) -> None:
    """Raises Unusable when the answer to a revocation is a no; that there was nothing to revoke is none."""
    codes = _codes(oauth, payload)
    gone = error_codes.GONE.union(map(folded, oauth.errors.ended))
    if not gone.isdisjoint(map(folded, codes)):
        return
    if codes or not 200 <= status < 300:
        raise Unusable(codes[0] if codes else f"HTTP {status}")


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
    # Once more without the marks that nobody sees, which may have stood inside a secret.
    for prepare in (str, tidy):
        shown = prepare(shown)
        for spelt in sorted(spellings, key=len, reverse=True):  # one may hold another
            shown = shown.replace(spelt, MASK)
    return _line(shown)


def _no(oauth: OAuth, status: int, payload: Mapping[str, Any]) -> NoToken:
    """The meaning of an answer without a token."""
    codes, descriptions = _codes(oauth, payload), _texts(payload, oauth.errors.descriptions)
    said = {folded(text) for text in [*codes, *descriptions]}
    said |= {folded(f"{code}: {text}") for code in codes for text in descriptions}
    is_success = 200 <= status < 300
    said_no = is_success and _says_no(payload)
    if is_success:
        # The token may be where nobody expects it.
        codes, descriptions = list(map(without_tokens, codes)), list(map(without_tokens, descriptions))
    description = descriptions[0] if descriptions else ""
    explained = f"{codes[0]}: {description}" if codes and description else codes[0] if codes else description
    if not said.isdisjoint(error_codes.PASSING.union(map(folded, oauth.errors.passing))):
        return Unusable(explained, lost=False)
    # An end with a status such as 404 may come from a gateway: it counts, but does not suffice.
    can_refuse = status in _REFUSING or is_success
    sounds_over = _sounds_over(said, [*codes, *descriptions])
    if not said.isdisjoint(map(folded, oauth.errors.ended)) or (can_refuse and sounds_over):
        word = codes[0] if codes and folded(codes[0]) != "invalidgrant" else ""
        return Refused("invalid_grant", f"{word} {description}".strip(), ended=True)
    if not codes:
        reason = f"HTTP {status} with neither a token nor an error"
        return Unusable(
            f"{reason}: {description}" if description and (said_no or not is_success) else reason,
            lost=is_success and not said_no,
            unclear=status in _REFUSING or said_no or sounds_over or (is_success and _complains(description)),
        )
    is_ours = not said.isdisjoint(error_codes.CLIENT_FAULTS | error_codes.REQUEST_FAULTS)
    is_no = (can_refuse and not is_ours) or sounds_over
    return Refused(codes[0], description, ended=False, unclear=is_no)


def _complains(words: str) -> bool:
    """Whether the words of a success without a token, masked, can be a no."""
    return (
        words.strip().lower() not in {"", *error_codes.NO_ERROR}
        and MASK not in words
        and _NO_COMPLAINT.search(words) is None
    )


def _says_no(payload: Mapping[str, Any]) -> bool:
    found = [_get(payload, name) for name in _VERDICTS]
    return any(
        value is False or (isinstance(value, str) and value.strip().lower() in _FAILURES) for value in found
    )


def _sounds_over(said: set[str], texts: list[str]) -> bool:
    if not said.isdisjoint(error_codes.CLIENT_FAULTS):
        return False
    if not said.isdisjoint(error_codes.GRANT_ENDED):
        return True
    if any(error_codes.DOUBT_WORDS.search(text) for text in texts):
        return False
    return not said.isdisjoint(error_codes.ENDED) or any(
        error_codes.ENDED_WORDS.search(text) for text in texts
    )


def _codes(oauth: OAuth, payload: Any) -> list[str]:
    return [
        code
        for code in _texts(payload, oauth.errors.codes)
        if code.strip().lower() not in error_codes.NO_ERROR
    ]


def _texts(payload: Any, paths: Iterable[str]) -> list[str]:
    return [text for path in paths if (text := _text(_at(payload, path))) is not None]


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
            value = _get(value, step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _get(holder: Mapping[str, Any], name: str) -> Any:
    """The field of that name, or else of another spelling of it (`accessToken`)."""
    value = holder.get(name)
    if value is not None or len(holder) > _MAX_FIELDS:
        return value
    wanted = folded(name)
    return next(
        (found for key, found in holder.items() if found is not None and folded(str(key)) == wanted), None
    )


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return None


def _line(text: str) -> str:
    """On one line of bounded length, without control or invisible characters."""
    shown = tidy(text)
    return shown if len(shown) <= _MAX_TEXT else tidy(shown[: _MAX_TEXT - 1]) + "…"


def _shown(value: Any) -> str | None:
    text = _text(value)
    return None if text is None else _line(text) or None


def _token(value: Any) -> str:
    text = (_text(value) or "").strip()
    if not _TOKEN.fullmatch(text):
        raise Unusable("a token that is too long, or has other than printable ASCII characters")
    return text


def _scopes(value: Any) -> list[str]:
    """The valid scopes that fit the bound. In a text, spaces or commas may separate them."""
    entries = value if isinstance(value, list) else re.split(r"[\s,]+", _text(value) or "")
    scopes = dict.fromkeys(entry for entry in entries if isinstance(entry, str) and _SCOPE.fullmatch(entry))
    ends = accumulate(len(scope) + 1 for scope in scopes)
    return [scope for scope, end in zip(scopes, ends, strict=True) if end <= _MAX_SCOPES_BYTES]


def _lifetime(holder: Mapping[str, Any]) -> dict[str, Any]:
    """`expires_in` or `expires_at_ms`, from the first field that says when the token ends. Servers mix them
    up, so the value decides: a date, a number that is a moment, or else seconds.
    """
    fields = {folded(str(name)): value for name, value in holder.items() if value is not None}
    for value in map(fields.get, _LIFETIMES):
        zone_unknown = False
        number = _number(value)
        if number is None:
            moment, zone_unknown = _date_ms(value)
        elif _FIRST_MOMENT <= number <= _LATEST_SECONDS:
            moment = number * 1000
        elif _FIRST_MOMENT_MS <= number <= _LATEST_SECONDS * 1000:
            moment = number
        else:
            return {"expires_in": min(number, _LONGEST_SECONDS)}
        if moment is not None:
            return {"expires_at_ms": moment} | ({"zone_unknown": True} if zone_unknown else {})
    return {}


def _date_ms(value: Any) -> tuple[int | None, bool]:
    """A date in ISO 8601 or RFC 9110, and whether its timezone is unknown; it is then read as UTC. None for a
    date that stands for "never": the year 1 or 9999.
    """
    if not isinstance(value, str) or len(value) > _MAX_DATE:
        return None, False
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None, False
    zone_unknown = moment.tzinfo is None
    try:
        seconds = (moment.replace(tzinfo=UTC) if zone_unknown else moment).timestamp()
    except (ValueError, OverflowError):
        return None, False
    is_moment = _FIRST_MOMENT <= seconds <= _LATEST_SECONDS
    return (int(seconds * 1000) if is_moment else None), zone_unknown


def _number(value: Any, most: int | None = None) -> int | None:
    """A whole number above 0 (Mailchimp says 0 and means never), and no more than `most`."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value)
    except (ValueError, OverflowError):
        return None
    return number if number > 0 and (most is None or number <= most) else None


def _is_keepable(text: str | None) -> bool:
    try:
        return text is not None and len(text) <= _MAX_KEPT and plain(text) == text
    except ValueError:
        return False


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
