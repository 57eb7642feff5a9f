"""Where a connection's token may go: the hosts of each provider's API, and the URLs of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from patchbay.ids import ConnectionId, IntegrationId
from patchbay.integrations import config
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import api_access
from patchbay.oauth.api_access import ApiLocation, ApiUnknown, UrlRefused
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.outbound import api_paths, header_fields
from patchbay.providers import provider as providers

GOOGLE = ApiLocation("https://www.googleapis.com", ("*.googleapis.com",))
# For each provider, the metadata that it returned when the account was connected, and its token's host.
HOSTS = {
    "adobe": ({}, "https://lr.adobe.io"),
    "canva": ({}, "https://api.canva.com"),
    "facebook": ({}, "https://graph.facebook.com"),
    "github": ({}, "https://api.github.com"),
    "google": ({}, "https://www.googleapis.com"),
    "hubspot": ({}, "https://api.hubapi.com"),
    "instagram": ({}, "https://graph.instagram.com"),
    "linkedin": ({}, "https://api.linkedin.com"),
    "mailchimp": ({"api_endpoint": "https://us6.api.mailchimp.com"}, "https://us6.api.mailchimp.com"),
    "pipedrive": ({"api_domain": "https://acme.pipedrive.com"}, "https://acme.pipedrive.com"),
    "salesforce": ({"instance_url": "https://acme.my.salesforce.com/"}, "https://acme.my.salesforce.com"),
    "slack": ({}, "https://slack.com"),
    "x": ({}, "https://api.x.com"),
    "zoho": ({"api_domain": "https://www.zohoapis.eu"}, "https://www.zohoapis.eu"),
}


def location(
    provider: str, metadata: Mapping[str, Any], public: Mapping[str, Any] | None = None
) -> ApiLocation:
    """The API location of a connection with this metadata."""
    integration = StoredIntegration(
        workspace_id="acme",
        id=IntegrationId.new(),
        name="CRM",
        description="",
        type="CRM",
        provider=provider,
        status="ACTIVE",
        config=dict(public or {}),
        created_by="user:ada",
        created_at=0,
        updated_at=0,
    )
    connection = StoredConnection(
        workspace_id="acme",
        integration_id=integration.id,
        name="default",
        id=ConnectionId.new(),
        status=ConnectionStatus.ACTIVE,
        auth_type="OAUTH2",
        generation=1,
        created_by="user:ada",
        created_at=0,
        updated_at=0,
        sealed="",
        metadata=json.dumps(metadata),
    )
    api = api_access._api_of(integration, connection)
    return api_access._location(api, providers.load(provider), connection, {})


@pytest.mark.parametrize("provider", HOSTS)
def test_token_goes_to_the_providers_api(provider: str) -> None:
    metadata, base = HOSTS[provider]
    assert location(provider, metadata).resolve("/v1/me") == f"{base}/v1/me"


def test_every_provider_has_an_api() -> None:
    assert {provider.name for provider in providers.load_all()} == {*HOSTS, "activecampaign"}, (
        "add it to HOSTS"
    )
    assert all(provider.api is not None for provider in providers.load_all())


@pytest.mark.parametrize(
    ("provider", "metadata"),
    [
        ("salesforce", {}),
        ("salesforce", {"instance_url": "https://evil.example"}),
        ("salesforce", {"instance_url": "https://salesforce.com.evil.example"}),
        ("salesforce", {"instance_url": "http://acme.my.salesforce.com"}),
        ("salesforce", {"instance_url": "https://acme.my.salesforce.com@evil.example"}),
        ("zoho", {"api_domain": "https://zohoapis.com"}),
        ("mailchimp", {"api_endpoint": 7}),
    ],
)
def test_address_that_is_not_on_the_list_is_not_used(provider: str, metadata: Mapping[str, Any]) -> None:
    with pytest.raises(ApiUnknown):
        location(provider, metadata)


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({"tokenUrl": "https://sso.crm.example:8443/oauth/token?x=1"}, "https://sso.crm.example:8443"),
        (
            {"tokenUrl": "https://sso.crm.example/t", "apiUrl": "https://api.crm.example/v2"},
            "https://api.crm.example/v2",
        ),
    ],
)
def test_custom_provider_has_its_own_address(settings: dict[str, str], base: str) -> None:
    assert location("own", {}, settings).resolve("/me") == f"{base}/me"


def test_other_address_of_the_api_is_another_destination_of_secrets() -> None:
    own = {"tokenUrl": "https://sso.crm.example/t"}
    before = config.secret_destinations(None, own)
    moved = {**own, "apiUrl": "https://evil.example/"}
    assert config.secret_destinations(None, moved) != before
    assert config.secret_destinations(None, {"apiUrl": "https://evil.example"}) != config.secret_destinations(
        None, {}
    )
    same = {**own, "apiUrl": "https://sso.crm.example/v2"}
    assert config.secret_destinations(None, same) == before


@pytest.mark.parametrize(
    "url",
    [
        "https://www.googleapis.com/calendar/v3/calendars/primary",
        "https://sheets.googleapis.com/v4/spreadsheets/1:batchUpdate",
        "/drive/v3/files",
        "/gmail/v1/users/me%40acme.example/messages/",
        "/a%2Fb/~user/x,y;z=1",
    ],
)
def test_url_of_the_api_is_accepted(url: str) -> None:
    assert GOOGLE.resolve(url).endswith(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://googleapis.com/x",
            "https://evilgoogleapis.com/x",
            "https://googleapis.com.evil.example/x",
        ),
        *("http://www.googleapis.com/x", "https://www.googleapis.com:8443/x", "https://WWW.googleapis.com/x"),
        *("https://www.googleapis.com@evil.example/x", "https://evil.example\\.googleapis.com/x"),
        *("https://evil.example/.googleapis.com", "https://evil.example?.googleapis.com/x"),
        *("https://evil.example#.googleapis.com/x", "https://evil.example%2f.googleapis.com/x"),
        *(
            "https://a\t.googleapis.com/x",
            "https://аpi.googleapis.com/x",
            "https://xn--api.googleapis.com./x",
        ),
        *("//www.googleapis.com/x", "https:///x", "https:/x", "https:x", "x", "", " /x"),
        *(
            "/../x",
            "/x/..",
            "/./x",
            "/%2e%2e/x",
            "/x/%2E%2E",
            "/x%2f..%2fy",
            "/x%5c..",
            "/x//y",
            "/x\\y",
            "/%00",
        ),
        *("/x?y=1", "/x#y", "/x y", "/é", "/%", "/%g0"),
    ],
)
def test_url_that_must_not_get_the_token_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        GOOGLE.resolve(url)


def test_check_of_paths_is_linear() -> None:
    assert not api_paths.is_plain_path("/" + "a" * 500_000 + " ")
    assert not api_paths.is_plain_path("/a" * 250_000 + " ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (name, True)
            for name in ("Authorization", "x-api-key", "X_Auth_Token", "Cookie", "X-Signature", "apikey")
        ),
        *((name, False) for name in ("Accept", "Content-Type", "LinkedIn-Version", "X-Keyboard", "Prefer")),
    ],
)
def test_headers_that_usually_have_a_credential(name: str, expected: bool) -> None:
    assert header_fields.may_have_credentials(name) is expected
