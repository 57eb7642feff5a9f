"""The Zapier app, as a definition in JSON: `apps/zapier/zapier-app-definition.json` (with API keys) and
`zapier-app-definition.oauth.json` (with the platform's own OAuth 2.0).

A trigger per event type, a create per action, a search per list, and hidden triggers for the dropdowns.
Where a request alone is not enough there are functions, JavaScript in strings (`{"source": …}`) that are
called with `z` and `bundle`.
https://docs.zapier.com/integrations/reference/schema
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local.settings import ROOT
from patchbay.catalogue.entries import Action, Entry, all_actions, choice_resources, resources
from tools.apps.fields import Field, as_file, fields_of, sample_of, triggers, words
from tools.page import with_tables

FOLDER = "apps/zapier"
_PAGE = "docs/ZAPIER_INTEGRATION.md"
PLATFORM_VERSION = "19.1.0"  # of zapier-platform-core
_VERSION = "1.0.0"
# Of a sample: no run has it.
_SAMPLE_RUN = "run_032asvoIJtqWn0GGw1sIDt"

# Of the API only: an authorization server refuses a client that shows its secret and a token besides.
_BEFORE_REQUEST = """
const token = bundle.authData.%s;
if (token && request.url.startsWith('%s/')) request.headers.Authorization = 'Bearer ' + token;
return request;
"""

# In which words a problem+json, or an OAuth error, reaches whoever looks at the Zap. Where the key, or a
# refresh, is refused, the user has to connect again. Zapier by itself tries a 429 again after its
# Retry-After, and refreshes a token at a 401.
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

# Of the fields that filter only those that are filled in.
_SUBSCRIBE = """
const filters = %s
  .filter((path) => bundle.inputData[path])
  .map((path) => ({ path: path, op: 'equals', value: bundle.inputData[path] }));
return z.request({
  method: 'POST',
  url: '%s/hooks',
  body: { targetUrl: bundle.targetUrl, event: '%s', filters: filters },
}).then((response) => response.data);
"""

# A hook that is gone already is no trouble: the Zap is turned off all the same.
_UNSUBSCRIBE = """
return z.request({
  method: 'DELETE',
  url: '%s/hooks/' + bundle.subscribeData.id,
  skipThrowForStatus: true,
}).then((response) => {
  if (response.status >= 400 && response.status !== 404) {
    throw new z.errors.Error((response.data || {}).detail || 'Not unsubscribed', 'failed', response.status);
  }
  return {};
});
"""

# A hundred at a time; the cursor is the id of the last one. On a first page no cursor is kept from before.
_CHOICES = """
const first = !bundle.meta.page;
return (first ? Promise.resolve('') : z.cursor.get()).then((cursor) => {
  if (!first && !cursor) return [];
  return z.request({ url: '%s', params: cursor ? { cursor: cursor } : {} }).then((response) => {
    const found = response.data;
    const next = found.length === 100 ? found[99].id : '';
    return (first && !next ? Promise.resolve() : z.cursor.set(next)).then(() => found);
  });
});
"""

# What has exactly that name or ID comes first: Zapier takes the first one, unless its user asks for all.
_SEARCH = """
const wanted = String(bundle.inputData.search).trim();
const isExact = (one) => one.id === wanted || one.label.toLowerCase() === wanted.toLowerCase();
return z.request({ url: '%s', params: { search: wanted } }).then((response) => {
  const found = response.data;
  return found.filter(isExact).concat(found.filter((one) => !isExact(one)));
});
"""

# Zapier's editor waits for no callback: there the run is looked at until it has ended. If that takes longer
# than the editor waits (30 s), its user sees the sample, and so the fields to go on with.
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
    throw new z.errors.Error(run.error || 'The platform could not do it.', 'action_failed', 400);
  }
  if (Date.now() >= until) return Object.assign({ id: run.id }, %s);
  return new Promise((resolve) => setTimeout(resolve, 1000))
    .then(() => z.request({ url: api + '/runs/' + run.id }))
    .then((response) => result(response.data));
};
return start().then(result);
"""

# What the callback brought: `{runId, status, output, error}`.
_RESUME = """
const run = bundle.cleanedRequest;
if (run.status !== 'SUCCEEDED') {
  throw new z.errors.Error(run.error || 'The platform could not do it.', 'action_failed', 400);
}
return Object.assign({ id: run.runId }, run.output);
"""


def files() -> dict[str, str]:
    """The definitions, and the page with the tables of what is in them, by path."""
    made = definitions(json.loads((ROOT / FOLDER / "settings.json").read_text()))
    texts = {f"{FOLDER}/{name}": as_file(app) for name, app in made.items()}
    return {**texts, _PAGE: with_tables(_PAGE, "zapier", tables())}


def definitions(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The app with API keys, and the one with OAuth where the settings have an authorization server."""
    base = settings["baseUrl"]
    by_key = _app(base, _api_key(base, settings["apiKeysUrl"]), "apiKey")
    made = {"zapier-app-definition.json": by_key}
    if "oauth2" in settings:
        oauth = _oauth(base, settings["oauth2"])
        made["zapier-app-definition.oauth.json"] = _app(base, oauth, "access_token")
    return made


def _app(base: str, authentication: dict[str, Any], token: str) -> dict[str, Any]:
    api = f"{base}/api/automations/zapier"
    return {
        "version": _VERSION,
        "platformVersion": PLATFORM_VERSION,
        "authentication": authentication,
        "beforeRequest": [_source(_BEFORE_REQUEST % (token, base), "request", "z", "bundle")],
        "afterResponse": [_source(_AFTER_RESPONSE, "response", "z", "bundle")],
        "triggers": {
            **{entry.key.lower(): _trigger(api, entry) for entry in triggers()},
            **{name: _dropdown(api, name) for name in sorted(choice_resources())},
        },
        "creates": {action.key: _create(api, action) for action in all_actions()},
        "searches": {f"find_{_one(name)}": _search(api, name) for name in sorted(resources())},
    }


def _source(code: str, *arguments: str) -> dict[str, Any]:
    """A function of these arguments; by default Zapier gives it `z` and `bundle`."""
    return {"source": code.strip(), **({"args": list(arguments)} if arguments else {})}


# ── authentication ───────────────────────────────────────────────────────────────────────────────────


def _test(base: str) -> dict[str, Any]:
    return {"method": "GET", "url": f"{base}/api/automations/zapier/me"}


def _api_key(base: str, made_at: str) -> dict[str, Any]:
    return {
        "type": "custom",
        "fields": [
            {
                "key": "apiKey",
                "label": "API Key",
                "type": "password",
                "required": True,
                "helpText": f"A key with the scope automations:use. [Make one here]({made_at}).",
            }
        ],
        "test": _test(base),
        "connectionLabel": "{{label}}",
    }


def _oauth(base: str, settings: dict[str, str]) -> dict[str, Any]:
    # RFC 6749, 4.1 and 6, with PKCE (RFC 7636).
    client = {"client_id": "{{process.env.CLIENT_ID}}", "client_secret": "{{process.env.CLIENT_SECRET}}"}

    def token(url: str, **grant: str) -> dict[str, Any]:
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


def _trigger(api: str, entry: Entry) -> dict[str, Any]:
    chosen = [field for field in fields_of(entry.json_schema) if field.choices]
    paths = json.dumps([field.name for field in chosen])
    return {
        "key": entry.key.lower(),
        "noun": entry.noun,
        "display": {"label": entry.label, "description": entry.description},
        "operation": {
            "type": "hook",
            "inputFields": [_filter(field) for field in chosen],
            "performSubscribe": _source(_SUBSCRIBE % (paths, api, entry.key)),
            "performUnsubscribe": _source(_UNSUBSCRIBE % api),
            "performList": {"method": "GET", "url": f"{api}/triggers/{entry.key}/samples"},
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


def _filter(field: Field) -> dict[str, Any]:
    return {
        "key": field.name,
        "label": field.title.removesuffix(" ID"),
        "type": "string",
        "required": False,
        "dynamic": f"{field.choices}.id.label",
        "helpText": "Only what has this; leave it empty for all.",
    }


def _dropdown(api: str, name: str) -> dict[str, Any]:
    label = name.title()
    return {
        "key": name,
        "noun": _one(label),
        "display": {
            "label": f"List {label}",
            "description": f"Triggers when the {name} to choose from are listed.",
            "hidden": True,
        },
        "operation": {
            "type": "polling",
            "canPaginate": True,
            "perform": _source(_CHOICES % f"{api}/choices/{name}"),
            **_entry_of(name),
        },
    }


def _one(name: str) -> str:
    """Of a list's name, its singular."""
    return name.removesuffix("s")


def _entry_of(name: str) -> dict[str, Any]:
    """What an entry of a list is: its sample, and its fields."""
    return {
        "sample": {"id": f"{name[:3]}_1", "label": f"{_one(name).title()} One"},
        "outputFields": [
            {"key": "id", "label": "ID", "type": "string", "primary": True},
            {"key": "label", "label": "Label", "type": "string"},
        ],
    }


# ── searches ─────────────────────────────────────────────────────────────────────────────────────────


def _search(api: str, name: str) -> dict[str, Any]:
    one = _one(name)
    return {
        "key": f"find_{one}",
        "noun": one.title(),
        "display": {
            "label": f"Find {one.title()}",
            "description": f"Finds {_article(one)} {one} by name or ID.",
        },
        "operation": {
            "inputFields": [
                {
                    "key": "search",
                    "label": "Name or ID",
                    "type": "string",
                    "required": True,
                    "helpText": "A part of the name, or the beginning of the ID.",
                }
            ],
            "perform": _source(_SEARCH % f"{api}/choices/{name}"),
            **_entry_of(name),
        },
    }


def _article(noun: str) -> str:
    return "an" if noun[0].lower() in "aeiou" else "a"


# ── creates ──────────────────────────────────────────────────────────────────────────────────────────


def _create(api: str, action: Action) -> dict[str, Any]:
    return {
        "key": action.key,
        "noun": action.noun,
        "display": {"label": action.label, "description": action.description},
        "operation": {
            "inputFields": [_input(field) for field in fields_of(action.input)],
            "perform": _source(_START % (api, action.key, json.dumps(action.sample.output))),
            "performResume": _source(_RESUME),
            "sample": {"id": _SAMPLE_RUN, **action.sample.output},
            "outputFields": [
                {"key": "id", "label": "Run ID", "type": "string", "primary": True},
                *(_output(field) for field in fields_of(action.output)),
            ],
        },
    }


def _input(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": field.name,
        "label": field.title.removesuffix(" ID") if field.choices else field.title,
        "type": _type(field),
        "required": field.is_required,
        "helpText": field.description,
    }
    if field.is_list:
        shown["list"] = True
    if field.choices:
        shown["dynamic"] = f"{field.choices}.id.label"
    if field.options:
        shown["choices"] = {option: words(option) for option in field.options}
    return shown


def _output(field: Field, start: str = "") -> dict[str, Any]:
    shown = {"key": f"{start}{field.name}", "label": field.title, "type": _type(field, output=True)}
    return {**shown, "list": True} if field.is_list else shown


def _type(field: Field, *, output: bool = False) -> str:
    if field.format == "date-time":
        return "datetime"
    if field.is_multiline and not output:
        return "text"
    return {"integer": "integer", "number": "number", "boolean": "boolean"}.get(field.kind, "string")


# ── tables of the docs ───────────────────────────────────────────────────────────────────────────────


def tables() -> Iterator[str]:
    """The lines of the docs' tables of triggers and actions. A field in bold is required."""
    yield "| Trigger | Event | |"
    yield "|---|---|---|"
    for entry in triggers():
        yield f"| {entry.label} | `{entry.key}` | {entry.description} |"
    yield ""
    yield "| Search | List | |"
    yield "|---|---|---|"
    for name in sorted(resources()):
        display = _search("", name)["display"]
        yield f"| {display['label']} | `{name}` | {display['description']} |"
    yield ""
    yield "| Action | Key | | Fields |"
    yield "|---|---|---|---|"
    for action in all_actions():
        names = ", ".join(
            f"**{field.name}**" if field.is_required else field.name for field in fields_of(action.input)
        )
        yield f"| {action.label} | `{action.key}` | {action.description} | {names} |"
