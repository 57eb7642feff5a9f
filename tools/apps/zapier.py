"""Generates the Zapier app as JSON definitions: `apps/zapier/zapier-app-definition.json` (with API keys) and
`zapier-app-definition.oauth.json` (with the platform's own OAuth 2.0).

It has a trigger per event type, a create per action, a search per list, and hidden triggers for dropdowns. A
step that needs more than one request is a function: JavaScript in a string (`{"source": …}`), which Zapier
calls with `z` and `bundle`.
https://docs.zapier.com/integrations/reference/schema
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.settings import ROOT
from patchbay.catalogue.entries import Action, Entry, all_actions, choice_resources, resources
from tools.apps.fields import Field, fields_of, sample_of, title_of, triggers
from tools.generated_files import as_file
from tools.page import with_tables

FOLDER = "apps/zapier"
_PAGE = "docs/guides/automations/index.md"
_EVENT_TYPES = "../../reference/event-types.md"  # seen from the page
PLATFORM_VERSION = "19.1.0"  # of zapier-platform-core
_VERSION = "1.0.0"
# The run ID in samples; no run has it.
_SAMPLE_RUN = "run_032asvoIJtqWn0GGw1sIDt"

# Only for the API: an authorization server rejects a client that sends its secret and also a token.
_BEFORE_REQUEST = """
const token = bundle.authData.%s;
if (token && request.url.startsWith('%s/')) request.headers.Authorization = 'Bearer ' + token;
return request;
"""

# Converts a problem+json, or an OAuth error, into the message in the Zap. If the key or the refresh is
# rejected, the user must connect again. Zapier itself retries a 429 after its Retry-After, and refreshes the
# token after a 401.
_AFTER_RESPONSE = """
if (response.skipThrowForStatus || response.status < 400) return response;
const problem = response.data || {};
const detail =
  problem.detail || problem.error_description || 'The platform answered ' + response.status + '.';
if (response.status === 401 || problem.error === 'invalid_grant') {
  throw new z.errors.ExpiredAuthError(detail);
}
throw new z.errors.Error(detail, problem.code || 'failed', response.status);
"""

# Only the filter fields that have a value.
_SUBSCRIBE = """
const filters = %s
  .filter((path) => bundle.inputData[path])
  .map((path) => ({ path: path, op: 'equals', value: bundle.inputData[path] }));
return z.request({
  method: 'POST',
  url: '%s/hooks',
  body: { url: bundle.targetUrl, eventType: '%s', filters: filters },
}).then((response) => response.data);
"""

# A hook that no longer exists is not an error: the Zap is turned off anyway.
_UNSUBSCRIBE = """
return z.request({
  method: 'DELETE',
  url: '%s/hooks/' + bundle.subscribeData.id,
  skipThrowForStatus: true,
}).then((response) => {
  if (response.status >= 400 && response.status !== 404) {
    throw new z.errors.Error((response.data || {}).detail || 'Unsubscribe failed', 'failed', response.status);
  }
  return {};
});
"""

# A page has 100 items, and its cursor is the ID of the last one. The first page ignores a stored cursor.
_CHOICES = """
const first = !bundle.meta.page;
return (first ? Promise.resolve('') : z.cursor.get()).then((cursor) => {
  if (!first && !cursor) return [];
  return z.request({ url: '%s', params: cursor ? { cursor: cursor } : {} }).then((response) => {
    const items = response.data;
    const next = items.length === 100 ? items[99].id : '';
    return (first && !next ? Promise.resolve() : z.cursor.set(next)).then(() => items);
  });
});
"""

# Exact matches of the name or ID come first: Zapier uses the first item, unless the user asks for all.
_SEARCH = """
const text = String(bundle.inputData.search).trim();
const isExact = (item) => item.id === text || item.label.toLowerCase() === text.toLowerCase();
return z.request({ url: '%s', params: { search: text } }).then((response) => {
  const items = response.data;
  return items.filter(isExact).concat(items.filter((item) => !isExact(item)));
});
"""

# Zapier's editor does not wait for a callback, so there the step polls the run until it ends. If that takes
# longer than the editor waits (30 s), the user sees the sample, and its fields for the next steps.
_START = """
const api = '%s';
const start = (callback) => z.request({
  method: 'POST',
  url: api + '/actions/%s',
  body: Object.assign({ input: bundle.inputData }, callback),
}).then((response) => response.data);
if (!bundle.meta.isLoadingSample) return start({ callbackUrl: z.generateCallbackUrl() });
const until = Date.now() + 15000;
const result = (run) => {
  if (run.status === 'SUCCEEDED') return Object.assign({ id: run.id }, run.output);
  if (run.status === 'FAILED') {
    const reason = run.error && run.error.detail;
    throw new z.errors.Error(reason || 'The platform could not perform the action.', 'action_failed', 400);
  }
  if (Date.now() >= until) return Object.assign({ id: run.id }, %s);
  return new Promise((resolve) => setTimeout(resolve, 1000))
    .then(() => z.request({ url: api + '/runs/' + run.id }))
    .then((response) => result(response.data));
};
return start().then(result);
"""

# The callback's body is `{runId, status, output, error}`.
_RESUME = """
const run = bundle.cleanedRequest;
if (run.status !== 'SUCCEEDED') {
  const reason = run.error && run.error.detail;
  throw new z.errors.Error(reason || 'The platform could not perform the action.', 'action_failed', 400);
}
return Object.assign({ id: run.runId }, run.output);
"""


def files() -> dict[str, str]:
    """Return the texts of the definitions, and of the docs page with their tables, by path."""
    apps = definitions(json.loads((ROOT / FOLDER / "settings.json").read_text()))
    texts = {f"{FOLDER}/{name}": as_file(app) for name, app in apps.items()}
    return {**texts, _PAGE: with_tables(_PAGE, "zapier", tables())}


def definitions(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The app with API keys, and the app with OAuth if the settings have an authorization server."""
    base = settings["baseUrl"]
    api_key = _api_key(base, settings["apiKeysUrl"])
    apps = {"zapier-app-definition.json": _app(base, api_key, "apiKey")}
    if "oauth2" in settings:
        oauth = _oauth(base, settings["oauth2"])
        apps["zapier-app-definition.oauth.json"] = _app(base, oauth, "access_token")
    return apps


def _app(base: str, authentication: dict[str, object], token: str) -> dict[str, object]:
    api = f"{base}/api/automations/zapier"
    return {
        "version": _VERSION,
        "platformVersion": PLATFORM_VERSION,
        "authentication": authentication,
        "beforeRequest": [_source(_BEFORE_REQUEST % (token, base), "request", "z", "bundle")],
        "afterResponse": [_source(_AFTER_RESPONSE, "response", "z", "bundle")],
        "triggers": {
            **{entry.type.lower(): _trigger(api, entry) for entry in triggers()},
            **{name: _dropdown(api, name) for name in sorted(choice_resources())},
        },
        "creates": {action.key: _create(api, action) for action in all_actions()},
        "searches": {f"find_{_singular(name)}": _search(api, name) for name in sorted(resources())},
    }


def _source(code: str, *arguments: str) -> dict[str, object]:
    """A function with these arguments; Zapier's default is `z` and `bundle`."""
    return {"source": code.strip(), **({"args": list(arguments)} if arguments else {})}


# ── authentication ───────────────────────────────────────────────────────────────────────────────────


def _test(base: str) -> dict[str, object]:
    return {"method": "GET", "url": f"{base}/api/automations/zapier/me"}


def _api_key(base: str, keys_url: str) -> dict[str, object]:
    return {
        "type": "custom",
        "fields": [
            {
                "key": "apiKey",
                "label": "API Key",
                "type": "password",
                "required": True,
                "helpText": f"A key with the scope automations:use. [Create one here]({keys_url}).",
            }
        ],
        "test": _test(base),
        "connectionLabel": "{{label}}",
    }


def _oauth(base: str, settings: dict[str, str]) -> dict[str, object]:
    # RFC 6749, 4.1 and 6, with PKCE (RFC 7636).
    client = {"client_id": "{{process.env.CLIENT_ID}}", "client_secret": "{{process.env.CLIENT_SECRET}}"}

    def token(url: str, **grant: str) -> dict[str, object]:
        return {
            "method": "POST",
            "url": url,
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "body": {**client, **grant},
        }

    return {
        "type": "oauth2",
        "oauth2Config": {
            "authorizeUrl": {
                "url": settings["authorizeUrl"],
                "params": {
                    "client_id": "{{process.env.CLIENT_ID}}",
                    "state": "{{bundle.inputData.state}}",
                    "redirect_uri": "{{bundle.inputData.redirect_uri}}",
                    "response_type": "code",
                },
            },
            "getAccessToken": token(
                settings["tokenUrl"],
                grant_type="authorization_code",
                code="{{bundle.inputData.code}}",
                redirect_uri="{{bundle.inputData.redirect_uri}}",
                code_verifier="{{bundle.inputData.code_verifier}}",
            ),
            "refreshAccessToken": token(
                settings.get("refreshUrl", settings["tokenUrl"]),
                grant_type="refresh_token",
                refresh_token="{{bundle.authData.refresh_token}}",
            ),
            "scope": settings["scope"],
            "autoRefresh": True,
            "enablePkce": True,
        },
        "fields": [],
        "test": _test(base),
        "connectionLabel": "{{label}}",
    }


# ── triggers ─────────────────────────────────────────────────────────────────────────────────────────


def _trigger(api: str, entry: Entry) -> dict[str, object]:
    chosen = [field for field in fields_of(entry.json_schema) if field.choices]
    paths = json.dumps([field.name for field in chosen])
    return {
        "key": entry.type.lower(),
        "noun": entry.noun,
        "display": {"label": entry.label, "description": entry.description},
        "operation": {
            "type": "hook",
            "inputFields": [_filter(field) for field in chosen],
            "performSubscribe": _source(_SUBSCRIBE % (paths, api, entry.type)),
            "performUnsubscribe": _source(_UNSUBSCRIBE % api),
            "performList": {"method": "GET", "url": f"{api}/triggers/{entry.type}/samples"},
            "perform": _source("return [bundle.cleanedRequest];"),
            "sample": sample_of(entry),
            "outputFields": [
                {"key": "id", "label": "Event ID", "type": "string", "primary": True},
                {"key": "type", "label": "Event Type", "type": "string"},
                {"key": "timestamp", "label": "Event Time", "type": "datetime"},
                *(_output(field, "data__") for field in fields_of(entry.json_schema)),
            ],
        },
    }


def _filter(field: Field) -> dict[str, object]:
    return {
        "key": field.name,
        "label": _filter_label(field),
        "type": "string",
        "required": False,
        "dynamic": f"{field.choices}.id.label",
        "helpText": "Only events with this value. Leave empty for all.",
    }


def _filter_label(field: Field) -> str:
    return field.title.removesuffix(" ID")


def _dropdown(api: str, name: str) -> dict[str, object]:
    label = name.title()
    return {
        "key": name,
        "noun": _singular(label),
        "display": {
            "label": f"List {label}",
            "description": f"Triggers when the {name} to choose from are listed.",
            "hidden": True,
        },
        "operation": {
            "type": "polling",
            "canPaginate": True,
            "perform": _source(_CHOICES % f"{api}/choices/{name}"),
            **_item_of(name),
        },
    }


def _singular(name: str) -> str:
    """The singular of a list's name."""
    return name.removesuffix("s")


def _item_of(name: str) -> dict[str, object]:
    """The sample and the fields of a list's items."""
    return {
        "sample": {"id": f"{name[:3]}_1", "label": f"{_singular(name).title()} One"},
        "outputFields": [
            {"key": "id", "label": "ID", "type": "string", "primary": True},
            {"key": "label", "label": "Label", "type": "string"},
        ],
    }


# ── searches ─────────────────────────────────────────────────────────────────────────────────────────


def _search(api: str, name: str) -> dict[str, Any]:
    noun = _singular(name)
    return {
        "key": f"find_{noun}",
        "noun": noun.title(),
        "display": {
            "label": f"Find {noun.title()}",
            "description": f"Finds {_article(noun)} {noun} by name or ID.",
        },
        "operation": {
            "inputFields": [
                {
                    "key": "search",
                    "label": "Name or ID",
                    "type": "string",
                    "required": True,
                    "helpText": "Part of the name, or the start of the ID.",
                }
            ],
            "perform": _source(_SEARCH % f"{api}/choices/{name}"),
            **_item_of(name),
        },
    }


def _article(noun: str) -> str:
    return "an" if noun[0].lower() in "aeiou" else "a"


# ── creates ──────────────────────────────────────────────────────────────────────────────────────────


def _create(api: str, action: Action) -> dict[str, object]:
    sample: dict[str, object] = {"id": _SAMPLE_RUN, **action.sample.output}
    return {
        "key": action.key,
        "noun": action.noun,
        "display": {"label": action.label, "description": action.description},
        "operation": {
            "inputFields": [_input(field) for field in fields_of(action.input)],
            "perform": _source(_START % (api, action.key, json.dumps(action.sample.output))),
            "performResume": _source(_RESUME),
            "sample": sample,
            "outputFields": [
                {"key": "id", "label": "Run ID", "type": "string", "primary": True},
                *(_output(field) for field in fields_of(action.output)),
            ],
        },
    }


def _input(field: Field) -> dict[str, object]:
    input_field: dict[str, object] = {
        "key": field.name,
        "label": field.title.removesuffix(" ID") if field.choices else field.title,
        "type": _type(field),
        "required": field.is_required,
        "helpText": field.description,
    }
    if field.is_list:
        input_field["list"] = True
    if field.choices:
        input_field["dynamic"] = f"{field.choices}.id.label"
    if field.options:
        input_field["choices"] = {option: title_of(option) for option in field.options}
    return input_field


def _output(field: Field, prefix: str = "") -> dict[str, object]:
    return {
        "key": f"{prefix}{field.name}",
        "label": field.title,
        "type": _type(field, output=True),
        **({"list": True} if field.is_list else {}),
    }


def _type(field: Field, *, output: bool = False) -> str:
    if field.format == "date-time":
        return "datetime"
    if field.is_multiline and not output:
        return "text"
    return {"integer": "integer", "number": "number", "boolean": "boolean"}.get(field.kind, "string")


# ── tables in the docs ───────────────────────────────────────────────────────────────────────────────


def _starts(description: str) -> str:
    """When a trigger starts an automation, from its description."""
    return description.replace("Triggers when", "When", 1)


def tables() -> Iterator[str]:
    """Yield the lines of the docs' tables of triggers, searches and actions. A field in bold is required."""
    yield "### Triggers"
    yield ""
    yield "| Trigger | Event type | Starts | Limit by |"
    yield "|---|---|---|---|"
    for entry in triggers():
        event_type = f"[`{entry.type}`]({_EVENT_TYPES}#{entry.type.lower()})"
        limits = ", ".join(_filter_label(field) for field in fields_of(entry.json_schema) if field.choices)
        yield f"| {entry.label} | {event_type} | {_starts(entry.description)} | {limits} |"
    yield ""
    yield "### Actions"
    yield ""
    yield "| Action | Key | Description | Fields |"
    yield "|---|---|---|---|"
    for action in all_actions():
        names = ", ".join(
            f"**{field.name}**" if field.is_required else field.name for field in fields_of(action.input)
        )
        yield f"| {action.label} | `{action.key}` | {action.description} | {names} |"
    yield ""
    yield "### Searches"
    yield ""
    yield "| Search | List |"
    yield "|---|---|"
    for name in sorted(resources()):
        yield f"| {_search('', name)['display']['label']} | `{name}` |"
