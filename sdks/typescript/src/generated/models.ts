// Generated from openapi.json by `make derived`: change that, not this file.

import type { components } from "./schema.js";

type Schemas = components["schemas"];

/** An access token that is valid for at least a minute, if the provider issues such tokens. */
export type AccessToken = Schemas["AccessToken"];
/** The account at the provider. */
export type Account = Schemas["Account"];
/** An action. `input` and `output` are JSON Schemas. A string with `x-choices` takes an ID from that list of choices. */
export type ActionInfo = Schemas["ActionInfo"];
/** The `data` of the event `ACTION_REQUESTED`. */
export type ActionRequestedData = Schemas["ActionRequestedData"];
export type ActionRequestedDataPlatform = Schemas["ActionRequestedDataPlatform"];
/** Triggers when an automation asks the platform to do something. */
export type ActionRequestedEvent = Schemas["ActionRequestedEvent"];
/** An array, as the automation platforms require. */
export type Actions = Schemas["Actions"];
/** The `data` of the event `ALERT_TRIGGERED`. */
export type AlertTriggeredData = Schemas["AlertTriggeredData"];
export type AlertTriggeredDataSeverity = Schemas["AlertTriggeredDataSeverity"];
/** Triggers when an alert's condition is met, such as a sudden rise in mentions. */
export type AlertTriggeredEvent = Schemas["AlertTriggeredEvent"];
/**
 * One series without `groupBy`, otherwise one per group: integrations, webhooks and connections newest first, event
 * types by number of attempts. The series cover the period from `since` to `until`. It ends with the last complete
 * hour; each hour is added 15 minutes after it ends.
 */
export type Analytics = Schemas["Analytics"];
export type AnalyticsBy = Schemas["AnalyticsBy"];
/** The platform's result for a run. */
export type AnswerRun = Schemas["AnswerRun"];
/**
 * A key without its secret. `rotatedFrom` is the key that this one replaced.
 *
 * `rotation` is the key's own policy; if it is null, the workspace's policy applies. `nextRotationAt` is when the key
 * is due under that policy. `lastError` is why its rotation has not succeeded yet.
 */
export type ApiKey = Schemas["ApiKey"];
/** The `data` of the event `API_KEY_CREATED`. */
export type ApiKeyCreatedData = Schemas["ApiKeyCreatedData"];
/** Triggers when an API key is created. */
export type ApiKeyCreatedEvent = Schemas["ApiKeyCreatedEvent"];
/** The `data` of the event `API_KEY_EXPIRING`. */
export type ApiKeyExpiringData = Schemas["ApiKeyExpiringData"];
/** Triggers when an API key is about to expire, 7 days and 1 day before. */
export type ApiKeyExpiringEvent = Schemas["ApiKeyExpiringEvent"];
export type ApiKeyList = Schemas["ApiKeyList"];
/** The `data` of the event `API_KEY_REVOKED`. */
export type ApiKeyRevokedData = Schemas["ApiKeyRevokedData"];
/** Triggers when an API key is revoked. */
export type ApiKeyRevokedEvent = Schemas["ApiKeyRevokedEvent"];
/** The `data` of the event `API_KEY_ROTATED`. */
export type ApiKeyRotatedData = Schemas["ApiKeyRotatedData"];
/** Triggers when an API key is rotated. */
export type ApiKeyRotatedEvent = Schemas["ApiKeyRotatedEvent"];
/** The `data` of the event `API_KEY_ROTATION_DUE`. */
export type ApiKeyRotationDueData = Schemas["ApiKeyRotationDueData"];
/** Triggers when an API key that Patchbay does not rotate automatically is due for rotation, and 7 days before. */
export type ApiKeyRotationDueEvent = Schemas["ApiKeyRotationDueEvent"];
/** The `data` of the event `API_KEY_ROTATION_FAILED`. */
export type ApiKeyRotationFailedData = Schemas["ApiKeyRotationFailedData"];
/** Triggers when an API key is due for rotation but the new key cannot be delivered, once a day. */
export type ApiKeyRotationFailedEvent = Schemas["ApiKeyRotationFailedEvent"];
/** A new API key. Only this response contains it. */
export type ApiKeyWithSecret = Schemas["ApiKeyWithSecret"];
/** The `data` of the event `APPROVAL_COMPLETED`. */
export type ApprovalCompletedData = Schemas["ApprovalCompletedData"];
export type ApprovalCompletedDataDecision = Schemas["ApprovalCompletedDataDecision"];
/** Triggers when a post is approved or rejected. */
export type ApprovalCompletedEvent = Schemas["ApprovalCompletedEvent"];
/** The `data` of the event `APPROVAL_REQUESTED`. */
export type ApprovalRequestedData = Schemas["ApprovalRequestedData"];
/** Triggers when someone asks for a post to be approved. */
export type ApprovalRequestedEvent = Schemas["ApprovalRequestedEvent"];
/**
 * One request and its result. `statusCode` is null if there was no response; then `error` says why.
 *
 * Patchbay stores up to 16 KB of the decoded response body for a failure or a test, and less than 1 KB for a success.
 * If the response is not shown, `withheld` says why, `responseBody` is null and `responseHeaders` is empty.
 */
export type Attempt = Schemas["Attempt"];
/** Why there was no response. `code` is stable, such as `timeout` or `dns_failed`. */
export type AttemptError = Schemas["AttemptError"];
export type AttemptTrigger = Schemas["AttemptTrigger"];
/**
 * A request for a change or a secret. Kept for 400 days.
 *
 * `action` is the route, such as `webhooks.update`. `actorLabel` says who uses the portal session of the request.
 * `target` is the resource in the path, or the created resource. `fields` has the names of the fields that the body
 * sets, never their values. `REFUSED` means that the caller does not have permission, or that their API key has expired
 * or was revoked. `reason` is the error code of a request that was REFUSED or FAILED.
 */
export type AuditEntry = Schemas["AuditEntry"];
export type AuditEntryList = Schemas["AuditEntryList"];
export type AuditEntryOutcome = Schemas["AuditEntryOutcome"];
/** How a connection gets access: an OAuth grant, or credentials that its owner enters. */
export type AuthType = Schemas["AuthType"];
/** Where to send the user. The provider returns `state` with them. */
export type Authorization = Schemas["Authorization"];
/** The platform that an automation runs on. */
export type AutomationPlatform = Schemas["AutomationPlatform"];
/** The query parameters of the provider's redirect, including provider-specific ones. */
export type Callback = Schemas["Callback"];
/**
 * The owner of the credentials. `id` has the format of `createdBy`: `user:…`, the ID of the API key, or `session:…`.
 *
 * A user has a `role` unless their token lists its scopes. A session has no role.
 */
export type Caller = Schemas["Caller"];
/** The API key of the caller. Both limits apply to its requests. */
export type CallerKey = Schemas["CallerKey"];
/** The portal session of the caller. `returnUrl` is where to send the user when the session ends. */
export type CallerSession = Schemas["CallerSession"];
export type CallerType = Schemas["CallerType"];
/** The `data` of the event `CAMPAIGN_COMPLETED`. */
export type CampaignCompletedData = Schemas["CampaignCompletedData"];
/** Triggers when a campaign has ended. */
export type CampaignCompletedEvent = Schemas["CampaignCompletedEvent"];
/** The `data` of the event `CAMPAIGN_STARTED`. */
export type CampaignStartedData = Schemas["CampaignStartedData"];
/** Triggers when a campaign starts. */
export type CampaignStartedEvent = Schemas["CampaignStartedEvent"];
export type Choice = Schemas["Choice"];
/** An array, as the automation platforms require. */
export type Choices = Schemas["Choices"];
/** The `consumer` has processed all events up to `sequence`. `rewind` allows it to move backward. */
export type Commit = Schemas["Commit"];
/** The contents of a connect link's page. */
export type ConnectPage = Schemas["ConnectPage"];
/** A connect session without its link. `integrationId` and `connection` are set once it has connected an account. */
export type ConnectSession = Schemas["ConnectSession"];
/** A new session. Only this response contains its link. */
export type ConnectSessionLink = Schemas["ConnectSessionLink"];
export type ConnectSessionList = Schemas["ConnectSessionList"];
/**
 * OPEN until the link has created its connection. COMPLETED, REVOKED and EXPIRED links no longer work. A link also
 * stops working with the API key that created it, which its status does not show.
 */
export type ConnectSessionStatus = Schemas["ConnectSessionStatus"];
/**
 * One of the integrations of a link. `provider` is its key, `providerName` its name.
 *
 * `isKnown` is true for a built-in provider. If it is false, someone in the workspace entered the names and the sign-in
 * page: show `authorizationOrigin`, the origin of that page.
 *
 * With OAuth, start a flow with `redirectUri`. Otherwise `credentialsSchema` describes the `credentials` of the
 * connection, as JSON Schema 2020-12. `isActive` is false while accounts cannot be connected.
 */
export type ConnectableIntegration = Schemas["ConnectableIntegration"];
/** `connectionId` is the name that the caller chose. */
export type Connection = Schemas["Connection"];
/** The `data` of the event `CONNECTION_CREATED`. */
export type ConnectionCreatedData = Schemas["ConnectionCreatedData"];
/** Triggers when an account is connected. */
export type ConnectionCreatedEvent = Schemas["ConnectionCreatedEvent"];
/** The credentials of a connection without OAuth. */
export type ConnectionCredentials = Schemas["ConnectionCredentials"];
/** The `data` of the event `CONNECTION_EXPIRED`. */
export type ConnectionExpiredData = Schemas["ConnectionExpiredData"];
/** Triggers when a connected account must be connected again. */
export type ConnectionExpiredEvent = Schemas["ConnectionExpiredEvent"];
export type ConnectionList = Schemas["ConnectionList"];
/** The `data` of the event `CONNECTION_RECOVERED`. */
export type ConnectionRecoveredData = Schemas["ConnectionRecoveredData"];
export type ConnectionRecoveredDataPreviousStatus = Schemas["ConnectionRecoveredDataPreviousStatus"];
/** Triggers when a connection that had expired or failed works again. */
export type ConnectionRecoveredEvent = Schemas["ConnectionRecoveredEvent"];
/** The `data` of the event `CONNECTION_REVOKED`. */
export type ConnectionRevokedData = Schemas["ConnectionRevokedData"];
export type ConnectionRevokedDataStatusReason = Schemas["ConnectionRevokedDataStatusReason"];
/** Triggers when a connection or its integration is deleted. */
export type ConnectionRevokedEvent = Schemas["ConnectionRevokedEvent"];
/**
 * ERROR: refreshes fail for a reason other than the grant, and Patchbay retries. EXPIRED: the user must connect again.
 * REVOKED: being removed.
 */
export type ConnectionStatus = Schemas["ConnectionStatus"];
/** The `data` of the event `CONVERSATION_ASSIGNED`. */
export type ConversationAssignedData = Schemas["ConversationAssignedData"];
/** Triggers when a conversation is assigned to a member or a team. */
export type ConversationAssignedEvent = Schemas["ConversationAssignedEvent"];
/**
 * A new key. The limits apply to sliding windows of an hour and a day. By default, the key never expires, and the
 * workspace's rotation policy applies.
 */
export type CreateApiKey = Schemas["CreateApiKey"];
/**
 * A new connect link. The user chooses one of the `integrations`, which must be active, and connects an account, once.
 *
 * `connectionId` is the name of the connection; an existing connection with this name is replaced. By default, it is
 * the ID of the session, so nothing is replaced. `scopes` can be a subset of the integration's scopes, if there is only
 * one integration. The page shows `workspaceName` and `requestedBy`, so that people know who gets access. Afterwards,
 * it links to `returnUrl`.
 */
export type CreateConnectSession = Schemas["CreateConnectSession"];
/**
 * For providers without OAuth. `credentials` has the fields that the provider requires. For a custom provider:
 * `apiKey`, or `username` and `password`.
 */
export type CreateConnection = Schemas["CreateConnection"];
/** An INACTIVE flow is stored but does not run. */
export type CreateFlow = Schemas["CreateFlow"];
/**
 * `config` has the OAuth client (`clientId`, `clientSecret`, `redirectUris`) and, for a custom provider, its URLs.
 * Unknown fields of `config` are stored as secrets.
 */
export type CreateIntegration = Schemas["CreateIntegration"];
/**
 * A new console session. `capabilities` are scopes that you can grant; by default, all of your scopes that Patchbay
 * defines, except `credentials:…`, `workspace:…` and `actions:…`. `credentials:read` is never allowed, because access
 * tokens must not reach a browser. With `readOnly`, the session has only read scopes and cannot make changes.
 */
export type CreatePortalSession = Schemas["CreatePortalSession"];
/**
 * `secret` is your own signing secret, for example when you migrate from another system: `whsec_` and the base64 of 24
 * to 64 random bytes (Standard Webhooks). By default, Patchbay generates one.
 */
export type CreateWebhook = Schemas["CreateWebhook"];
/** The number of allowed requests on one day (UTC). */
export type DailyUse = Schemas["DailyUse"];
/**
 * The platform's decision on a public integration. APPROVE and REJECT need the reviewed `version` and complete its
 * pending review. WITHDRAW revokes an approval at any version and stops the copies. An approval sets `publisherName`
 * and `verified`.
 */
export type DecidePublication = Schemas["DecidePublication"];
export type DecidePublicationDecision = Schemas["DecidePublicationDecision"];
/**
 * `statusReason` says why the delivery has not succeeded (yet): `http_500`, `timeout`, `retries_exhausted:http_500`,
 * `held:timeouts` …
 */
export type Delivery = Schemas["Delivery"];
/**
 * `payload` is the request body; null if the event is no longer stored or its data was erased. `attempts` has the last
 * 100 attempts. If their responses do not fit into one API response, the oldest ones are withheld.
 */
export type DeliveryDetail = Schemas["DeliveryDetail"];
/** The `data` of the event `DELIVERY_FAILED`. */
export type DeliveryFailedData = Schemas["DeliveryFailedData"];
/** Triggers when a delivery fails after all retries, at most once an hour per webhook. */
export type DeliveryFailedEvent = Schemas["DeliveryFailedEvent"];
export type DeliveryList = Schemas["DeliveryList"];
/**
 * `matches` says whether the event starts the flow; if not, `detail` says why. `steps` has all steps, in the order of
 * the definition. Nothing was sent or stored.
 */
export type DryRun = Schemas["DryRun"];
/** The event of the dry run. */
export type DryRunEvent = Schemas["DryRunEvent"];
/** A definition, and the event for the dry run: by default, the sample of the first event type. */
export type DryRunFlow = Schemas["DryRunFlow"];
/**
 * What a step would do. `output` is an example. `detail` describes what would happen. `missing` has the paths of values
 * that the event does not have.
 */
export type DryRunStep = Schemas["DryRunStep"];
export type DryRunStepStatus = Schemas["DryRunStepStatus"];
export type DryRunStepType = Schemas["DryRunStepType"];
/** `{}`, the response to a DELETE: Zapier's client cannot read a 204. */
export type Empty = Schemas["Empty"];
/** The value at `path` equals `value`. */
export type EqualsFilter = Schemas["EqualsFilter"];
/**
 * `unmatched` has up to 50 webhooks that subscribe to the event type but did not get the event, newest first;
 * `unmatchedTruncated` says whether there are more. It reflects the current webhooks. It is null for callers without
 * the scope webhooks:read. `erasedAt` is when the data was erased; then `data` is empty. `depth` is the number of flows
 * in the chain of events that caused this one, and `causedBy` is the previous event in that chain.
 */
export type Event = Schemas["Event"];
/** `status` is PENDING until the first attempt starts. */
export type EventDelivery = Schemas["EventDelivery"];
/** A pull webhook whose feed has the event. `id` is the `webhook-id` of its item there. */
export type EventFeed = Schemas["EventFeed"];
/** A flow that the event started, and its run. */
export type EventFlow = Schemas["EventFlow"];
export type EventStatus = Schemas["EventStatus"];
/**
 * An event in a list. `source` is `api`, `bus`, `patchbay`, or `flow` for events that a flow sent to a webhook.
 *
 * A REJECTED event came from the event bus and is invalid. It is stored with its `statusReason` but not delivered. Its
 * `type` is empty if the bus event has no valid type.
 */
export type EventSummary = Schemas["EventSummary"];
export type EventSummaryList = Schemas["EventSummaryList"];
/**
 * An event type as the catalogue's route returns it. `schema` (JSON Schema 2020-12) and `sample` describe an event's
 * `data`, which may have further fields.
 *
 * `kind`: `publishable` events come from the platform and its workspaces, `operational` events are Patchbay's own, and
 * `platform` events go only to the platform's own workspace.
 */
export type EventTypeInfo = Schemas["EventTypeInfo"];
export type EventTypeInfoKind = Schemas["EventTypeInfoKind"];
export type EventTypeInfoList = Schemas["EventTypeInfoList"];
/** The input of an action and its output. */
export type Example = Schemas["Example"];
/** The code is in the fragment of the link. */
export type ExchangeCode = Schemas["ExchangeCode"];
/** A value at `path` exists (`true`) or does not (`false`); null is a value. */
export type ExistsFilter = Schemas["ExistsFilter"];
/** A value at `path` exists (`true`) or does not (`false`); null is a value. */
export type ExistsFilterInput = Schemas["ExistsFilterInput"];
/**
 * The file of an export: NDJSON, one record in each line. `url` needs no credentials and works until `urlExpiresAt`.
 * Get the task again for a new URL. The file is deleted at `expiresAt`.
 */
export type ExportFile = Schemas["ExportFile"];
export type Failed = Schemas["Failed"];
/**
 * The next events, oldest first. Pass `cursor` to continue. If `hasMore` is true, more events are available now;
 * otherwise, read again after `nextPollMs`. `truncated` means that events are missing because they are no longer
 * stored.
 */
export type Feed = Schemas["Feed"];
/** `lag` is the number of feed entries after `sequence`. */
export type FeedConsumer = Schemas["FeedConsumer"];
/**
 * All consumers that have committed within the retention period, on one page, by name. `sequence` is the number of the
 * feed's last entry.
 */
export type FeedConsumers = Schemas["FeedConsumers"];
/**
 * An event as a push receiver would get it: the exact text of the body and the headers of the request, signed at the
 * time of this response. `id` is the `webhook-id`. It is the same if an event appears twice.
 */
export type FeedItem = Schemas["FeedItem"];
/** An invalid field of the request. */
export type FieldError = Schemas["FieldError"];
/**
 * `scopes` are the scopes that the steps need. `savedBy` had them when they saved the definition, and the flow runs
 * with them. In lists, `recentRuns` is null unless you request it with `include`.
 */
export type Flow = Schemas["Flow"];
/** Starts a run of an action and waits until it is completed. `output` is its result. */
export type FlowActionStep = Schemas["FlowActionStep"];
/** Starts a run of an action and waits until it is completed. `output` is its result. */
export type FlowActionStepInput = Schemas["FlowActionStepInput"];
/**
 * Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the steps after the
 * branch. Paths are as in a filter step. `output`: `{matched}`.
 */
export type FlowBranchStep = Schemas["FlowBranchStep"];
/**
 * Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the steps after the
 * branch. Paths are as in a filter step. `output`: `{matched}`.
 */
export type FlowBranchStepInput = Schemas["FlowBranchStepInput"];
/** The steps of a flow: at most 20 in total, with branches nested up to three levels. */
export type FlowDefinition = Schemas["FlowDefinition"];
/**
 * Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`, such as
 * `event.data.network`.
 */
export type FlowFilterStep = Schemas["FlowFilterStep"];
/**
 * Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`, such as
 * `event.data.network`.
 */
export type FlowFilterStepInput = Schemas["FlowFilterStepInput"];
export type FlowList = Schemas["FlowList"];
/**
 * Sends a request to a provider's API with a connection's token. `connectionId` is the connection's name or its ID.
 * `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path becomes one segment or part of one.
 * A `body` is sent as JSON; a string is sent as text. `output`: `{status, body, isTruncated}`.
 */
export type FlowRequestStep = Schemas["FlowRequestStep"];
/**
 * Sends a request to a provider's API with a connection's token. `connectionId` is the connection's name or its ID.
 * `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path becomes one segment or part of one.
 * A `body` is sent as JSON; a string is sent as text. `output`: `{status, body, isTruncated}`.
 */
export type FlowRequestStepInput = Schemas["FlowRequestStepInput"];
export type FlowRequestStepMethod = Schemas["FlowRequestStepMethod"];
/**
 * One execution of a flow for one event. It is STOPPED by a filter step, and CANCELLED if the flow was deactivated or
 * deleted, or the event's data was erased. `step` is the current step, or the step where the run ended. While it is
 * WAITING, `resumesAt` is the latest time at which it continues.
 */
export type FlowRun = Schemas["FlowRun"];
/**
 * `definition` is the definition at the start of the run. `steps` has the steps that have started, in order, without
 * steps on the other side of a branch or after the end of the run.
 */
export type FlowRunDetail = Schemas["FlowRunDetail"];
export type FlowRunList = Schemas["FlowRunList"];
export type FlowRunStatus = Schemas["FlowRunStatus"];
export type FlowStatus = Schemas["FlowStatus"];
/**
 * A flow that needs only the user's `choices`. Each choice is a push `webhook`, or an `object` of the platform from the
 * list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps. `scopes` are the scopes that the steps
 * need.
 */
export type FlowTemplate = Schemas["FlowTemplate"];
/**
 * What the user who installs the template chooses: a `webhook` of kind push, or an `object` of the platform, from its
 * list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps.
 */
export type FlowTemplateChoice = Schemas["FlowTemplateChoice"];
export type FlowTemplateChoiceType = Schemas["FlowTemplateChoiceType"];
export type FlowTemplateList = Schemas["FlowTemplateList"];
/**
 * A flow runs once for each event of these types whose data passes all filters. Paths are as in a webhook's filters,
 * such as `network`.
 */
export type FlowTrigger = Schemas["FlowTrigger"];
/**
 * A flow runs once for each event of these types whose data passes all filters. Paths are as in a webhook's filters,
 * such as `network`.
 */
export type FlowTriggerInput = Schemas["FlowTriggerInput"];
/** Waits. */
export type FlowWaitStep = Schemas["FlowWaitStep"];
/** Waits. */
export type FlowWaitStepInput = Schemas["FlowWaitStepInput"];
/**
 * Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a `FLOW_SENT` event with
 * `data`, or with the data of the flow's event. `output`: `{eventId, deliveryId}`. The flow does not wait for the
 * receiver.
 */
export type FlowWebhookStep = Schemas["FlowWebhookStep"];
/**
 * Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a `FLOW_SENT` event with
 * `data`, or with the data of the flow's event. `output`: `{eventId, deliveryId}`. The flow does not wait for the
 * receiver.
 */
export type FlowWebhookStepInput = Schemas["FlowWebhookStepInput"];
export type Health = Schemas["Health"];
/**
 * The health of one integration, automation platform (its hooks), webhook, connection or flow.
 *
 * `detail` says what is wrong and what to do about it; it is null for healthy items. `since` is when the state started,
 * if known. A webhook has `deliveries`, a connection has `refreshes`, and an integration has both, in total, and the
 * number of its `webhooks` and `connections` by state. An automation platform has `deliveries` and `webhooks`, and a
 * flow has none of them.
 */
export type HealthItem = Schemas["HealthItem"];
export type HealthItemKind = Schemas["HealthItemKind"];
/**
 * Integrations, automation platforms, webhooks, connections and flows, in this order, each newest first. States are as
 * of `checkedAt`. Numbers end at `measuredUntil`, because each hour is added 15 minutes after it ends. A page of a
 * filtered list can be short or empty and still have a `nextCursor`.
 */
export type HealthList = Schemas["HealthList"];
/** Why something has its state. */
export type HealthReason = Schemas["HealthReason"];
/**
 * HEALTHY: it works. DEGRADED: some of its work fails or waits. FAILING: all or most of it fails. DISABLED: Patchbay
 * has stopped it after failures. PAUSED and INACTIVE: a user has stopped it. UNKNOWN: there is no data.
 */
export type HealthState = Schemas["HealthState"];
export type Hook = Schemas["Hook"];
export type HookList = Schemas["HookList"];
export type HookStatus = Schemas["HookStatus"];
/** The deliveries that ended in the hour that starts at `at`. */
export type HourVolume = Schemas["HourVolume"];
/** The value at `path` equals an entry of `value`. */
export type InFilter = Schemas["InFilter"];
/**
 * `redirectUri` must exactly match a registered redirect URI. `returnUrl` is where Patchbay's callback route redirects
 * the browser; it is not needed with a `redirectUri` of the platform.
 */
export type Initiate = Schemas["Initiate"];
/**
 * `choices` has an ID for each choice of the template, by key. `name` and `description` default to the template's. An
 * INACTIVE flow is stored but does not run.
 */
export type InstallFlow = Schemas["InstallFlow"];
export type InstallFlowStatus = Schemas["InstallFlowStatus"];
/**
 * Secrets in `config` are masked unless revealed. `installedFrom` is the public integration or built-in template that
 * this one was installed from. `statusReason` is `missing_config: <fields>` while setup is incomplete, a code if
 * Patchbay changed the status, or the owner's text. `reviewReason` is the platform's text, or `unpublished: <text>`.
 * `withdrawn` means that the platform has withdrawn it from the marketplace and stopped its copies until it approves a
 * later version. `createdBy` is null for an integration of another workspace.
 */
export type Integration = Schemas["Integration"];
export type IntegrationList = Schemas["IntegrationList"];
/** PENDING_SETUP until the config has all fields that the provider needs. */
export type IntegrationStatus = Schemas["IntegrationStatus"];
export type IntegrationType = Schemas["IntegrationType"];
/**
 * Why one item of a batch was rejected: the problem+json fields that a request with this item alone would get (`code`
 * and `detail`, and `errors` with `validation_failed`).
 */
export type ItemError = Schemas["ItemError"];
export type ItemFieldError = Schemas["ItemFieldError"];
/** Any JSON value. */
export type JsonValue = Schemas["JsonValue"];
/**
 * When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and the old key keeps
 * working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes
 * API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never, even if the workspace has
 * a policy.
 */
export type KeyRotation = Schemas["KeyRotation"];
/**
 * When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and the old key keeps
 * working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes
 * API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never, even if the workspace has
 * a policy.
 */
export type KeyRotationInput = Schemas["KeyRotationInput"];
/** Computed on each read, because nothing writes to a row at the moment of its expiry. */
export type KeyStatus = Schemas["KeyStatus"];
/** A hook that already existed. */
export type KnownHook = Schemas["KnownHook"];
/** The latest failure of something that continues. `code` is stable, `detail` is sanitized, for people. */
export type LastError = Schemas["LastError"];
/** Percentiles in milliseconds, from a histogram; null if there were no attempts. */
export type Latency = Schemas["Latency"];
/** An action, its actor and its outcome. Kept for at least 90 days. */
export type LogEntry = Schemas["LogEntry"];
export type LogEntryList = Schemas["LogEntryList"];
export type LogEntryOutcome = Schemas["LogEntryOutcome"];
/** The owner of the credentials; `label` names the connection in the automation platform. */
export type Me = Schemas["Me"];
/** The `data` of the event `MENTION_RECEIVED`. */
export type MentionReceivedData = Schemas["MentionReceivedData"];
/** Triggers when someone mentions one of the workspace's accounts or keywords. */
export type MentionReceivedEvent = Schemas["MentionReceivedEvent"];
/** The `data` of the event `MESSAGE_RECEIVED`. */
export type MessageReceivedData = Schemas["MessageReceivedData"];
export type MessageReceivedDataKind = Schemas["MessageReceivedDataKind"];
/** Triggers when a direct message or a comment is received. */
export type MessageReceivedEvent = Schemas["MessageReceivedEvent"];
/** The number of an integration's webhooks or connections by state. States without items are omitted. */
export type Parts = Schemas["Parts"];
/** One hour or day, which starts at `at`. Intervals without activity are omitted. */
export type Point = Schemas["Point"];
/** A session without its secrets. */
export type PortalSession = Schemas["PortalSession"];
/** A new session. Only this response contains its link. */
export type PortalSessionLink = Schemas["PortalSessionLink"];
export type PortalSessionList = Schemas["PortalSessionList"];
/**
 * OPEN until the link is used, then ACTIVE until someone ends the session (ENDED) or it expires (EXPIRED). A session
 * also ends with the API key that created it, which its status does not show.
 */
export type PortalSessionStatus = Schemas["PortalSessionStatus"];
/** The bearer token of a session, valid for its whole lifetime. Keep it in memory only. */
export type PortalSessionToken = Schemas["PortalSessionToken"];
/** The `data` of the event `POST_FAILED`. */
export type PostFailedData = Schemas["PostFailedData"];
/** Triggers when a post could not be published. */
export type PostFailedEvent = Schemas["PostFailedEvent"];
/** The `data` of the event `POST_PUBLISHED`. */
export type PostPublishedData = Schemas["PostPublishedData"];
/** Triggers when a post is published on a social network. */
export type PostPublishedEvent = Schemas["PostPublishedEvent"];
/** The `data` of the event `POST_SCHEDULED`. */
export type PostScheduledData = Schemas["PostScheduledData"];
/** Triggers when a post is scheduled or rescheduled. */
export type PostScheduledEvent = Schemas["PostScheduledEvent"];
/** An error, as in RFC 9457. It can have more fields. */
export type Problem = Schemas["Problem"];
/**
 * What an integration of a provider needs. `configSchema` describes its `config`, `credentialsSchema` the `credentials`
 * of a connection (null with OAuth), as JSON Schema 2020-12. `oauth` is null without OAuth and for a custom provider,
 * whose config has these settings. `hosts` are the hosts that Patchbay calls; `*.x` means any subdomain of x.
 * `redirectUris` are the redirect URIs for an integration without `config.redirectUris`: register them at the provider.
 */
export type Provider = Schemas["Provider"];
/**
 * A provider's OAuth settings, which an integration cannot change. A name in braces in a URL is a field of `config`, or
 * a value from the provider's response. Without a `revocationUrl`, a grant cannot be revoked.
 */
export type ProviderOAuth = Schemas["ProviderOAuth"];
/** An OAuth scope that Patchbay requests `always`, or if the integration does not set its own scopes. */
export type ProviderScope = Schemas["ProviderScope"];
/**
 * A built-in provider, or a type of custom provider (`custom…`). `key` is the `provider` of an integration.
 * `templateId` is the template to install; null for a custom provider.
 */
export type ProviderSummary = Schemas["ProviderSummary"];
export type ProviderSummaryList = Schemas["ProviderSummaryList"];
/**
 * A published integration, as the platform reviews it. `id` is the integration's ID. The platform sets `publisherName`
 * and `verified`, not the publisher. `submitted` is the current version; null if it is no longer public. `listed` is
 * the version in the marketplace, approved at `listedAt`, or null. `waitingSince` is null unless a review is pending.
 * The copies of a `withdrawn` integration do not work.
 */
export type Publication = Schemas["Publication"];
/**
 * A publication with the number of its installed copies, counted up to 1,000, and with the platform's latest decisions,
 * newest first.
 */
export type PublicationDetail = Schemas["PublicationDetail"];
export type PublicationList = Schemas["PublicationList"];
/**
 * `data` is the event's content, an object of at most 256 KB as JSON.
 *
 * Only the platform's workspace can set `workspaceId`, to publish for another workspace. `causedBy` is the event that
 * caused this one, such as the ACTION_REQUESTED event of an action. Patchbay uses it to detect loops of flows.
 */
export type PublishEvent = Schemas["PublishEvent"];
/** A batch. Each event is validated separately, so an invalid event does not affect the others. */
export type PublishEvents = Schemas["PublishEvents"];
export type PublishedEvent = Schemas["PublishedEvent"];
/** One item for each event, in the order of the request. */
export type PublishedEvents = Schemas["PublishedEvents"];
/** The visible fields of a public integration, and the OAuth client that its copies use. */
export type PublishedFields = Schemas["PublishedFields"];
/** The publisher of an integration. The platform sets `name` and `verified`, not the publisher. */
export type Publisher = Schemas["Publisher"];
/**
 * The more restrictive of the key's two windows. `resetAt` is when that window ends or, if the cost is above
 * `remaining`, when the cost will be allowed. It is null if the cost is above `limit`, because waiting does not help.
 */
export type RateLimit = Schemas["RateLimit"];
/** The `data` of the event `RATE_LIMIT_NEAR`. */
export type RateLimitNearData = Schemas["RateLimitNearData"];
export type RateLimitNearDataWindow = Schemas["RateLimitNearDataWindow"];
/** Triggers when an API key has used 80 percent of a limit, once per hour or day. */
export type RateLimitNearEvent = Schemas["RateLimitNearEvent"];
/**
 * The current health of the receiver.
 *
 * While the `breaker` is OPEN, new deliveries are HELD until a probe gets a response; the next one is at `nextProbeAt`.
 * The SLOW `lane` is for receivers that are not known to be fast yet (`laneReason` is `unproven`), took more than two
 * seconds at `slowAt` (`slow`), or share a workspace with many slow receivers (`slow_workspace`). `slowdowns` is the
 * number of recent slowdowns, `backlogSince` is since when too many retries are waiting, and `held` is the number of
 * HELD deliveries.
 */
export type Receiver = Schemas["Receiver"];
export type ReceiverBreaker = Schemas["ReceiverBreaker"];
export type ReceiverLane = Schemas["ReceiverLane"];
/**
 * The results of a flow's latest runs: `count` runs, at most 10. `failed` is the number of FAILED runs among them, and
 * `last` is the latest run.
 */
export type RecentRuns = Schemas["RecentRuns"];
/** The deliveries of events from `since` to `until`, both inclusive. `until` defaults to now. */
export type Recover = Schemas["Recover"];
/** `queued` is the number of deliveries that will be resent, oldest first. At most 10,000 are counted. */
export type Recovering = Schemas["Recovering"];
/** `connectionId` is the connection's name or its ID. */
export type RefreshConnection = Schemas["RefreshConnection"];
/**
 * How a connection gets its next access token.
 *
 * - `rotating`: with a refresh token that works once. The response contains the next one.
 * - `static`: with a refresh token that works repeatedly.
 * - `exchange`: it exchanges the access token for a new one while it is valid.
 * - `never_expires`: it needs none, because the token is valid until it is revoked.
 * - `reauthorize_only`: it gets none. When the token expires, the user must connect again.
 */
export type RefreshStrategy = Schemas["RefreshStrategy"];
export type RejectedItem = Schemas["RejectedItem"];
/**
 * Which deliveries to resend, for events from `since` to `until` (both inclusive; `until` defaults to now) and of
 * `eventTypes` (by default, all types): deliveries with one of the `statuses` and, with `missing`, events that match
 * the webhook now but have no delivery. `statuses` defaults to FAILED and CANCELLED, or to none with `missing`.
 * `dryRun` only counts the deliveries.
 */
export type Replay = Schemas["Replay"];
/**
 * The number of deliveries that a replay would queue. If `isComplete` is false, there are more: the count stops at
 * 10,000 or after a few seconds.
 */
export type ReplayPreview = Schemas["ReplayPreview"];
/** An OAuth scope that the provider will ask the user to grant, with Patchbay's description of it. */
export type RequestedScope = Schemas["RequestedScope"];
/** Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead. */
export type RetryConfig = Schemas["RetryConfig"];
/** `force` also resends a delivery that already succeeded. */
export type RetryDelivery = Schemas["RetryDelivery"];
/** The platform's decision on the current version of a public integration. */
export type ReviewStatus = Schemas["ReviewStatus"];
/** How many seconds the old key keeps working alongside the new one; 0 ends it immediately. */
export type RotateApiKey = Schemas["RotateApiKey"];
/**
 * `overlapSeconds` is how long the old secrets sign alongside the new one; 0 ends them immediately. `secret` is your
 * own new secret, as at creation. By default, Patchbay generates one.
 */
export type RotateSecret = Schemas["RotateSecret"];
/**
 * Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them, and the old key
 * keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes
 * API_KEY_ROTATION_DUE, 7 days before and when a key is due.
 */
export type RotationPolicy = Schemas["RotationPolicy"];
/**
 * Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them, and the old key
 * keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes
 * API_KEY_ROTATION_DUE, 7 days before and when a key is due.
 */
export type RotationPolicyInput = Schemas["RotationPolicyInput"];
/**
 * An execution of an action. It fails if the platform does not respond by `expiresAt`. `platform` is the automation
 * platform that started it, or `flow`.
 */
export type Run = Schemas["Run"];
/**
 * Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it is the
 * platform's code, by default `action_failed`. `detail` is a message for the automation's owner.
 */
export type RunError = Schemas["RunError"];
/**
 * Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it is the
 * platform's code, by default `action_failed`. `detail` is a message for the automation's owner.
 */
export type RunErrorInput = Schemas["RunErrorInput"];
export type RunList = Schemas["RunList"];
export type RunStatus = Schemas["RunStatus"];
/** An event in exactly the format that hooks receive. */
export type Sample = Schemas["Sample"];
/** An array, newest first. It has fewer than `limit` events if they are very large. */
export type Samples = Schemas["Samples"];
/**
 * Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must start with
 * `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` identifies the confirmed secret;
 * omit it to confirm this one.
 */
export type SecretTarget = Schemas["SecretTarget"];
/**
 * Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must start with
 * `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` identifies the confirmed secret;
 * omit it to confirm this one.
 */
export type SecretTargetInput = Schemas["SecretTargetInput"];
/**
 * `eventType` can be any type, even if the webhook does not subscribe to it. By default, it is the webhook's first
 * type.
 */
export type SendTestEvent = Schemas["SendTestEvent"];
/**
 * The numbers for a workspace or for one group: in total, and by hour or day, oldest first. `id` is null for the
 * workspace, and the name of an event type. `deliveries` is null for a connection, and `refreshes` for a webhook, an
 * automation platform and an event type.
 */
export type Series = Schemas["Series"];
export type SeriesKind = Schemas["SeriesKind"];
/** A workspace's complete list of choices, in display order. It replaces the previous list. */
export type SetChoices = Schemas["SetChoices"];
/**
 * An INACTIVE flow starts no runs. Waiting runs are canceled when their wait ends. `statusReason` says why a flow is
 * INACTIVE.
 */
export type SetFlowStatus = Schemas["SetFlowStatus"];
export type SetIntegrationStatus = Schemas["SetIntegrationStatus"];
/**
 * Events match an ACTIVE or PAUSED webhook. The deliveries of a PAUSED webhook are kept (HELD) until it is ACTIVE
 * again. `statusReason` says why a webhook is PAUSED or INACTIVE.
 */
export type SetWebhookStatus = Schemas["SetWebhookStatus"];
/** `callbackUrl` gets `{runId, status, output, error}` when the run ends. */
export type StartRun = Schemas["StartRun"];
/** Why a step failed. `code` is stable; for actions, the platform defines it. */
export type StepError = Schemas["StepError"];
/**
 * One step of a run. `input` is its input with all values filled in, and `output` is its result. A request that is
 * WAITING for a retry has the `error` of its last attempt.
 */
export type StepRun = Schemas["StepRun"];
export type StepRunStatus = Schemas["StepRunStatus"];
export type StepRunType = Schemas["StepRunType"];
/** The event type and URL of an automation. Ignores filters without a value (`""` or null). */
export type Subscribe = Schemas["Subscribe"];
/** `secret` signs the hook's deliveries (Standard Webhooks); null if the hook already existed. */
export type SubscribedHook = Schemas["SubscribedHook"];
/** `output` must match the action's schema. */
export type Succeeded = Schemas["Succeeded"];
/**
 * `type` is `webhook.replay`, `workspace.export` or `workspace.erase`. `done` is the number of deliveries queued,
 * records exported, or rows erased so far; it can be too low after a crash. `total` is the number at the start; null if
 * unknown. `step` is the current step of an erasure or export. `parameters` is the request that started the task, with
 * its defaults. `webhookId` is null for a task of the whole workspace. `file` is the result of an export, for callers
 * with the scope workspace:export.
 */
export type Task = Schemas["Task"];
/** Why a task failed. `code` is stable, such as `webhook_disabled` or `internal`. */
export type TaskError = Schemas["TaskError"];
export type TaskList = Schemas["TaskList"];
export type TaskStatus = Schemas["TaskStatus"];
export type TaskType = Schemas["TaskType"];
/**
 * The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses its default
 * color.
 */
export type Theme = Schemas["Theme"];
export type ThemeColorScheme = Schemas["ThemeColorScheme"];
/**
 * The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses its default
 * color.
 */
export type ThemeInput = Schemas["ThemeInput"];
/**
 * The 24 hours that end at `measuredUntil`, compared with the previous 24 hours. `trend` is null if either has no rate,
 * and STEADY within one percentage point.
 */
export type Trend = Schemas["Trend"];
/** An event type as a trigger. `schema` and `sample` describe an event's `data`. */
export type Trigger = Schemas["Trigger"];
/** An array, as the automation platforms require. */
export type Triggers = Schemas["Triggers"];
/**
 * Why a webhook did not get an event. `filter_mismatch`: `detail` has the first filter that does not match.
 * `changed_later`: the webhook matches the event now, but did not when it was published.
 */
export type UnmatchedReason = Schemas["UnmatchedReason"];
export type UnmatchedReasonCode = Schemas["UnmatchedReasonCode"];
/** A webhook that subscribes to the event's type, but did not get the event. */
export type UnmatchedWebhook = Schemas["UnmatchedWebhook"];
/**
 * Only the fields that you send change; the defaults here are placeholders. `expiresAt: null` removes the expiration,
 * and `rotation: null` removes the key's own policy.
 */
export type UpdateApiKey = Schemas["UpdateApiKey"];
/**
 * Only the fields that you send change; the defaults here are placeholders. Runs that have started keep their
 * definition.
 */
export type UpdateFlow = Schemas["UpdateFlow"];
/**
 * Only the fields that you send change. `config` and `metadata` are merged by key, and null removes a key. A secret
 * whose value is the mask does not change. The defaults here are placeholders.
 */
export type UpdateIntegration = Schemas["UpdateIntegration"];
/**
 * Only the fields that you send change; the defaults here are placeholders. A header whose value is the mask does not
 * change.
 */
export type UpdateWebhook = Schemas["UpdateWebhook"];
/**
 * Only the fields that you send change. `retainDays: null` restores the default, `maxRetainDays`; `apiKeyRotation:
 * null` removes the policy. Only an owner can set its `deliverTo`.
 */
export type UpdateWorkspace = Schemas["UpdateWorkspace"];
/**
 * The number of allowed requests in total, today (UTC), and on each of the last 30 days, ending today. In a list,
 * `daily` is null.
 */
export type Usage = Schemas["Usage"];
/**
 * Whether to accept a request with the key. Only `VALID` counts the cost. `workspaceId` and `keyId` are set if the key
 * is known, and `rateLimit` if its limits were checked.
 */
export type Verification = Schemas["Verification"];
export type VerificationCode = Schemas["VerificationCode"];
/**
 * Check a key from a request to one of the platform's own APIs: whether it is valid, has the `scopes`, and has `cost`
 * units left. If so, the units are counted.
 */
export type VerifyApiKey = Schemas["VerifyApiKey"];
/**
 * `attempts` is the number of requests, for deliveries or token refreshes. `succeeded` and `failed` are the numbers of
 * deliveries or refreshes that ended that way, and `successRate` is the share that succeeded (0 to 1; null if none
 * ended). `latencyMs` covers all attempts.
 */
export type Volume = Schemas["Volume"];
/**
 * `source` is `api` or the automation platform that created it; header values are masked. In lists, `stats`,
 * `consecutiveFailures` and `receiver` are null unless you request them with `include`.
 *
 * A webhook of kind `pull` has no `url` and no `receiver`; `retryConfig` and `disableAfter` have no effect on it.
 */
export type Webhook = Schemas["Webhook"];
export type WebhookDetail = Schemas["WebhookDetail"];
/** The `data` of the event `WEBHOOK_DISABLED`. */
export type WebhookDisabledData = Schemas["WebhookDisabledData"];
/** Triggers when a webhook is disabled because its receiver is gone or keeps failing. */
export type WebhookDisabledEvent = Schemas["WebhookDisabledEvent"];
/** The `data` of the event `WEBHOOK_FAILING`. */
export type WebhookFailingData = Schemas["WebhookFailingData"];
/** Triggers when a webhook reaches 50 percent, and again 80 percent, of the consecutive failures that disable it. */
export type WebhookFailingEvent = Schemas["WebhookFailingEvent"];
export type WebhookKind = Schemas["WebhookKind"];
export type WebhookList = Schemas["WebhookList"];
/** The `data` of the event `WEBHOOK_RECOVERED`. */
export type WebhookRecoveredData = Schemas["WebhookRecoveredData"];
/** Triggers when a webhook that was failing accepts a delivery again. */
export type WebhookRecoveredEvent = Schemas["WebhookRecoveredEvent"];
/**
 * The last 24 hours, by the hour: deliveries that ended since `since`, and those now `pending`. `successRate` is the
 * share of ended deliveries that succeeded (0 to 1); latency covers all attempts. `hours` has the numbers by hour.
 * Hours without ended deliveries are omitted.
 */
export type WebhookStats = Schemas["WebhookStats"];
export type WebhookStatus = Schemas["WebhookStatus"];
/**
 * Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` identifies the webhook's
 * URL and headers at the time the policy was set. If they have changed when the key is due, it does not rotate until
 * you send the policy without `pin`, which confirms the current URL and headers.
 */
export type WebhookTarget = Schemas["WebhookTarget"];
/**
 * Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` identifies the webhook's
 * URL and headers at the time the policy was set. If they have changed when the key is due, it does not rotate until
 * you send the policy without `pin`, which confirms the current URL and headers.
 */
export type WebhookTargetInput = Schemas["WebhookTargetInput"];
/**
 * A webhook with its new signing secret. Only this response contains the secret. It has no stats, because a repeated
 * request with the same Idempotency-Key must get the same response.
 */
export type WebhookWithSecret = Schemas["WebhookWithSecret"];
/**
 * `retainDays` is how long events, deliveries, attempts and feed entries are kept. A change applies to new data. It is
 * at most `maxRetainDays`, which is also the default. `status` is ERASING while the workspace is being erased.
 * `apiKeyRotation` is the policy for API keys without their own policy.
 */
export type Workspace = Schemas["Workspace"];
export type WorkspaceStatus = Schemas["WorkspaceStatus"];

/** The events that this release of the SDK knows, by type. */
export interface EventTypes {
  ACTION_REQUESTED: ActionRequestedEvent;
  ALERT_TRIGGERED: AlertTriggeredEvent;
  API_KEY_CREATED: ApiKeyCreatedEvent;
  API_KEY_EXPIRING: ApiKeyExpiringEvent;
  API_KEY_REVOKED: ApiKeyRevokedEvent;
  API_KEY_ROTATED: ApiKeyRotatedEvent;
  API_KEY_ROTATION_DUE: ApiKeyRotationDueEvent;
  API_KEY_ROTATION_FAILED: ApiKeyRotationFailedEvent;
  APPROVAL_COMPLETED: ApprovalCompletedEvent;
  APPROVAL_REQUESTED: ApprovalRequestedEvent;
  CAMPAIGN_COMPLETED: CampaignCompletedEvent;
  CAMPAIGN_STARTED: CampaignStartedEvent;
  CONNECTION_CREATED: ConnectionCreatedEvent;
  CONNECTION_EXPIRED: ConnectionExpiredEvent;
  CONNECTION_RECOVERED: ConnectionRecoveredEvent;
  CONNECTION_REVOKED: ConnectionRevokedEvent;
  CONVERSATION_ASSIGNED: ConversationAssignedEvent;
  DELIVERY_FAILED: DeliveryFailedEvent;
  MENTION_RECEIVED: MentionReceivedEvent;
  MESSAGE_RECEIVED: MessageReceivedEvent;
  POST_FAILED: PostFailedEvent;
  POST_PUBLISHED: PostPublishedEvent;
  POST_SCHEDULED: PostScheduledEvent;
  RATE_LIMIT_NEAR: RateLimitNearEvent;
  WEBHOOK_DISABLED: WebhookDisabledEvent;
  WEBHOOK_FAILING: WebhookFailingEvent;
  WEBHOOK_RECOVERED: WebhookRecoveredEvent;
}
