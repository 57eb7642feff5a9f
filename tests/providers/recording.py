"""The format of recordings: the requests to a provider and its documented responses, with the expected
results.

Each provider file has a recording, recordings/<provider>.toml. Its secrets are invented, and `response` is
the exact body. Requests omit the client's credentials: `client` says where they are.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

FOLDER = Path(__file__).parent / "recordings"

# The values that the tests send and that recordings expect.
CLIENT_ID = "a-client-id"
CLIENT_SECRET = "a secret/with+all?&=%"
CODE = "a-code"
VERIFIER = "a-code-verifier-of-no-less-than-43-characters"
REDIRECT_URI = "https://platform.example/oauth/callback"
STATE = "a-state"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedAuthorization(_Data):
    """The authorization URL with the provider's default scopes."""

    url: str
    parameters: dict[str, str]  # in addition to those of every provider
    pkce: bool


class ExpectedRequest(_Data):
    """An expected request and its response."""

    method: Literal["GET", "POST", "DELETE"] = "POST"
    url: Annotated[str, StringConstraints(pattern=r"^https://[^?]*$")]
    # `basic` is form-encoded, as in RFC 6749, 2.3.1; `http_basic` is not.
    client: Literal["body", "basic", "http_basic", "nowhere"] = "nowhere"
    authorization: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] | None = None
    json_body: dict[str, JsonValue] | None = Field(default=None, alias="json")
    status: int = 200
    response: str = ""
    content_type: str = "application/json"


class ExpectedTokens(_Data):
    """`expires_after` and `due_after` are seconds from now."""

    access_token: str
    token_type: str = "Bearer"
    refresh_token: str | None = None
    scopes: list[str] | None = None
    account_id: str | None = None
    account_label: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    expires_after: float | Literal["never"]
    due_after: float | Literal["never"]
    can_refresh: bool


class ExpectedDenial(_Data):
    code: str
    description: str
    grant_ended: bool


class ExpectedFault(_Data):
    reason: str
    may_have_succeeded: bool


class RecordedExchange(_Data):
    """One session: an exchange of a code or a refresh token for tokens, or a revocation."""

    name: str
    operation: Literal["code", "refresh", "revoke"]
    callback: dict[str, str] = Field(default_factory=dict)  # in addition to code and state
    tokens_before: dict[str, Any] = Field(default_factory=dict)  # the tokens to refresh or revoke
    requests: list[ExpectedRequest] = Field(default_factory=list)

    tokens: ExpectedTokens | None = None
    denied: ExpectedDenial | None = None
    unusable: ExpectedFault | None = None
    revoked: bool | None = None
    callback_error: str | None = None  # the callback has an address or issuer that is not the provider's

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        outcomes = (self.tokens, self.denied, self.unusable, self.revoked, self.callback_error)
        if sum(outcome is not None for outcome in outcomes) != 1:
            raise ValueError(f"{self.name}: exactly one outcome is required")
        return self


class CredentialsExample(_Data):
    """For a provider without OAuth: valid credentials, and changes that make them invalid."""

    good: dict[str, str]
    bad: list[dict[str, str]]


class Recording(_Data):
    config: dict[str, str] = Field(default_factory=dict)  # the integration's, if it differs from the default
    authorization: ExpectedAuthorization | None = None
    exchanges: list[RecordedExchange] = Field(default_factory=list)
    credentials: CredentialsExample | None = None


@cache
def load(name: str) -> Recording:
    return Recording.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")))


def names() -> list[str]:
    return sorted(file.stem for file in FOLDER.iterdir())


def hosts() -> set[str]:
    """Return the hosts of all recorded requests."""
    return {
        urlsplit(request.url).netloc
        for name in names()
        for exchange in load(name).exchanges
        for request in exchange.requests
    }
