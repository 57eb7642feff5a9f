"""Interprets providers' responses: value → TokenSet, or an error. Pure, so each provider's quirks can be
tested without a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from patchbay.api_model import MASK, check_plain_text, to_label
from patchbay.oauth.token_body import mask_tokens
from patchbay.providers import error_codes
from patchbay.providers.error_codes import normalize
from patchbay.providers.provider import FollowUpRequest, MetadataField, OAuth, is_at_host

# The statuses of a denial. Others (404, 405, 3xx) say that the URL is wrong or has moved.
_DENIAL_STATUSES = frozenset({400, 401, 403, 410, 422})
# These say nothing about the server behind the gateway: it may have processed the request.
_GATEWAY_STATUSES = frozenset({502, 504})
# RFC 6749, A.12 and A.17. A token goes into a header.
_TOKEN = re.compile(r"[\x20-\x7e]{1,16384}")
_SCOPE = re.compile(r"[\x21-\x7e]{1,512}")
_MAX_TEXT = 300
_MAX_DATE = 64
_MAX_METADATA_TEXT = 1024
_MAX_FIELDS = 200  # the most in an object that is searched for other spellings of a field
_DECIMAL = re.compile(r"\s*\d{1,12}\.\d{1,12}\s*")
# The limit for all scopes together: more than an integration can request (100 of 256 characters).
_MAX_SCOPES_BYTES = 32 * 1024
# A longer lifetime means "never expires", or is not in seconds.
_MAX_LIFETIME_SECONDS = 10 * 365 * 86_400
_MAX_TIMESTAMP = 4_102_444_800  # 2100-01-01
# From this value on, a number is a timestamp, not a lifetime: 2001 in Unix seconds, and in Unix milliseconds.
_MIN_TIMESTAMP = 1_000_000_000
_MIN_TIMESTAMP_MS = 1_000_000_000_000
# Fields with the expiry of an access token, in order of precedence. `.expires` (ASP.NET) normalizes to
# `expires`. Azure's ext_expires_in is for outages, and longer than the others.
_EXPIRY_FIELDS = """
    expires_in expire_in access_token_expires_in token_expires_in expires_in_seconds
    expires_at expire_at expires_on access_token_expires_at access_token_expires_on token_expires_at
    token_expires_on token_expiry expires expiry expiry_date expires_date expiration expiration_date
    expiration_time expire_time expires_time access_token_expiration access_token_expires ext_expires_in
"""
_EXPIRIES = [normalize(name) for name in _EXPIRY_FIELDS.split()]
# Slack puts the token's owner here. The token is still a bearer token.
_BEARER_TYPES = frozenset({"bearer", "bot", "user", "bearertoken"})
_NULL_TOKENS = frozenset({"null", "undefined", "none", "nil"})
# How a body with a success status indicates a failure: {"success": false}, {"status": "error"}.
_OUTCOME_FIELDS = ("success", "ok", "status")
_FAILURE_VALUES = frozenset({"false", "error", "fail", "failed", "failure"})
# A text that reports a success, or that holds a token in an unknown format.
_NOT_AN_ERROR = re.compile(r"\bsuccess|token[\"'\s]{0,5}[:=]", re.IGNORECASE)


@dataclass(eq=False, kw_only=True)
class TokenRequestFailed(Exception):
    """The request yielded no token. `grant_may_have_ended`: the provider refused without a known reason.
    `retry_after`: the wait in seconds that the provider asks for.
    """

    grant_may_have_ended: bool = False
    retry_after: int | None = None


@dataclass(eq=False)
class UnusableTokenResponse(TokenRequestFailed):
    """No response, or one that neither grants nor denies the request. `reason` is for people.
    `may_have_succeeded`: the provider may have processed the request although its response was lost.
    """

    reason: str
    may_have_succeeded: bool = True

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class TokenRequestDenied(TokenRequestFailed):
    """The provider denied the request. `grant_ended`: this grant has ended permanently (`invalid_grant`)."""

    code: str
    description: str
    grant_ended: bool

    def __str__(self) -> str:
        return _explain(self.code, self.description)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The tokens of a connection. `expires_in` is in seconds, or None if the provider does not say.
    `expires_at_ms` is set if it gave a time instead, and `zone_unknown` if that time had no timezone.
    """

    access_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105  # a type, not a secret
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    expires_at_ms: int | None = None
    zone_unknown: bool = False
    scopes: tuple[str, ...] | None = None
    account_id: str | None = None
    account_label: str | None = None
    metadata: Mapping[str, str | int] = field(default_factory=dict)

    def with_follow_up(self, follow_up: FollowUpRequest, payload: object) -> TokenSet:
        """Add the facts of a follow-up's response. Raises UnusableTokenResponse for a host that is not the
        provider's.
        """
        expires_at = _positive_int(_get_path(payload, follow_up.expires_at), _MAX_TIMESTAMP)
        return replace(
            self,
            expires_at_ms=self.expires_at_ms if expires_at is None else expires_at * 1000,
            zone_unknown=self.zone_unknown and expires_at is None,
            account_id=_display_text(_get_path(payload, follow_up.account_id)) or self.account_id,
            account_label=_display_text(_get_path(payload, follow_up.account_label)) or self.account_label,
            metadata={**self.metadata, **_metadata(payload, follow_up.metadata)},
        )


class _Expiry(NamedTuple):
    expires_in: int | None = None
    expires_at_ms: int | None = None
    zone_unknown: bool = False


def parse_token_response(oauth: OAuth, status: int, payload: object) -> TokenSet:
    """The tokens of a response, with the account and metadata that it has.

    Raises TokenRequestDenied for an error, with the code `invalid_grant` if the grant has ended, and
    UnusableTokenResponse for a response that is neither a token nor an error, or that names a host that is
    not the provider's.
    """
    if status >= 500 or status == 429:
        raise UnusableTokenResponse(f"HTTP {status}", status in _GATEWAY_STATUSES)
    if not isinstance(payload, Mapping):
        raise UnusableTokenResponse(f"HTTP {status} without a readable body", status < 300)
    holder = _token_holder(oauth, payload)
    if holder is None or not 200 <= status < 300:
        raise _failure(oauth, status, payload)
    token_type = _display_text(_get_field(holder, "token_type"))
    refresh_token = _text(_get_field(holder, "refresh_token"))
    has_refresh_token = refresh_token is not None and refresh_token.strip().lower() not in _NULL_TOKENS
    scopes = _scopes(_get_path(holder, oauth.scope_path)) or _scopes(_get_field(holder, "scopes"))
    expiry = _expiry(holder)
    return TokenSet(
        access_token=_valid_token(_get_field(holder, "access_token")),
        token_type="Bearer" if token_type is None or normalize(token_type) in _BEARER_TYPES else token_type,
        refresh_token=_valid_token(refresh_token) if has_refresh_token else None,
        expires_in=expiry.expires_in,
        expires_at_ms=expiry.expires_at_ms,
        zone_unknown=expiry.zone_unknown,
        scopes=tuple(scopes) or None,
        account_id=_display_text(_get_path(payload, oauth.account_id)),
        account_label=_display_text(_get_path(payload, oauth.account_label)),
        metadata=_metadata(payload, oauth.metadata),
    )


def check_revocation(oauth: OAuth, status: int, payload: object) -> None:
    """Raises UnusableTokenResponse if the revocation failed. A grant that was already gone is a success."""
    codes = _codes(oauth, payload)
    already_revoked = error_codes.ALREADY_REVOKED.union(map(normalize, oauth.errors.ended))
    if not already_revoked.isdisjoint(map(normalize, codes)):
        return
    if codes or not 200 <= status < 300:
        raise UnusableTokenResponse(codes[0] if codes else f"HTTP {status}")


def clause(text: object) -> str:
    """A provider's text for use inside a sentence: without its final period."""
    return str(text).rstrip(" .")


def sanitize(text: object, secrets: Iterable[str | None] = ()) -> str:
    """A provider's text for display: one line of bounded length, with the secrets that we sent masked, and
    without characters that could disguise the text.
    """
    if not isinstance(text, str | int | float):
        return ""
    known = list(secrets)
    # Mask again after removing invisible characters, which may have been inside a secret.
    return _single_line(mask(to_label(mask(str(text), known)), known))


def mask(text: str, secrets: Iterable[str | None]) -> str:
    """`text` with the secrets masked, including their spellings in URLs and in JSON."""
    spellings = {
        spelling
        for secret in secrets
        if secret
        for spelling in (secret, quote(secret, ""), quote_plus(secret), json.dumps(secret)[1:-1])
    }
    for spelling in sorted(spellings, key=len, reverse=True):  # one may contain another
        text = text.replace(spelling, MASK)
    return text


def _failure(oauth: OAuth, status: int, payload: Mapping[str, object]) -> TokenRequestFailed:
    """The error for a response without a token."""
    codes, descriptions = _codes(oauth, payload), _texts(payload, oauth.errors.descriptions)
    terms = {normalize(text) for text in [*codes, *descriptions]}
    terms |= {normalize(f"{code}: {text}") for code in codes for text in descriptions}
    is_success = 200 <= status < 300
    if is_success:
        # The token may be in an unexpected field.
        codes, descriptions = list(map(mask_tokens, codes)), list(map(mask_tokens, descriptions))
    code, description = next(iter(codes), ""), next(iter(descriptions), "")
    if not terms.isdisjoint(error_codes.TEMPORARY.union(map(normalize, oauth.errors.passing))):
        return UnusableTokenResponse(_explain(code, description), may_have_succeeded=False)
    # An ended grant with a status such as 404 may come from a gateway: it counts, but is not enough by
    # itself.
    can_deny = status in _DENIAL_STATUSES or is_success
    indicates_end = _indicates_grant_end(terms, [*codes, *descriptions])
    if not terms.isdisjoint(map(normalize, oauth.errors.ended)) or (can_deny and indicates_end):
        detail = "" if normalize(code) == "invalidgrant" else code
        return TokenRequestDenied("invalid_grant", f"{detail} {description}".strip(), grant_ended=True)
    if not code:
        return _failure_without_code(status, payload, description, indicates_end=indicates_end)
    is_our_fault = not terms.isdisjoint(error_codes.CLIENT_FAULTS | error_codes.REQUEST_FAULTS)
    return TokenRequestDenied(
        code,
        description,
        grant_ended=False,
        grant_may_have_ended=(can_deny and not is_our_fault) or indicates_end,
    )


def _failure_without_code(
    status: int, payload: Mapping[str, object], description: str, *, indicates_end: bool
) -> UnusableTokenResponse:
    reason = f"HTTP {status} with neither a token nor an error"
    is_success = 200 <= status < 300
    indicates_failure = is_success and _indicates_failure(payload)
    return UnusableTokenResponse(
        f"{reason}: {description}" if description and (indicates_failure or not is_success) else reason,
        may_have_succeeded=is_success and not indicates_failure,
        grant_may_have_ended=(
            status in _DENIAL_STATUSES
            or indicates_failure
            or indicates_end
            or (is_success and _can_be_error(description))
        ),
    )


def _explain(code: str, description: str) -> str:
    return ": ".join(filter(None, (code, description)))


def _can_be_error(description: str) -> bool:
    """Whether the description (with tokens masked) of a success without a token can report an error."""
    return (
        description.strip().lower() not in {"", *error_codes.NO_ERROR}
        and MASK not in description
        and _NOT_AN_ERROR.search(description) is None
    )


def _indicates_failure(payload: Mapping[str, object]) -> bool:
    outcomes = [_get_field(payload, name) for name in _OUTCOME_FIELDS]
    return any(
        outcome is False or (isinstance(outcome, str) and outcome.strip().lower() in _FAILURE_VALUES)
        for outcome in outcomes
    )


def _indicates_grant_end(terms: set[str], texts: list[str]) -> bool:
    if not terms.isdisjoint(error_codes.CLIENT_FAULTS):
        return False
    if not terms.isdisjoint(error_codes.GRANT_ENDED):
        return True
    if any(error_codes.OTHER_CAUSE_WORDS.search(text) for text in texts):
        return False
    return not terms.isdisjoint(error_codes.ENDED) or any(
        error_codes.ENDED_WORDS.search(text) for text in texts
    )


def _codes(oauth: OAuth, payload: object) -> list[str]:
    return [
        code
        for code in _texts(payload, oauth.errors.codes)
        if code.strip().lower() not in error_codes.NO_ERROR
    ]


def _texts(payload: object, paths: Iterable[str]) -> list[str]:
    return [text for path in paths if (text := _text(_get_path(payload, path))) is not None]


def _token_holder(oauth: OAuth, payload: Mapping[str, object]) -> Mapping[str, object] | None:
    """The first object of `token_in` that has an access token."""
    for path in oauth.token_in:
        holder = _get_path(payload, path)
        if isinstance(holder, Mapping) and _text(_get_field(holder, "access_token")):
            return holder
    return None


def _get_path(value: object, path: str | None) -> object:
    """The value at a dot path, in which numbers are list indexes. None if there is none."""
    if path is None:
        return None
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = _get_field(value, step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _get_field(holder: Mapping[str, object], name: str) -> object:
    """The field with that name, or with another spelling of it (`accessToken`)."""
    value = holder.get(name)
    if value is not None or len(holder) > _MAX_FIELDS:
        return value
    wanted = normalize(name)
    return next(
        (other for key, other in holder.items() if other is not None and normalize(str(key)) == wanted), None
    )


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return None


def _single_line(text: str) -> str:
    """`text` on one line of bounded length, without control or invisible characters."""
    line = to_label(text)
    return line if len(line) <= _MAX_TEXT else to_label(line[: _MAX_TEXT - 1]) + "…"


def _display_text(value: object) -> str | None:
    text = _text(value)
    return None if text is None else _single_line(text) or None


def _valid_token(value: object) -> str:
    text = (_text(value) or "").strip()
    if not _TOKEN.fullmatch(text):
        raise UnusableTokenResponse("a token is too long, or has characters other than printable ASCII")
    return text


def _scopes(value: object) -> list[str]:
    """The valid scopes that fit the size limit. In a string, spaces or commas separate them."""
    entries = value if isinstance(value, list) else re.split(r"[\s,]+", _text(value) or "")
    scopes = dict.fromkeys(entry for entry in entries if isinstance(entry, str) and _SCOPE.fullmatch(entry))
    sizes = accumulate(len(scope) + 1 for scope in scopes)
    return [scope for scope, size in zip(scopes, sizes, strict=True) if size <= _MAX_SCOPES_BYTES]


def _expiry(holder: Mapping[str, object]) -> _Expiry:
    """`expires_in` or `expires_at_ms`, from the first field that has the expiry. Servers mix them up, so the
    value decides: a date, a number that is a timestamp, or else seconds.
    """
    fields = {normalize(str(name)): value for name, value in holder.items() if value is not None}
    for value in map(fields.get, _EXPIRIES):
        zone_unknown = False
        number = _positive_int(value)
        if number is None:
            timestamp_ms, zone_unknown = _date_ms(value)
        elif _MIN_TIMESTAMP <= number <= _MAX_TIMESTAMP:
            timestamp_ms = number * 1000
        elif _MIN_TIMESTAMP_MS <= number <= _MAX_TIMESTAMP * 1000:
            timestamp_ms = number
        else:
            return _Expiry(expires_in=min(number, _MAX_LIFETIME_SECONDS))
        if timestamp_ms is not None:
            return _Expiry(expires_at_ms=timestamp_ms, zone_unknown=zone_unknown)
    return _Expiry()


def _date_ms(value: object) -> tuple[int | None, bool]:
    """A date in ISO 8601 or RFC 9110, and whether its timezone is unknown. A date without one is read as UTC.
    None for a date that means "never": the year 1 or 9999.
    """
    if not isinstance(value, str) or len(value) > _MAX_DATE:
        return None, False
    try:
        date = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None, False
    zone_unknown = date.tzinfo is None
    try:
        seconds = (date.replace(tzinfo=UTC) if zone_unknown else date).timestamp()
    except (ValueError, OverflowError):
        return None, False
    is_expiry = _MIN_TIMESTAMP <= seconds <= _MAX_TIMESTAMP
    return (int(seconds * 1000) if is_expiry else None), zone_unknown


def _positive_int(value: object, maximum: int | None = None) -> int | None:
    """A whole number above 0 and up to `maximum`. Mailchimp sends 0 for "never"."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value)
    except (ValueError, OverflowError):
        return None
    return number if number > 0 and (maximum is None or number <= maximum) else None


def _is_storable(text: str | None) -> bool:
    try:
        return text is not None and len(text) <= _MAX_METADATA_TEXT and check_plain_text(text) == text
    except ValueError:
        return False


def _metadata(payload: object, fields: Mapping[str, MetadataField]) -> dict[str, str | int]:
    metadata: dict[str, str | int] = {}
    for name, source in fields.items():
        value = _get_path(payload, source.path)
        if value is None:
            continue
        if source.hosts is not None:
            if not is_at_host(value, source.hosts):
                raise UnusableTokenResponse(
                    f"the response's {source.path} is not one of the provider's own URLs"
                )
            metadata[name] = value.rstrip("/")
        elif isinstance(value, bool) or (isinstance(value, str | int) and _is_storable(_text(value))):
            metadata[name] = value
    return metadata
