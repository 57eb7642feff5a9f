"""The API's descriptions of providers: a form built from a schema sends what the API accepts."""

from __future__ import annotations

from functools import cache
from typing import Any

import hypothesis.strategies as st
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from patchbay.api_model import MASK
from patchbay.errors import ValidationFailed
from patchbay.ids import IntegrationId
from patchbay.integrations import config, credentials
from patchbay.providers import provider as providers
from tests.conftest import REDIRECT_URI, Api, jwt_for
from tests.integration.integrations_api import PATH, items
from tests.problems import assert_problem
from tests.providers import recording

PROVIDERS = f"{PATH}/providers"
CUSTOM = ["custom", "custom_api_key", "custom_basic"]
KEYS = [*providers.names(), *CUSTOM]
# Values that some fields accept and others reject.
VALUES: list[Any] = [
    "", "x", "a b", " x", "x ", "x\n", "\tx", "x\x00", "ünï", "x" * 4096, "x" * 4097, MASK, True, False, 7,
    "login", "acme.my", "evil.example/", "body", "basic", "none", "static", "exchange", ",", " ", [], ["x"],
    ["server_error"], [1], ["https://app.example/back"], ["http://localhost:3000/"], ["http://app.example/"],
    ["https://app.example/#x"], ["https://u@app.example/"], ["/x"], ["https://app.example/"] * 21,
    "https://acme.api-us1.com", "https://acme.example", "0123456789abcdef" * 4 + "01234567",
    "https://provider.example/x?y=1", "HTTPS://provider.example", "http://provider.example", "ftp://x.example",
    "https://provider.example/{x}", "https://u@provider.example/", "https://", "https://provider.example/#x",
    "https://provider.example/ x", "https://provider.example\\x",
]  # fmt: skip
# Fields whose checks reject more than a schema can express: private hosts, codes that do not concern a grant,
# parameters that Patchbay itself sends, some invisible characters.
LOOSE = {
    *("authorizationUrl", "tokenUrl", "revocationUrl", "issuer", "apiUrl"),
    *("redirectUris", "expiredErrors", "clientSecret"),
}  # fmt: skip


def get(api: Api, key: str) -> Any:
    answer = api(f"GET {PROVIDERS}/{key}")
    assert answer.status == 200, answer
    return answer.json()


def valid_value(schema: dict[str, Any]) -> Any:
    """Return a value for a form field: its default, or one that matches its pattern."""
    if "default" in schema:
        return schema["default"]
    if schema.get("format") == "uri":
        return "https://server.example/x"
    return fitting(schema["pattern"])


@cache
def fitting(pattern: str) -> str:
    any_fit = settings(phases=[Phase.generate], database=None)
    return find(st.from_regex(pattern, fullmatch=True), lambda text: text.isascii(), settings=any_fit)


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def filled(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the smallest body that a schema accepts."""
    required = [*schema["required"], *schema.get("else", {}).get("required", [])]
    body = {name: valid_value(schema["properties"][name]) for name in required}
    jsonschema_rs.validator_for(schema).validate(body)
    return body


def test_list_has_every_provider_and_filters(api: Api) -> None:
    listed = items(api(f"GET {PROVIDERS}"))
    assert [provider["key"] for provider in listed] == KEYS
    hubspot = next(provider for provider in listed if provider["key"] == "hubspot")
    assert hubspot == {
        "key": "hubspot",
        "name": "HubSpot",
        "type": "CRM",
        "authType": "OAUTH2",
        "description": "Contacts, companies, deals and notes of a HubSpot account.",
        "documentationUrl": "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/"
        "authentication/oauth/working-with-oauth",
        "templateId": IntegrationId.for_template("hubspot"),
    }

    def found(query: str) -> list[str]:
        return [provider["key"] for provider in items(api(f"GET {PROVIDERS}?{query}"))]

    assert found("type=CRM") == ["hubspot", "pipedrive", "salesforce", "zoho"]
    assert found("authType=API_KEY") == ["activecampaign", "custom_api_key"]
    assert found("authType=BASIC") == ["custom_basic"]
    assert found("search=hUbSpOt") == ["hubspot"]
    assert found("search=campaigns&type=MARKETING_AUTOMATION") == ["mailchimp"]
    assert found("search=nothing-like-it") == []
    for query in ("type=NOPE", "authType=OAUTH", f"search={'x' * 101}"):
        assert_problem(api(f"GET {PROVIDERS}?{query}"), 422)
    assert_problem(api(f"GET {PROVIDERS}", token=jwt_for("acme", scope="webhooks:read")), 403)
    assert_problem(api(f"GET {PROVIDERS}/hubspot", token=jwt_for("acme", scope="webhooks:read")), 403)


@pytest.mark.parametrize("key", KEYS)
def test_form_of_a_provider_makes_an_active_integration(api: Api, key: str) -> None:
    provider = get(api, key)
    found = items(api(f"GET {PROVIDERS}?search={key}"))
    assert provider.items() >= next(summary for summary in found if summary["key"] == key).items()
    jsonschema_rs.meta.validate(provider["configSchema"])
    body = {"name": provider["name"], "type": provider["type"], "provider": key}
    answer = api(f"POST {PATH}", json={**body, "config": filled(provider["configSchema"])})
    assert (answer.status, answer.json()["status"]) == (201, "ACTIVE"), answer
    integration = answer.json()
    fields = provider["configSchema"]["properties"]
    shown = {name for name, value in integration["config"].items() if value != MASK}
    assert not [name for name in shown if fields[name].get("writeOnly")]
    assert all(field["title"] and field["description"] for field in fields.values())
    if provider["authType"] == "OAUTH2":
        assert provider["credentialsSchema"] is None
        assert provider["redirectUris"] == [REDIRECT_URI]
        start = {"redirectUri": provider["redirectUris"][0]}
        assert api(f"POST {PATH}/{integration['id']}/oauth/initiate", json=start).status == 200
        return
    assert (provider["redirectUris"], provider["oauth"]) == ([], None)
    jsonschema_rs.meta.validate(provider["credentialsSchema"])
    sent = filled(provider["credentialsSchema"])
    answer = api(f"POST {PATH}/{integration['id']}/connections", json={"credentials": sent})
    assert (answer.status, answer.json()["authType"]) == (201, provider["authType"]), answer


def test_schemas_agree_with_the_checks(api: Api, subtests: pytest.Subtests) -> None:
    """The checks accept what a schema accepts and reject the rest, except for rules it cannot express."""
    for key in KEYS:
        with subtests.test(key):
            check_agreement(get(api, key), providers.load(key))


def check_agreement(detail: Any, built_in: providers.Provider | None) -> None:
    for name, schema in detail["configSchema"]["properties"].items():
        validator = jsonschema_rs.validator_for({**schema, "$schema": _DIALECT})
        for value in VALUES:
            try:
                config.merge(config.Parts({}, {}), {name: value}, built_in)
                accepted = True
            except ValidationFailed:
                accepted = False
            valid = validator.is_valid(value)
            assert accepted <= valid, (name, value)
            assert name in LOOSE or accepted == valid, (name, value)
    if detail["credentialsSchema"] is None:
        return
    fields = built_in.credentials.fields if built_in and built_in.credentials else None
    for name, schema in detail["credentialsSchema"]["properties"].items():
        validator = jsonschema_rs.validator_for({**schema, "$schema": _DIALECT})
        field = (fields or next(each for each in credentials.CUSTOM.values() if name in each))[name]
        for value in VALUES:
            if isinstance(value, str):
                try:
                    credentials.check({name: field}, {name: value})
                    accepted = True
                except ValidationFailed:
                    accepted = False
                assert accepted == validator.is_valid(value), (name, value)


@given(value=st.text(max_size=6) | st.text(st.characters(max_codepoint=127), max_size=6))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_schema_of_a_secret_never_rejects_what_is_accepted(value: str) -> None:
    schema = credentials.json_schema(credentials.CUSTOM[providers.AuthType.API_KEY])
    try:
        credentials.check(credentials.CUSTOM[providers.AuthType.API_KEY], {"apiKey": value})
    except ValidationFailed:
        return
    assert jsonschema_rs.validator_for(schema).is_valid({"apiKey": value})


def test_config_without_a_required_field_is_pending_and_says_what_is_missing(api: Api) -> None:
    for key in ("hubspot", "custom"):
        schema = get(api, key)["configSchema"]
        complete = filled(schema)
        for name in complete:
            rest = {other: value for other, value in complete.items() if other != name}
            assert not jsonschema_rs.validator_for(schema).is_valid(rest)
            body = {"name": "x", "type": "CUSTOM", "provider": key, "config": rest}
            answer = api(f"POST {PATH}", json=body)
            assert answer.status == 201, answer
            created = answer.json()
            assert (created["status"], created["statusReason"]) == (
                "PENDING_SETUP",
                f"missing_config: {name}",
            )
            # A new destination requires the secret again.
            rest = {other: complete[other] for other in {name, "clientSecret"} & complete.keys()}
            put = api(f"PUT {PATH}/{created['id']}", json={"config": rest}).json()
            assert (put["status"], put["statusReason"]) == ("ACTIVE", None)
            api(f"DELETE {PATH}/{created['id']}")


def test_fields_of_your_own_fit_the_schema_and_are_secret(api: Api) -> None:
    schema = get(api, "hubspot")["configSchema"]
    complete = filled(schema)
    for name, value in {
        "ok": "v",
        "a_1": "v",
        "a b": "v",
        "1a": "v",
        "x" * 65: "v",
        "big": "x" * 4097,
    }.items():
        sent = {**complete, name: value}
        body = {"name": "x", "type": "CRM", "provider": "hubspot", "config": sent}
        answer = api(f"POST {PATH}", json=body)
        assert (answer.status == 201) is jsonschema_rs.validator_for(schema).is_valid(sent), name
        if answer.status == 201:
            assert answer.json()["config"][name] == MASK


def test_public_client_of_a_custom_provider_needs_no_secret(api: Api) -> None:
    schema = get(api, "custom")["configSchema"]
    public = {**filled(schema), "clientAuth": "none"}
    del public["clientSecret"]
    jsonschema_rs.validator_for(schema).validate(public)
    body = {"name": "x", "type": "CUSTOM", "config": public}
    assert api(f"POST {PATH}", json=body).json()["status"] == "ACTIVE"


def test_defaults_of_the_custom_schema_are_the_ones_in_effect(api: Api) -> None:
    urls = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    schema = get(api, "custom")["configSchema"]["properties"]
    defaults = {name: field["default"] for name, field in schema.items() if "default" in field}
    assert defaults.keys() == {"clientAuth", "pkce", "scopeSeparator", "refresh", "revokeReplaced"}
    assert config.oauth_for(None, urls) == config.oauth_for(None, {**urls, **defaults})


def test_oauth_settings_are_those_in_effect(api: Api) -> None:
    hubspot = get(api, "hubspot")
    assert hubspot["oauth"] == {
        "authorizationUrl": "https://app.hubspot.com/oauth/authorize",
        "tokenUrl": "https://api.hubapi.com/oauth/v3/token",
        "revocationUrl": "https://api.hubapi.com/oauth/v3/token/revoke",
        "issuer": None,
        "clientAuth": "body",
        "pkce": True,
        "scopeSeparator": " ",
        "refresh": "static",
        "scopes": hubspot["oauth"]["scopes"],
    }
    assert [scope["name"] for scope in hubspot["oauth"]["scopes"]] == ["oauth", "crm.objects.contacts.read"]
    assert hubspot["hosts"] == ["api.hubapi.com"]
    salesforce = get(api, "salesforce")
    assert salesforce["oauth"]["tokenUrl"] == "https://{domain}.salesforce.com/services/oauth2/token"
    assert salesforce["configSchema"]["properties"]["domain"]["default"] == "login"
    assert [(scope["name"], scope["always"]) for scope in salesforce["oauth"]["scopes"]] == [
        ("api", False),
        ("id", False),
        ("refresh_token", True),
    ]
    assert salesforce["hosts"] == ["*.salesforce.com"]
    assert get(api, "zoho")["oauth"]["tokenUrl"] == "https://accounts.zoho.com/oauth/v2/token"
    assert "accounts.zoho.eu" in get(api, "zoho")["hosts"]
    mailchimp = get(api, "mailchimp")["oauth"]
    assert (mailchimp["revocationUrl"], mailchimp["refresh"]) == (None, "never_expires")
    # The config of an integration may repeat all of these values.
    for key in providers.names():
        oauth = get(api, key)["oauth"]
        if oauth is not None:
            sent = {name: value for name, value in oauth.items() if name != "scopes" and value is not None}
            sent = {
                name: value.replace("{domain}", "login") if isinstance(value, str) else value
                for name, value in sent.items()
                if not (isinstance(value, str) and value.startswith("{"))
            }
            body = {"name": "x", "type": "CUSTOM", "provider": key, "config": sent}
            assert api(f"POST {PATH}", json=body).json()["config"] == {}, key


@pytest.mark.parametrize("key", [key for key in providers.names() if key != "activecampaign"])
def test_hosts_are_those_of_the_recorded_requests(key: str) -> None:
    oauth = providers.load(key).oauth  # type: ignore[union-attr]  # it exists
    assert oauth is not None
    hosts = providers.called_hosts(oauth)
    requests = [request for exchange in recording.load(key).exchanges for request in exchange.requests]
    assert requests
    for request in requests:
        origin = "/".join(request.url.split("/")[:3])
        assert providers.is_at_host(origin, hosts), (request.url, hosts)


def test_unknown_provider_is_not_found_with_suggestion(api: Api) -> None:
    assert_problem(api(f"GET {PROVIDERS}/hubsopt"), 404, None, "Did you mean `hubspot`?")
    assert_problem(api(f"GET {PROVIDERS}/nobody"), 404, None, "GET /api/integrations/providers")
    assert_problem(api(f"GET {PROVIDERS}/HubSpot!"), 404, None, "key must be a provider key")


def test_misspelled_provider_is_rejected_unless_it_has_urls_of_its_own(api: Api) -> None:
    body: dict[str, Any] = {"name": "x", "type": "CRM", "provider": "hubsopt"}
    answer = api(f"POST {PATH}", json=body)
    assert_problem(answer, 422, None, "provider: is not a built-in provider; did you mean `hubspot`?")
    own = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    created = api(f"POST {PATH}", json={**body, "config": own})
    assert created.status == 201, created
    path = f"PUT {PATH}/{created.json()['id']}"
    assert api(path, json={"name": "y", "provider": "hubsopt"}).status == 200
    gone = dict.fromkeys(own)
    assert api(path, json={"config": gone}).status == 200, "the name stays what it was"
    assert_problem(api(path, json={"provider": "salesfroce"}), 422, None, "did you mean `salesforce`?")
    assert api(path, json={"provider": "zoom"}).status == 200
