"""What a recording says: how a provider is spoken with, in its documented shapes, and what is to come of it.

A file recordings/<provider>.toml for each provider file. Secrets in it are made up; `answer` is the body to
the letter. Requests are given as they have to be, without the client's own credentials: `client` says where
those stand.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

FOLDER = Path(__file__).parent / "recordings"

# What the tests ask with, and recordings expect.
CLIENT_ID = "a-client-id"
CLIENT_SECRET = "a secret/with+all?&=%"
CODE = "a-code"
VERIFIER = "a-code-verifier-of-no-less-than-43-characters"
REDIRECT_URI = "https://platform.example/oauth/callback"
STATE = "a-state"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authorization(_Data):
    """Where the user is sent, with the provider's default scopes."""

    url: str
    parameters: dict[str, str]  # besides those of every provider
    pkce: bool


class Request(_Data):
    """A request that has to come, and its answer."""

    method: Literal["GET", "POST", "DELETE"] = "POST"
    url: Annotated[str, StringConstraints(pattern=r"^https://[^?]*$")]
    # `basic` as RFC 6749, 2.3.1 has it, percent-encoded; `http_basic` as it is.
    client: Literal["body", "basic", "http_basic", "nowhere"] = "nowhere"
    authorization: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] | None = None
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    status: int = 200
    answer: str = ""
    content_type: str = "application/json"


class Tokens(_Data):
    """What is to come of it. `expires_after` and `due_after` are seconds from now."""

    access_token: str
    token_type: str = "Bearer"
    refresh_token: str | None = None
    scopes: list[str] | None = None
    account_id: str | None = None
    account_label: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    expires_after: float | Literal["never"]
    due_after: float | Literal["never"]
    can_refresh: bool


class Refusal(_Data):
    code: str
    description: str
    ended: bool


class Fault(_Data):
    reason: str
    lost: bool


class Exchange(_Data):
    """One conversation: a code or a refresh token for tokens, or a grant that is taken back."""

    name: str
    do: Literal["code", "refresh", "revoke"]
    callback: dict[str, str] = Field(default_factory=dict)  # what came back beside code and state
    given: dict[str, Any] = Field(default_factory=dict)  # the tokens that are refreshed or revoked
    requests: list[Request] = Field(default_factory=list)

    tokens: Tokens | None = None
    refused: Refusal | None = None
    unusable: Fault | None = None
    revoked: bool | None = None
    stranger: str | None = None  # the callback's address, or issuer, is not the provider's

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        outcomes = (self.tokens, self.refused, self.unusable, self.revoked, self.stranger)
        if sum(outcome is not None for outcome in outcomes) != 1:
            raise ValueError(f"{self.name}: one outcome")
        return self


class CredentialsExample(_Data):
    """For a provider without OAuth: credentials that are taken, and changes that are not."""

    good: dict[str, str]
    bad: list[dict[str, str]]


class Recording(_Data):
    config: dict[str, str] = Field(
        default_factory=dict
    )  # the integration's, where it says more than the default
    authorization: Authorization | None = None
    exchanges: list[Exchange] = Field(default_factory=list)
    credentials: CredentialsExample | None = None


@cache
def load(name: str) -> Recording:
    return Recording.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")))


def names() -> list[str]:
    return sorted(file.stem for file in FOLDER.iterdir())


def hosts() -> set[str]:
    """Those of all recorded requests."""
    return {
        urlsplit(request.url).netloc
        for name in names()
        for exchange in load(name).exchanges
        for request in exchange.requests
    }
