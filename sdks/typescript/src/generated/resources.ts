// Generated from openapi.json by `make derived`: change that, not this file.

import type { ConditionalOptions, Http, IdempotentOptions, Options, WriteOptions } from "../http.js";
import type { Page } from "../page.js";
import type * as models from "./models.js";
import type { operations } from "./schema.js";

type Query<Id extends keyof operations> = NonNullable<operations[Id]["parameters"]["query"]>;
type Body<Id extends keyof operations> = operations[Id] extends {
  requestBody?: { content: { "application/json": infer Content } };
}
  ? WithoutKey<Content>
  : never;
// The client sends it as a header, from the options.
type WithoutKey<T> = "idempotencyKey" extends keyof T ? Omit<T, "idempotencyKey"> : T;

/** The results and choices that the platform returns for actions; for its own workspace. */
export class Actions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Complete a run of any workspace with the platform's result. */
  answerRun(id: string, body: Body<"answerRun">, options?: ConditionalOptions): Promise<models.Run> {
    return this.#http.request("PUT", "/api/actions/runs/{id}", { path: { id }, body, options });
  }

  /** Replace a workspace's list of choices for fields that take IDs. */
  setChoices(resource: string, body: Body<"setChoices">, options?: Options): Promise<void> {
    return this.#http.request("PUT", "/api/actions/choices/{resource}", { path: { resource }, body, options });
  }
}

/** API keys. */
export class ApiKeys {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's API keys, newest first, without their daily usage. Ended keys stay listed for 30 days. */
  list(query: Query<"listApiKeys"> = {}, options?: Options): Page<models.ApiKey> {
    return this.#http.page("GET", "/api/integrations/api-keys", { query, options });
  }

  /**
   * Create an API key.
   *
   * Only this response contains `key`.
   */
  create(body: Body<"createApiKey">, options?: IdempotentOptions): Promise<models.ApiKeyWithSecret> {
    return this.#http.request("POST", "/api/integrations/api-keys", { body, idempotent: true, options });
  }

  /** Get an API key with its usage. */
  get(id: string, options?: Options): Promise<models.ApiKey> {
    return this.#http.request("GET", "/api/integrations/api-keys/{id}", { path: { id }, options });
  }

  /**
   * Update an API key.
   *
   * Only the fields that you send change, from the next request on.
   */
  update(id: string, body: Body<"updateApiKey"> = {}, options?: ConditionalOptions): Promise<models.ApiKey> {
    return this.#http.request("PUT", "/api/integrations/api-keys/{id}", { path: { id }, body, options });
  }

  /**
   * Revoke an API key.
   *
   * Patchbay rejects its next request.
   */
  revoke(id: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/integrations/api-keys/{id}", { path: { id }, options });
  }

  /** List the activity log of an API key, newest first. */
  listLogs(id: string, query: Query<"listApiKeyLogs"> = {}, options?: Options): Page<models.LogEntry> {
    return this.#http.page("GET", "/api/integrations/api-keys/{id}/logs", { path: { id }, query, options });
  }

  /**
   * Rotate an API key.
   *
   * The new key has the same settings; the old key keeps working for `overlapSeconds`. Only this response contains
   * `key`.
   */
  rotate(id: string, body: Body<"rotateApiKey"> = {}, options?: WriteOptions): Promise<models.ApiKeyWithSecret> {
    return this.#http.request("POST", "/api/integrations/api-keys/{id}/rotate", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** Verify an API key for a request to one of the platform's own APIs, and count the request if the key is valid. */
  verify(body: Body<"verifyApiKey">, options?: Options): Promise<models.Verification> {
    return this.#http.request("POST", "/api/integrations/api-keys/verify", { body, options });
  }
}

/** The audit log. */
export class Audit {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's requests for changes and for secrets, newest first. */
  list(query: Query<"listAudit"> = {}, options?: Options): Page<models.AuditEntry> {
    return this.#http.page("GET", "/api/audit", { query, options });
  }
}

/** Triggers, hooks, actions and runs of Zapier, Make and n8n. */
export class Automations {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Get the workspace that the credentials belong to. */
  me(platform: string, options?: Options): Promise<models.Me> {
    return this.#http.request("GET", "/api/automations/{platform}/me", { path: { platform }, options });
  }

  /** List the event types that can start an automation. */
  listTriggers(platform: string, options?: Options): Promise<models.Triggers> {
    return this.#http.request("GET", "/api/automations/{platform}/triggers", { path: { platform }, options });
  }

  /** List the newest events of a type, in the format that hooks receive. */
  listSamples(
    platform: string,
    eventType: string,
    query: Query<"listSamples"> = {},
    options?: Options,
  ): Promise<models.Samples> {
    return this.#http.request("GET", "/api/automations/{platform}/triggers/{eventType}/samples", {
      path: { platform, eventType },
      query,
      options,
    });
  }

  /** List the hooks of one automation platform, newest first. */
  listHooks(platform: string, query: Query<"listHooks"> = {}, options?: Options): Page<models.Hook> {
    return this.#http.page("GET", "/api/automations/{platform}/hooks", { path: { platform }, query, options });
  }

  /**
   * Subscribe an automation to events.
   *
   * Only this response contains the signing secret.
   */
  subscribe(
    platform: string,
    body: Body<"subscribe">,
    options?: IdempotentOptions,
  ): Promise<models.KnownHook | models.SubscribedHook> {
    return this.#http.request("POST", "/api/automations/{platform}/hooks", {
      path: { platform },
      body,
      idempotent: true,
      options,
    });
  }

  /** Get a hook. */
  getHook(platform: string, id: string, options?: Options): Promise<models.Hook> {
    return this.#http.request("GET", "/api/automations/{platform}/hooks/{id}", { path: { platform, id }, options });
  }

  /** Remove a hook. */
  unsubscribe(platform: string, id: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/automations/{platform}/hooks/{id}", { path: { platform, id }, options });
  }

  /** List the actions that an automation can start. */
  listActions(platform: string, options?: Options): Promise<models.Actions> {
    return this.#http.request("GET", "/api/automations/{platform}/actions", { path: { platform }, options });
  }

  /** List the IDs that a field accepts, for dropdowns. */
  listChoices(
    platform: string,
    resource: string,
    query: Query<"listChoices"> = {},
    options?: Options,
  ): Promise<models.Choices> {
    return this.#http.request("GET", "/api/automations/{platform}/choices/{resource}", {
      path: { platform, resource },
      query,
      options,
    });
  }

  /**
   * Start a run of an action.
   *
   * The platform completes it within 15 minutes.
   */
  startRun(
    platform: string,
    key: string,
    body: Body<"startRun"> = {},
    options?: IdempotentOptions,
  ): Promise<models.Run> {
    return this.#http.request("POST", "/api/automations/{platform}/actions/{key}", {
      path: { platform, key },
      body,
      idempotent: true,
      options,
    });
  }

  /** List the runs of one automation platform, newest first. */
  listRuns(platform: string, query: Query<"listRuns"> = {}, options?: Options): Page<models.Run> {
    return this.#http.page("GET", "/api/automations/{platform}/runs", { path: { platform }, query, options });
  }

  /** List the runs of all automation platforms, newest first. */
  listAllRuns(query: Query<"listAllRuns"> = {}, options?: Options): Page<models.Run> {
    return this.#http.page("GET", "/api/automations/runs", { query, options });
  }

  /** Get a run with its status and result. */
  getRun(platform: string, id: string, options?: Options): Promise<models.Run> {
    return this.#http.request("GET", "/api/automations/{platform}/runs/{id}", { path: { platform, id }, options });
  }
}

/** Connect links, on whose page your users connect their accounts. */
export class ConnectSessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List connect sessions, newest first. */
  list(query: Query<"listConnectSessions"> = {}, options?: Options): Page<models.ConnectSession> {
    return this.#http.page("GET", "/api/connect/sessions", { query, options });
  }

  /**
   * Create a link that connects one account.
   *
   * Only this response contains the link.
   */
  create(body: Body<"createConnectSession">, options?: Options): Promise<models.ConnectSessionLink> {
    return this.#http.request("POST", "/api/connect/sessions", { body, options });
  }

  /**
   * Revoke a connect link.
   *
   * Patchbay rejects its next request.
   */
  revoke(id: string, options?: Options): Promise<void> {
    return this.#http.request("DELETE", "/api/connect/sessions/{id}", { path: { id }, options });
  }

  /**
   * Get the contents of a connect link's page.
   *
   * Needs the token of a connect link.
   */
  getPage(options?: Options): Promise<models.ConnectPage> {
    return this.#http.request("GET", "/api/connect/session", { options });
  }
}

/** Connections to providers. */
export class Connections {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Start an authorization code flow.
   *
   * Returns the URL to send the user to.
   */
  initiate(id: string, body: Body<"initiateOauth">, options?: IdempotentOptions): Promise<models.Authorization> {
    return this.#http.request("POST", "/api/integrations/{id}/oauth/initiate", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** Complete an authorization code flow with the parameters of the provider's redirect. */
  complete(body: Body<"completeOauth">, options?: IdempotentOptions): Promise<models.Connection> {
    return this.#http.request("POST", "/api/integrations/oauth/callback", { body, idempotent: true, options });
  }

  /** Refresh a connection's token now. */
  refresh(id: string, body: Body<"refreshConnection"> = {}, options?: Options): Promise<models.Connection> {
    return this.#http.request("POST", "/api/integrations/{id}/oauth/refresh", { path: { id }, body, options });
  }

  /** List an integration's connections, newest first. */
  list(id: string, query: Query<"listConnections"> = {}, options?: Options): Page<models.Connection> {
    return this.#http.page("GET", "/api/integrations/{id}/connections", { path: { id }, query, options });
  }

  /** Connect with an API key or basic credentials. */
  create(id: string, body: Body<"createConnection">, options?: IdempotentOptions): Promise<models.Connection> {
    return this.#http.request("POST", "/api/integrations/{id}/connections", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** List the connections of all integrations of the workspace, newest first. */
  listAll(query: Query<"listAllConnections"> = {}, options?: Options): Page<models.Connection> {
    return this.#http.page("GET", "/api/connections", { query, options });
  }

  /** Get a connection by its name or ID. */
  get(id: string, connectionId: string, options?: Options): Promise<models.Connection> {
    return this.#http.request("GET", "/api/integrations/{id}/connections/{connectionId}", {
      path: { id, connectionId },
      options,
    });
  }

  /** Delete a connection, here and at the provider. */
  delete(id: string, connectionId: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/integrations/{id}/connections/{connectionId}", {
      path: { id, connectionId },
      options,
    });
  }

  /** Get the access token, refreshed if necessary, or the credentials. */
  token(
    id: string,
    connectionId: string,
    options?: Options,
  ): Promise<models.AccessToken | models.ConnectionCredentials> {
    return this.#http.request("GET", "/api/integrations/{id}/connections/{connectionId}/token", {
      path: { id, connectionId },
      options,
    });
  }
}

/** Deliveries of all webhooks. */
export class Deliveries {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the deliveries of the workspace's webhooks, newest event first. */
  list(query: Query<"listAllDeliveries"> = {}, options?: Options): Page<models.Delivery> {
    return this.#http.page("GET", "/api/deliveries", { query, options });
  }
}

/** Events. */
export class Events {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's events, newest first, without their data. */
  list(query: Query<"listEvents"> = {}, options?: Options): Page<models.EventSummary> {
    return this.#http.page("GET", "/api/events", { query, options });
  }

  /**
   * Publish an event.
   *
   * Patchbay delivers it to every matching webhook.
   */
  publish(body: Body<"publishEvent">, options?: IdempotentOptions): Promise<models.PublishedEvent> {
    return this.#http.request("POST", "/api/events", { body, idempotent: true, options });
  }

  /** Get an event with its deliveries, and the webhooks that did not get it, with the reasons. */
  get(id: string, options?: Options): Promise<models.Event> {
    return this.#http.request("GET", "/api/events/{id}", { path: { id }, options });
  }

  /** Erase the data of an event, with the responses of receivers and flows. The event cannot be resent. */
  eraseData(id: string, options?: Options): Promise<void> {
    return this.#http.request("DELETE", "/api/events/{id}/data", { path: { id }, options });
  }

  /**
   * Publish up to 100 events.
   *
   * Each item of the response is a published event, or an error.
   */
  publishBatch(body: Body<"publishEvents">, options?: IdempotentOptions): Promise<models.PublishedEvents> {
    return this.#http.request("POST", "/api/events/batch", { body, idempotent: true, options });
  }
}

/** Flows and their runs. */
export class Flows {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's flows, newest first. */
  list(query: Query<"listFlows"> = {}, options?: Options): Page<models.Flow> {
    return this.#http.page("GET", "/api/flows", { query, options });
  }

  /** Create a flow: steps that run for each event that matches its trigger. */
  create(body: Body<"createFlow">, options?: IdempotentOptions): Promise<models.Flow> {
    return this.#http.request("POST", "/api/flows", { body, idempotent: true, options });
  }

  /** List the flow templates, with the choices that each one needs. */
  listTemplates(options?: Options): Page<models.FlowTemplate> {
    return this.#http.page("GET", "/api/flows/templates", { options });
  }

  /** Create a flow from a template and your choices. */
  install(key: string, body: Body<"installFlow"> = {}, options?: IdempotentOptions): Promise<models.Flow> {
    return this.#http.request("POST", "/api/flows/templates/{key}/install", {
      path: { key },
      body,
      idempotent: true,
      options,
    });
  }

  /** Get a flow. */
  get(id: string, options?: Options): Promise<models.Flow> {
    return this.#http.request("GET", "/api/flows/{id}", { path: { id }, options });
  }

  /**
   * Update a flow.
   *
   * Only the fields that you send change.
   */
  update(id: string, body: Body<"updateFlow"> = {}, options?: ConditionalOptions): Promise<models.Flow> {
    return this.#http.request("PUT", "/api/flows/{id}", { path: { id }, body, options });
  }

  /**
   * Delete a flow.
   *
   * You can still get its runs until they expire.
   */
  delete(id: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/flows/{id}", { path: { id }, options });
  }

  /** Activate or deactivate a flow. */
  setStatus(id: string, body: Body<"setFlowStatus">, options?: ConditionalOptions): Promise<models.Flow> {
    return this.#http.request("PUT", "/api/flows/{id}/status", { path: { id }, body, options });
  }

  /**
   * Show what a definition would do with an event.
   *
   * Nothing is sent or stored.
   */
  dryRun(body: Body<"dryRunFlow">, options?: Options): Promise<models.DryRun> {
    return this.#http.request("POST", "/api/flows/dry-run", { body, options });
  }

  /** List the runs of a flow, newest event first. */
  listRuns(id: string, query: Query<"listFlowRuns"> = {}, options?: Options): Page<models.FlowRun> {
    return this.#http.page("GET", "/api/flows/{id}/runs", { path: { id }, query, options });
  }

  /** Get a run of a flow, step by step. */
  getRun(id: string, runId: string, options?: Options): Promise<models.FlowRunDetail> {
    return this.#http.request("GET", "/api/flows/{id}/runs/{runId}", { path: { id, runId }, options });
  }
}

/** The state of the deployment. */
export class Health {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Get the status and version of the API.
   *
   * Needs no credentials.
   */
  get(options?: Options): Promise<models.Health> {
    return this.#http.request("GET", "/api/health", { options });
  }
}

/** Integrations, providers and the marketplace. */
export class Integrations {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's integrations, newest first. */
  list(query: Query<"listIntegrations"> = {}, options?: Options): Page<models.Integration> {
    return this.#http.page("GET", "/api/integrations", { query, options });
  }

  /** Create an integration. */
  create(body: Body<"createIntegration">, options?: IdempotentOptions): Promise<models.Integration> {
    return this.#http.request("POST", "/api/integrations", { body, idempotent: true, options });
  }

  /** List the health of integrations, webhooks and connections, and how to fix problems. */
  health(query: Query<"integrationHealth"> = {}, options?: Options): Page<models.HealthItem> {
    return this.#http.page("GET", "/api/integrations/health", { query, options });
  }

  /** Get analytics for a period: volumes, success rates and latencies, by hour or day. */
  analytics(query: Query<"integrationAnalytics"> = {}, options?: Options): Page<models.Series> {
    return this.#http.page("GET", "/api/integrations/analytics", { query, options });
  }

  /** List the integrations that can be installed: public integrations, then the built-in templates. */
  marketplace(query: Query<"browseMarketplace"> = {}, options?: Options): Page<models.Integration> {
    return this.#http.page("GET", "/api/integrations/marketplace", { query, options });
  }

  /** Get a public integration or a built-in template from the marketplace. */
  getListing(id: string, options?: Options): Promise<models.Integration> {
    return this.#http.request("GET", "/api/integrations/marketplace/{id}", { path: { id }, options });
  }

  /** List the built-in providers, and the types of custom providers. */
  listProviders(query: Query<"listProviders"> = {}, options?: Options): Page<models.ProviderSummary> {
    return this.#http.page("GET", "/api/integrations/providers", { query, options });
  }

  /** Get what an integration of a provider needs: config, credentials, scopes, hosts. */
  getProvider(key: string, options?: Options): Promise<models.Provider> {
    return this.#http.request("GET", "/api/integrations/providers/{key}", { path: { key }, options });
  }

  /**
   * Get an integration.
   *
   * Secrets are masked unless revealed.
   */
  get(id: string, query: Query<"getIntegration"> = {}, options?: Options): Promise<models.Integration> {
    return this.#http.request("GET", "/api/integrations/{id}", { path: { id }, query, options });
  }

  /**
   * Update an integration.
   *
   * Only the fields that you send change.
   */
  update(id: string, body: Body<"updateIntegration"> = {}, options?: ConditionalOptions): Promise<models.Integration> {
    return this.#http.request("PUT", "/api/integrations/{id}", { path: { id }, body, options });
  }

  /**
   * Delete an integration.
   *
   * Its connections are revoked in the background.
   */
  delete(id: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/integrations/{id}", { path: { id }, options });
  }

  /** Set the status of an integration: active, inactive or error. */
  setStatus(id: string, body: Body<"setIntegrationStatus">, options?: ConditionalOptions): Promise<models.Integration> {
    return this.#http.request("PUT", "/api/integrations/{id}/status", { path: { id }, body, options });
  }

  /** List the activity log of an integration, newest first. */
  listLogs(id: string, query: Query<"listIntegrationLogs"> = {}, options?: Options): Page<models.LogEntry> {
    return this.#http.page("GET", "/api/integrations/{id}/logs", { path: { id }, query, options });
  }

  /** Install a public integration or a template: copy it into your workspace. */
  install(id: string, options?: IdempotentOptions): Promise<models.Integration> {
    return this.#http.request("POST", "/api/integrations/{id}/install", { path: { id }, idempotent: true, options });
  }
}

/** The caller. */
export class Me {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Get the caller: the workspace, the user, API key or session, and the scopes.
   *
   * Needs credentials, and no particular scope.
   */
  get(options?: Options): Promise<models.Caller> {
    return this.#http.request("GET", "/api/me", { options });
  }
}

/** Portal sessions, which open the console for your users. */
export class PortalSessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * List portal sessions, newest first.
   *
   * Needs credentials, and no particular scope.
   */
  list(query: Query<"listPortalSessions"> = {}, options?: Options): Page<models.PortalSession> {
    return this.#http.page("GET", "/api/portal/sessions", { query, options });
  }

  /**
   * Create a console session.
   *
   * Only this response contains its link.
   *
   * Needs credentials, and no particular scope.
   */
  create(body: Body<"createPortalSession"> = {}, options?: Options): Promise<models.PortalSessionLink> {
    return this.#http.request("POST", "/api/portal/sessions", { body, options });
  }

  /**
   * Exchange the one-time code of a console link for the session's token.
   *
   * Needs no credentials.
   */
  exchange(body: Body<"exchangePortalCode">, options?: Options): Promise<models.PortalSessionToken> {
    return this.#http.request("POST", "/api/portal/sessions/exchange", { body, options });
  }

  /**
   * End a portal session.
   *
   * Patchbay rejects its next request.
   *
   * Needs credentials, and no particular scope.
   */
  end(id: string, options?: Options): Promise<void> {
    return this.#http.request("DELETE", "/api/portal/sessions/{id}", { path: { id }, options });
  }
}

/** The platform's reviews of public integrations; for its own workspace. */
export class Publications {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the publications of all workspaces: pending reviews first, then the others. */
  list(query: Query<"listPublications"> = {}, options?: Options): Page<models.Publication> {
    return this.#http.page("GET", "/api/publications", { query, options });
  }

  /** Get a publication: its submitted and listed versions, its copies, and its decisions. */
  get(workspaceId: string, id: string, options?: Options): Promise<models.PublicationDetail> {
    return this.#http.request("GET", "/api/publications/{workspaceId}/{id}", { path: { workspaceId, id }, options });
  }

  /** Decide on a publication: approve or reject the reviewed version, or withdraw the publication. */
  decide(
    workspaceId: string,
    id: string,
    body: Body<"decidePublication">,
    options?: ConditionalOptions,
  ): Promise<models.PublicationDetail> {
    return this.#http.request("PUT", "/api/publications/{workspaceId}/{id}/decision", {
      path: { workspaceId, id },
      body,
      options,
    });
  }
}

/** Tasks that run in the background, such as replays. */
export class Tasks {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's tasks, newest first. */
  list(query: Query<"listTasks"> = {}, options?: Options): Page<models.Task> {
    return this.#http.page("GET", "/api/tasks", { query, options });
  }

  /** Get a task and its progress. */
  get(id: string, options?: Options): Promise<models.Task> {
    return this.#http.request("GET", "/api/tasks/{id}", { path: { id }, options });
  }

  /**
   * Cancel a running task.
   *
   * Deliveries that it already queued are still sent.
   */
  cancel(id: string, options?: Options): Promise<models.Task> {
    return this.#http.request("POST", "/api/tasks/{id}/cancel", { path: { id }, options });
  }
}

/** Webhooks, their deliveries and their feeds. */
export class Webhooks {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** List the workspace's webhooks, newest first; `include` adds their stats and receivers. */
  list(query: Query<"listWebhooks"> = {}, options?: Options): Page<models.Webhook> {
    return this.#http.page("GET", "/api/integrations/webhooks", { query, options });
  }

  /**
   * Create a webhook.
   *
   * Only this response contains its signing secret.
   */
  create(body: Body<"createWebhook">, options?: IdempotentOptions): Promise<models.WebhookWithSecret> {
    return this.#http.request("POST", "/api/integrations/webhooks", { body, idempotent: true, options });
  }

  /** List the event types, with their descriptions, JSON Schemas and samples. */
  eventTypes(options?: Options): Page<models.EventTypeInfo> {
    return this.#http.page("GET", "/api/integrations/webhooks/event-types", { options });
  }

  /** Get a webhook with its stats, its receiver's state and its latest deliveries. */
  get(id: string, options?: Options): Promise<models.WebhookDetail> {
    return this.#http.request("GET", "/api/integrations/webhooks/{id}", { path: { id }, options });
  }

  /**
   * Update a webhook.
   *
   * Only the fields that you send change.
   */
  update(id: string, body: Body<"updateWebhook"> = {}, options?: ConditionalOptions): Promise<models.Webhook> {
    return this.#http.request("PUT", "/api/integrations/webhooks/{id}", { path: { id }, body, options });
  }

  /** Delete a webhook and cancel its waiting deliveries. */
  delete(id: string, options?: ConditionalOptions): Promise<void> {
    return this.#http.request("DELETE", "/api/integrations/webhooks/{id}", { path: { id }, options });
  }

  /** List the activity log of a webhook, newest first. */
  listLogs(id: string, query: Query<"listWebhookLogs"> = {}, options?: Options): Page<models.LogEntry> {
    return this.#http.page("GET", "/api/integrations/webhooks/{id}/logs", { path: { id }, query, options });
  }

  /** Set the status of a webhook: active, paused or inactive. */
  setStatus(id: string, body: Body<"setWebhookStatus">, options?: ConditionalOptions): Promise<models.Webhook> {
    return this.#http.request("PUT", "/api/integrations/webhooks/{id}/status", { path: { id }, body, options });
  }

  /**
   * Rotate the signing secret of a webhook.
   *
   * Only this response contains the new secret. Old secrets keep signing for `overlapSeconds`.
   */
  rotateSecret(
    id: string,
    body: Body<"rotateWebhookSecret"> = {},
    options?: WriteOptions,
  ): Promise<models.WebhookWithSecret> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/rotate-secret", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** Send a test event to the receiver now, and return the attempt. */
  test(id: string, body: Body<"testWebhook"> = {}, options?: IdempotentOptions): Promise<models.Attempt> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/test", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** List a webhook's deliveries, newest event first. */
  listDeliveries(id: string, query: Query<"listDeliveries"> = {}, options?: Options): Page<models.Delivery> {
    return this.#http.page("GET", "/api/integrations/webhooks/{id}/deliveries", { path: { id }, query, options });
  }

  /** Get a delivery with its payload and attempts. */
  getDelivery(id: string, deliveryId: string, options?: Options): Promise<models.DeliveryDetail> {
    return this.#http.request("GET", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}", {
      path: { id, deliveryId },
      options,
    });
  }

  /** Resend a delivery now. */
  retryDelivery(
    id: string,
    deliveryId: string,
    body: Body<"retryDelivery"> = {},
    options?: IdempotentOptions,
  ): Promise<models.Delivery> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry", {
      path: { id, deliveryId },
      body,
      idempotent: true,
      options,
    });
  }

  /** Resend the failed and canceled deliveries of a time range. */
  recover(id: string, body: Body<"recoverDeliveries">, options?: IdempotentOptions): Promise<models.Recovering> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/recover", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** Start a task that resends deliveries of a time range, or sends events that the webhook missed. */
  replay(
    id: string,
    body: Body<"replayDeliveries">,
    options?: IdempotentOptions,
  ): Promise<models.ReplayPreview | models.Task> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/replay", {
      path: { id },
      body,
      idempotent: true,
      options,
    });
  }

  /** Read the next events of a pull webhook. */
  readFeed(id: string, query: Query<"readFeed"> = {}, options?: Options): Promise<models.Feed> {
    return this.#http.request("GET", "/api/integrations/webhooks/{id}/feed", { path: { id }, query, options });
  }

  /** Commit a consumer's position in the feed of a pull webhook. */
  commitFeed(id: string, body: Body<"commitFeed">, options?: Options): Promise<models.FeedConsumer> {
    return this.#http.request("POST", "/api/integrations/webhooks/{id}/feed/commit", { path: { id }, body, options });
  }

  /** List the consumers of a pull webhook's feed, and how far behind they are. */
  listConsumers(id: string, options?: Options): Page<models.FeedConsumer> {
    return this.#http.page("GET", "/api/integrations/webhooks/{id}/feed/consumers", { path: { id }, options });
  }

  /** Delete a consumer of a pull webhook's feed, and its position. */
  deleteConsumer(id: string, consumer: string, options?: Options): Promise<void> {
    return this.#http.request("DELETE", "/api/integrations/webhooks/{id}/feed/consumers/{consumer}", {
      path: { id, consumer },
      options,
    });
  }
}

/** The workspace as a whole: its settings, its export and its erasure. */
export class Workspace {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Get the caller's workspace: its settings, and whether it is being erased.
   *
   * Needs credentials, and no particular scope.
   */
  get(options?: Options): Promise<models.Workspace> {
    return this.#http.request("GET", "/api/workspace", { options });
  }

  /**
   * Update the settings of the workspace.
   *
   * They apply to data stored from now on.
   */
  update(body: Body<"updateWorkspace"> = {}, options?: ConditionalOptions): Promise<models.Workspace> {
    return this.#http.request("PUT", "/api/workspace", { body, options });
  }

  /**
   * Start a task that erases all data of the workspace.
   *
   * It cannot be stopped or undone. A workspace can be erased once a day.
   */
  delete(query: Query<"deleteWorkspace">, options?: Options): Promise<models.Task> {
    return this.#http.request("DELETE", "/api/workspace", { query, options });
  }

  /** Start a task that exports all data of the workspace, except secrets, to a downloadable file. */
  export(options?: IdempotentOptions): Promise<models.Task> {
    return this.#http.request("POST", "/api/workspace/export", { idempotent: true, options });
  }
}

/** The groups of methods of the client. */
export class Resources {
  readonly actions: Actions;
  readonly apiKeys: ApiKeys;
  readonly audit: Audit;
  readonly automations: Automations;
  readonly connectSessions: ConnectSessions;
  readonly connections: Connections;
  readonly deliveries: Deliveries;
  readonly events: Events;
  readonly flows: Flows;
  readonly health: Health;
  readonly integrations: Integrations;
  readonly me: Me;
  readonly portalSessions: PortalSessions;
  readonly publications: Publications;
  readonly tasks: Tasks;
  readonly webhooks: Webhooks;
  readonly workspace: Workspace;

  constructor(http: Http) {
    this.actions = new Actions(http);
    this.apiKeys = new ApiKeys(http);
    this.audit = new Audit(http);
    this.automations = new Automations(http);
    this.connectSessions = new ConnectSessions(http);
    this.connections = new Connections(http);
    this.deliveries = new Deliveries(http);
    this.events = new Events(http);
    this.flows = new Flows(http);
    this.health = new Health(http);
    this.integrations = new Integrations(http);
    this.me = new Me(http);
    this.portalSessions = new PortalSessions(http);
    this.publications = new Publications(http);
    this.tasks = new Tasks(http);
    this.webhooks = new Webhooks(http);
    this.workspace = new Workspace(http);
  }
}
