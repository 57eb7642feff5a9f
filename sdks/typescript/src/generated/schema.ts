// Generated from openapi.json by `npm run generate`: change that, not this file.

export interface components {
    schemas: {
        /** @description An access token that is valid for at least a minute, if the provider issues such tokens. */
        AccessToken: {
            /** @description The access token for the provider's API. */
            accessToken: string;
            /**
             * Format: date-time
             * @description When the token expires; null if the provider does not specify it.
             */
            expiresAt: string | null;
            /** @description What the provider returned with the token, such as the URL of its API. */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The scopes that the user granted. */
            scopes: string[];
            /** @description The type of the token, usually `Bearer`. */
            tokenType: string;
        };
        /** @description The account at the provider. */
        Account: {
            /** @description The account's ID at the provider. */
            id: string | null;
            /** @description The account's name at the provider. */
            label: string | null;
        };
        /** @description An action. `input` and `output` are JSON Schemas. A string with `x-choices` takes an ID from that list of choices. */
        ActionInfo: {
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The key of the action, for `POST …/actions/{key}`. */
            id: string;
            /** @description The JSON Schema of the input. */
            input: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The display name. */
            label: string;
            /** @description The noun of its subject, in title case. */
            noun: string;
            /** @description The JSON Schema of the result. */
            output: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description An example of input and output. */
            sample: components["schemas"]["Example"];
        };
        /** @description The `data` of the event `ACTION_REQUESTED`. */
        ActionRequestedData: {
            /** @description The action's key. */
            action: string;
            /**
             * Format: date-time
             * @description When the run expires; the automation then gets a failure.
             */
            expiresAt: string;
            /** @description The input of the action. */
            input: Record<string, never>;
            /** @description Where the automation runs. */
            platform: components["schemas"]["ActionRequestedDataPlatform"];
            /** @description The run; send the result with this ID. */
            runId: string;
            /** @description The workspace that the action is for. */
            workspaceId: string;
        };
        /** @enum {string} */
        ActionRequestedDataPlatform: "zapier" | "make" | "n8n" | "flow";
        /** @description Triggers when an automation asks the platform to do something. */
        ActionRequestedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ActionRequestedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "ACTION_REQUESTED";
        };
        /** @description An array, as the automation platforms require. */
        Actions: components["schemas"]["ActionInfo"][];
        /** @description The `data` of the event `ALERT_TRIGGERED`. */
        AlertTriggeredData: {
            /** @description The alert whose condition was met. */
            alertId: string;
            /** @description A description of the alert. */
            message?: string | null;
            /** @description The metric of the alert. */
            metric?: string;
            /** @description The alert's name. */
            name: string;
            /** @description How serious it is. */
            severity: components["schemas"]["AlertTriggeredDataSeverity"];
            /** @description The value from which the alert triggers. */
            threshold?: number;
            /**
             * Format: date-time
             * @description When the condition was met.
             */
            triggeredAt?: string;
            /**
             * Format: uri
             * @description The alert in the platform.
             */
            url?: string | null;
            /** @description The measured value. */
            value?: number;
        };
        /** @enum {string} */
        AlertTriggeredDataSeverity: "info" | "warning" | "critical";
        /** @description Triggers when an alert's condition is met, such as a sudden rise in mentions. */
        AlertTriggeredEvent: {
            /** @description The event's content. */
            data: components["schemas"]["AlertTriggeredData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "ALERT_TRIGGERED";
        };
        /** @description One series without `groupBy`, otherwise one per group: integrations, webhooks and connections newest first, event types by number of attempts. The series cover the period from `since` to `until`. It ends with the last complete hour; each hour is added 15 minutes after it ends. */
        Analytics: {
            /** @description The interval of a point. */
            by: components["schemas"]["AnalyticsBy"];
            /** @description The series of this page. */
            items: components["schemas"]["Series"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
            /**
             * Format: date-time
             * @description The start of the first hour.
             */
            since: string;
            /**
             * Format: date-time
             * @description The end of the last hour for which data is complete.
             */
            until: string;
        };
        /** @enum {string} */
        AnalyticsBy: "hour" | "day";
        /** @description The platform's result for a run. */
        AnswerRun: components["schemas"]["Succeeded"] | components["schemas"]["Failed"];
        /**
         * @description A key without its secret. `rotatedFrom` is the key that this one replaced.
         *
         *     `rotation` is the key's own policy; if it is null, the workspace's policy applies. `nextRotationAt` is when the key is due under that policy. `lastError` is why its rotation has not succeeded yet.
         */
        ApiKey: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description The ID. */
            id: string;
            /** @description The most recent error, or null. */
            lastError: components["schemas"]["LastError"] | null;
            /**
             * Format: date-time
             * @description When it was last used, accurate to about a minute.
             */
            lastUsedAt: string | null;
            /** @description The masked key. */
            maskedKey: string;
            /** @description The display name. */
            name: string;
            /**
             * Format: date-time
             * @description When the key is due for rotation, or null.
             */
            nextRotationAt: string | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay: number;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour: number;
            /** @description The key that this one replaced, or null. */
            rotatedFrom: string | null;
            /** @description The key's own rotation policy; null if the workspace's policy applies. */
            rotation: components["schemas"]["KeyRotation"] | null;
            /** @description The scopes. */
            scopes: string[];
            /** @description The status. */
            status: components["schemas"]["KeyStatus"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The usage of the key. */
            usage: components["schemas"]["Usage"];
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description The `data` of the event `API_KEY_CREATED`. */
        ApiKeyCreatedData: {
            /** @description Who created it, in the format of `id` in GET /api/me. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
            /** @description The scopes of the key. */
            scopes: string[];
        };
        /** @description Triggers when an API key is created. */
        ApiKeyCreatedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyCreatedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_CREATED";
        };
        /** @description The `data` of the event `API_KEY_EXPIRING`. */
        ApiKeyExpiringData: {
            /** @description How many days before the expiration the notice was due. */
            daysLeft: number;
            /**
             * Format: date-time
             * @description When it expires.
             */
            expiresAt: string;
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Triggers when an API key is about to expire, 7 days and 1 day before. */
        ApiKeyExpiringEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyExpiringData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_EXPIRING";
        };
        ApiKeyList: {
            /** @description The items of this page. */
            items: components["schemas"]["ApiKey"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description The `data` of the event `API_KEY_REVOKED`. */
        ApiKeyRevokedData: {
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
            /**
             * Format: date-time
             * @description When it was revoked.
             */
            revokedAt: string;
            /** @description Who revoked it, in the format of `id` in GET /api/me. */
            revokedBy: string | null;
        };
        /** @description Triggers when an API key is revoked. */
        ApiKeyRevokedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyRevokedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_REVOKED";
        };
        /** @description The `data` of the event `API_KEY_ROTATED`. */
        ApiKeyRotatedData: {
            /**
             * Format: date-time
             * @description When it stops working.
             */
            endsAt: string;
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
            /** @description Who rotated it, in the format of `id` in GET /api/me. */
            rotatedBy: string;
            /** @description The key that replaces it. */
            successorId: string;
        };
        /** @description Triggers when an API key is rotated. */
        ApiKeyRotatedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyRotatedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_ROTATED";
        };
        /** @description The `data` of the event `API_KEY_ROTATION_DUE`. */
        ApiKeyRotationDueData: {
            /** @description How many days are left until then; 0 when it is due. */
            daysLeft: number;
            /**
             * Format: date-time
             * @description When the key is due for rotation.
             */
            dueAt: string;
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
        };
        /** @description Triggers when an API key that Patchbay does not rotate automatically is due for rotation, and 7 days before. */
        ApiKeyRotationDueEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyRotationDueData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_ROTATION_DUE";
        };
        /** @description The `data` of the event `API_KEY_ROTATION_FAILED`. */
        ApiKeyRotationFailedData: {
            /** @description Why it failed, and what to do. */
            detail: string;
            /**
             * Format: date-time
             * @description When it failed.
             */
            failedAt: string;
            /** @description The key. */
            keyId: string;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
            /** @description The code of the error. */
            statusReason: string;
        };
        /** @description Triggers when an API key is due for rotation but the new key cannot be delivered, once a day. */
        ApiKeyRotationFailedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApiKeyRotationFailedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "API_KEY_ROTATION_FAILED";
        };
        /** @description A new API key. Only this response contains it. */
        ApiKeyWithSecret: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description The ID. */
            id: string;
            /** @description The API key. Shown only in this response: store it now. */
            key: string;
            /** @description The most recent error, or null. */
            lastError: components["schemas"]["LastError"] | null;
            /**
             * Format: date-time
             * @description When it was last used, accurate to about a minute.
             */
            lastUsedAt: string | null;
            /** @description The masked key. */
            maskedKey: string;
            /** @description The display name. */
            name: string;
            /**
             * Format: date-time
             * @description When the key is due for rotation, or null.
             */
            nextRotationAt: string | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay: number;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour: number;
            /** @description The key that this one replaced, or null. */
            rotatedFrom: string | null;
            /** @description The key's own rotation policy; null if the workspace's policy applies. */
            rotation: components["schemas"]["KeyRotation"] | null;
            /** @description The scopes. */
            scopes: string[];
            /** @description The status. */
            status: components["schemas"]["KeyStatus"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The usage of the key. */
            usage: components["schemas"]["Usage"];
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description The `data` of the event `APPROVAL_COMPLETED`. */
        ApprovalCompletedData: {
            /** @description The platform's ID of the approval. */
            approvalId: string;
            /** @description Their comment. */
            comment?: string | null;
            /**
             * Format: date-time
             * @description When it was decided.
             */
            completedAt?: string;
            /** @description The user who decided. */
            decidedBy?: string;
            /** @description The decision. */
            decision: components["schemas"]["ApprovalCompletedDataDecision"];
            /** @description The social network, in lowercase. */
            network?: string;
            /** @description The post that was approved or rejected. */
            postId: string;
            /** @description The text of the post. */
            text?: string;
        };
        /** @enum {string} */
        ApprovalCompletedDataDecision: "approved" | "rejected";
        /** @description Triggers when a post is approved or rejected. */
        ApprovalCompletedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApprovalCompletedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "APPROVAL_COMPLETED";
        };
        /** @description The `data` of the event `APPROVAL_REQUESTED`. */
        ApprovalRequestedData: {
            /** @description The platform's ID of the approval. */
            approvalId: string;
            /** @description The users who can decide. */
            approverIds?: string[];
            /**
             * Format: date-time
             * @description When the decision is due.
             */
            dueAt?: string | null;
            /** @description The social network, in lowercase. */
            network?: string;
            /** @description The post that was approved or rejected. */
            postId: string;
            /**
             * Format: date-time
             * @description When it was requested.
             */
            requestedAt?: string;
            /** @description The user who requested it. */
            requestedBy?: string;
            /** @description The text of the post. */
            text?: string;
            /**
             * Format: uri
             * @description The approval in the platform.
             */
            url?: string | null;
        };
        /** @description Triggers when someone asks for a post to be approved. */
        ApprovalRequestedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ApprovalRequestedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "APPROVAL_REQUESTED";
        };
        /**
         * @description One request and its result. `statusCode` is null if there was no response; then `error` says why.
         *
         *     Patchbay stores up to 16 KB of the decoded response body for a failure or a test, and less than 1 KB for a success. If the response is not shown, `withheld` says why, `responseBody` is null and `responseHeaders` is empty.
         */
        Attempt: {
            /** @description The duration of the attempt in milliseconds. */
            durationMs: number;
            /** @description Why there was no response, or null. */
            error: components["schemas"]["AttemptError"] | null;
            /** @description The number of the attempt, from 1. */
            number: number;
            /** @description The request headers. Values of custom headers are masked. */
            requestHeaders: {
                [key: string]: string;
            };
            /** @description The start of the response body, or null. */
            responseBody: string | null;
            /** @description The response headers. */
            responseHeaders: {
                [key: string]: string;
            };
            /**
             * Format: date-time
             * @description When the attempt started.
             */
            startedAt: string;
            /** @description The status of the receiver's response, or null if there was none. */
            statusCode: number | null;
            /** @description Why the attempt was made. */
            trigger: components["schemas"]["AttemptTrigger"];
            /** @description Whether the stored response body is truncated. */
            truncated: boolean;
            /** @description Why the response is not shown, or null. */
            withheld: string | null;
        };
        /** @description Why there was no response. `code` is stable, such as `timeout` or `dns_failed`. */
        AttemptError: {
            /** @description The stable code of the error. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
        };
        /** @enum {string} */
        AttemptTrigger: "AUTO" | "MANUAL" | "TEST" | "RECOVER" | "REPLAY";
        /**
         * @description A request for a change or a secret. Kept for 400 days.
         *
         *     `action` is the route, such as `webhooks.update`. `actorLabel` says who uses the portal session of the request. `target` is the resource in the path, or the created resource. `fields` has the names of the fields that the body sets, never their values. `REFUSED` means that the caller does not have permission, or that their API key has expired or was revoked. `reason` is the error code of a request that was REFUSED or FAILED.
         */
        AuditEntry: {
            /** @description The route, such as `webhooks.update`. */
            action: string;
            /** @description The caller: `user:…`, `key_…` for an API key, `session:…`, or `connect:…` for a connect link. */
            actor: string;
            /** @description Who uses the portal session of the request, as its creator entered it; or null. */
            actorLabel: string | null;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description The names of the fields that the body sets. */
            fields: string[];
            /** @description The ID. */
            id: string;
            /** @description The IP address of the caller. */
            ip: string | null;
            /** @description `SUCCEEDED`, `REFUSED` for missing permissions, or `FAILED`. */
            outcome: components["schemas"]["AuditEntryOutcome"];
            /** @description The code of the error, or null. */
            reason: string | null;
            /** @description The `x-request-id` of the response. */
            requestId: string;
            /** @description The resource in the path, such as `int_…/sales`, or the created resource. */
            target: string | null;
        };
        AuditEntryList: {
            /** @description The items of this page. */
            items: components["schemas"]["AuditEntry"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        AuditEntryOutcome: "SUCCEEDED" | "REFUSED" | "FAILED";
        /** @description Where to send the user. The provider returns `state` with them. */
        Authorization: {
            /** @description The provider's authorization page. Send the user's browser there. */
            authorizationUrl: string;
            /**
             * Format: date-time
             * @description When the OAuth flow expires. The user must return before then.
             */
            expiresAt: string;
            /** @description The one-time value that the provider returns with the user. */
            state: string;
        };
        /**
         * @description How a connection gets access: an OAuth grant, or credentials that its owner enters.
         * @enum {string}
         */
        AuthType: "OAUTH2" | "API_KEY" | "BASIC";
        /**
         * @description The platform that an automation runs on.
         * @enum {string}
         */
        AutomationPlatform: "zapier" | "make" | "n8n";
        /** @description The query parameters of the provider's redirect, including provider-specific ones. */
        Callback: {
            /** @description The authorization code. */
            code?: string | null;
            /** @description The error code, if the user or the provider refused. */
            error?: string | null;
            /** @description The provider's explanation of the error. */
            error_description?: string | null;
            /** @description The issuer that the provider names (RFC 9207). */
            iss?: string | null;
            /** @description The `state` of the flow. */
            state: string;
        } & {
            [key: string]: string;
        };
        /**
         * @description The owner of the credentials. `id` has the format of `createdBy`: `user:…`, the ID of the API key, or `session:…`.
         *
         *     A user has a `role` unless their token lists its scopes. A session has no role.
         */
        Caller: {
            /** @description Who it is: `user:…`, the ID of the API key, or `session:…`. */
            id: string;
            /** @description The API key; null for other callers. */
            key: components["schemas"]["CallerKey"] | null;
            /** @description The role of the token, or null. */
            role: string | null;
            /** @description What the credentials allow. */
            scopes: string[];
            /** @description The portal session; null for other callers. */
            session: components["schemas"]["CallerSession"] | null;
            /** @description Whether a user, a key or a portal session calls. */
            type: components["schemas"]["CallerType"];
            /** @description The workspace. */
            workspaceId: string;
        };
        /** @description The API key of the caller. Both limits apply to its requests. */
        CallerKey: {
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description The ID. */
            id: string;
            /** @description The masked key. */
            maskedKey: string;
            /** @description The display name. */
            name: string;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay: number;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour: number;
        };
        /** @description The portal session of the caller. `returnUrl` is where to send the user when the session ends. */
        CallerSession: {
            /**
             * Format: date-time
             * @description When the session ends.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description Who uses the session, as its creator entered it; or null. */
            label: string | null;
            /** @description Whether it is read-only. */
            readOnly: boolean;
            /** @description Where to send the user when the session ends, or null. */
            returnUrl: string | null;
            /** @description The appearance of the console. */
            theme: components["schemas"]["Theme"];
            /** @description The page that the console opens, or null. */
            view: string | null;
        };
        /** @enum {string} */
        CallerType: "user" | "key" | "session";
        /** @description The `data` of the event `CAMPAIGN_COMPLETED`. */
        CampaignCompletedData: {
            /** @description The platform's ID of the campaign. */
            campaignId: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            completedAt?: string;
            /** @description Likes, comments, shares and clicks. */
            engagements?: number | null;
            /** @description How often the posts were seen. */
            impressions?: number | null;
            /** @description The campaign's name. */
            name: string;
            /** @description The social networks that it runs on. */
            networks?: string[];
            /** @description How many posts were published. */
            postsPublished?: number;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedAt?: string;
        };
        /** @description Triggers when a campaign has ended. */
        CampaignCompletedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["CampaignCompletedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CAMPAIGN_COMPLETED";
        };
        /** @description The `data` of the event `CAMPAIGN_STARTED`. */
        CampaignStartedData: {
            /** @description The platform's ID of the campaign. */
            campaignId: string;
            /**
             * Format: date-time
             * @description When it will end, if known.
             */
            endsAt?: string | null;
            /** @description The campaign's name. */
            name: string;
            /** @description The social networks that it runs on. */
            networks?: string[];
            /** @description How many posts are planned. */
            postCount?: number;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedAt?: string;
        };
        /** @description Triggers when a campaign starts. */
        CampaignStartedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["CampaignStartedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CAMPAIGN_STARTED";
        };
        Choice: {
            /** @description The ID that the field takes. */
            id: string;
            /** @description What users see. */
            label: string;
        };
        /** @description An array, as the automation platforms require. */
        Choices: components["schemas"]["Choice"][];
        /** @description The `consumer` has processed all events up to `sequence`. `rewind` allows it to move backward. */
        Commit: {
            /** @description The name of the consumer. */
            consumer: string;
            /**
             * @description Whether the position can move backward.
             * @default false
             */
            rewind?: boolean;
            /** @description The number of the entry in the feed. */
            sequence: number;
        };
        /**
         * @description One of the integrations of a link. `provider` is its key, `providerName` its name.
         *
         *     `isKnown` is true for a built-in provider. If it is false, someone in the workspace entered the names and the sign-in page: show `authorizationOrigin`, the origin of that page.
         *
         *     With OAuth, start a flow with `redirectUri`. Otherwise `credentialsSchema` describes the `credentials` of the connection, as JSON Schema 2020-12. `isActive` is false while accounts cannot be connected.
         */
        ConnectableIntegration: {
            /** @description Where people sign in with OAuth; null for a built-in provider. */
            authorizationOrigin: string | null;
            /** @description How an account is connected. */
            authType: components["schemas"]["AuthType"];
            /** @description The JSON Schema of a connection's `credentials`; null with OAuth. */
            credentialsSchema: {
                [key: string]: unknown;
            } | null;
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The provider's documentation; null for a custom provider. */
            documentationUrl: string | null;
            /** @description The ID. */
            id: string;
            /** @description Whether an account can be connected now. */
            isActive: boolean;
            /** @description Whether the provider is built in. If not, someone in the workspace entered its name and URLs. */
            isKnown: boolean;
            /** @description The display name. */
            name: string;
            /** @description The key of the provider, or null. */
            provider: string | null;
            /** @description The provider's name for people. */
            providerName: string;
            /** @description The `redirectUri` of the OAuth flow: Patchbay's callback route. Null without OAuth. */
            redirectUri: string | null;
            /** @description The access that the provider asks the user to grant. */
            scopes: components["schemas"]["RequestedScope"][];
        };
        /** @description `connectionId` is the name that the caller chose. */
        Connection: {
            /** @description The account at the provider. */
            account: components["schemas"]["Account"];
            /** @description How the connection authenticates at the provider. */
            authType: components["schemas"]["AuthType"];
            /** @description The name of the connection, chosen by its creator. */
            connectionId: string;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When the access token expires; null if it does not expire or the provider does not specify it.
             */
            expiresAt: string | null;
            /** @description The ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string;
            /** @description The most recent error, or null. */
            lastError: components["schemas"]["LastError"] | null;
            /**
             * Format: date-time
             * @description When the token was last refreshed.
             */
            lastRefreshedAt: string | null;
            /** @description What the provider returned with the token, such as the URL of its API. */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The provider, such as `hubspot`. */
            provider: string | null;
            /** @description The scopes that the user granted. */
            scopes: string[];
            /** @description `ACTIVE`; `ERROR` while refreshes fail for a reason other than the grant and Patchbay retries them; `EXPIRED` when the user must connect again; `REVOKED` while it is being removed. */
            status: components["schemas"]["ConnectionStatus"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description The `data` of the event `CONNECTION_CREATED`. */
        ConnectionCreatedData: {
            /** @description The account's name at the provider. */
            accountLabel: string | null;
            /** @description The connection, by its name. */
            connectionId: string;
            /** @description Who connected it, in the format of `id` in GET /api/me. */
            createdBy: string;
            /** @description The connection, by Patchbay's ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string;
            /** @description The provider of the account. */
            provider: string | null;
        };
        /** @description Triggers when an account is connected. */
        ConnectionCreatedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ConnectionCreatedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CONNECTION_CREATED";
        };
        /** @description The credentials of a connection without OAuth. */
        ConnectionCredentials: {
            /** @description The credentials by name, such as `apiKey`. */
            credentials: {
                [key: string]: string;
            };
        };
        /** @description The `data` of the event `CONNECTION_EXPIRED`. */
        ConnectionExpiredData: {
            /** @description The account's name at the provider. */
            accountLabel: string | null;
            /** @description The connection, by its name. */
            connectionId: string;
            /** @description The connection, by Patchbay's ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string;
            /** @description The provider of the account. */
            provider: string | null;
            /** @description The code of the reason. */
            statusReason: string | null;
        };
        /** @description Triggers when a connected account must be connected again. */
        ConnectionExpiredEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ConnectionExpiredData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CONNECTION_EXPIRED";
        };
        ConnectionList: {
            /** @description The items of this page. */
            items: components["schemas"]["Connection"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description The `data` of the event `CONNECTION_RECOVERED`. */
        ConnectionRecoveredData: {
            /** @description The account's name at the provider. */
            accountLabel: string | null;
            /** @description The connection, by its name. */
            connectionId: string;
            /** @description The connection, by Patchbay's ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string;
            /** @description The previous status: EXPIRED or ERROR. */
            previousStatus: components["schemas"]["ConnectionRecoveredDataPreviousStatus"];
            /** @description The provider of the account. */
            provider: string | null;
        };
        /** @enum {string} */
        ConnectionRecoveredDataPreviousStatus: "EXPIRED" | "ERROR";
        /** @description Triggers when a connection that had expired or failed works again. */
        ConnectionRecoveredEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ConnectionRecoveredData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CONNECTION_RECOVERED";
        };
        /** @description The `data` of the event `CONNECTION_REVOKED`. */
        ConnectionRevokedData: {
            /** @description The account's name at the provider. */
            accountLabel: string | null;
            /** @description The connection, by its name. */
            connectionId: string;
            /** @description The connection, by Patchbay's ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string;
            /** @description The provider of the account. */
            provider: string | null;
            /** @description Why: connection_deleted or integration_deleted. */
            statusReason: components["schemas"]["ConnectionRevokedDataStatusReason"];
        };
        /** @enum {string} */
        ConnectionRevokedDataStatusReason: "connection_deleted" | "integration_deleted";
        /** @description Triggers when a connection or its integration is deleted. */
        ConnectionRevokedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ConnectionRevokedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CONNECTION_REVOKED";
        };
        /**
         * @description ERROR: refreshes fail for a reason other than the grant, and Patchbay retries. EXPIRED: the user must connect again. REVOKED: being removed.
         * @enum {string}
         */
        ConnectionStatus: "ACTIVE" | "EXPIRED" | "ERROR" | "REVOKED";
        /** @description The contents of a connect link's page. */
        ConnectPage: {
            /** @description The name of the connection. */
            connectionId: string;
            /**
             * Format: date-time
             * @description When the link expires.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description The integrations that can be connected. The user chooses one. */
            integrations: components["schemas"]["ConnectableIntegration"][];
            /** @description Who requests access, as the link's creator entered it; or null. */
            requestedBy: string | null;
            /** @description The page of the platform to return to, or null. */
            returnUrl: string | null;
            /** @description `OPEN`, or `COMPLETED` once the account is connected. */
            status: components["schemas"]["ConnectSessionStatus"];
            /** @description The workspace. */
            workspaceId: string;
            /** @description The workspace's name, as the link's creator entered it; or null. */
            workspaceName: string | null;
        };
        /** @description A connect session without its link. `integrationId` and `connection` are set once it has connected an account. */
        ConnectSession: {
            /**
             * Format: date-time
             * @description When the account was connected, or null.
             */
            completedAt: string | null;
            /** @description The ID of the created connection, or null. */
            connection: string | null;
            /** @description The name of the connection. */
            connectionId: string;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When the link expires.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description The integration that was connected, or null. */
            integrationId: string | null;
            /** @description The integrations that the user can choose from. */
            integrations: string[];
            /** @description Who requests access, or null. */
            requestedBy: string | null;
            /** @description The page of the platform to return to, or null. */
            returnUrl: string | null;
            /** @description The requested scopes; null for those of the integration. */
            scopes: string[] | null;
            /** @description `OPEN`, `COMPLETED`, `REVOKED` or `EXPIRED`. */
            status: components["schemas"]["ConnectSessionStatus"];
            /** @description The workspace's name on the page, or null. */
            workspaceName: string | null;
        };
        /** @description A new session. Only this response contains its link. */
        ConnectSessionLink: {
            /**
             * Format: date-time
             * @description When the account was connected: null.
             */
            completedAt: string | null;
            /** @description The ID of the created connection: null. */
            connection: string | null;
            /** @description The name of the connection. */
            connectionId: string;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When the link expires.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description The integration that was connected: null. */
            integrationId: string | null;
            /** @description The integrations that the user can choose from. */
            integrations: string[];
            /** @description The link. Shown only in this response. */
            link: string;
            /** @description Who requests access, or null. */
            requestedBy: string | null;
            /** @description The page of the platform to return to, or null. */
            returnUrl: string | null;
            /** @description The requested scopes; null for those of the integration. */
            scopes: string[] | null;
            /** @description `OPEN`. */
            status: components["schemas"]["ConnectSessionStatus"];
            /** @description The workspace's name on the page, or null. */
            workspaceName: string | null;
        };
        ConnectSessionList: {
            /** @description The items of this page. */
            items: components["schemas"]["ConnectSession"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /**
         * @description OPEN until the link has created its connection. COMPLETED, REVOKED and EXPIRED links no longer work. A link also stops working with the API key that created it, which its status does not show.
         * @enum {string}
         */
        ConnectSessionStatus: "OPEN" | "COMPLETED" | "REVOKED" | "EXPIRED";
        /** @description The `data` of the event `CONVERSATION_ASSIGNED`. */
        ConversationAssignedData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /**
             * Format: date-time
             * @description When it was assigned.
             */
            assignedAt?: string;
            /** @description The user who assigned it; null for a rule. */
            assignedBy?: string | null;
            /** @description The user or team that it is assigned to. */
            assigneeId: string;
            /** @description Their name. */
            assigneeName?: string | null;
            /** @description The platform's ID of the conversation. */
            conversationId: string;
            /** @description The name of the customer. */
            customerName?: string | null;
            /** @description The social network, in lowercase. */
            network?: string;
        };
        /** @description Triggers when a conversation is assigned to a member or a team. */
        ConversationAssignedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["ConversationAssignedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "CONVERSATION_ASSIGNED";
        };
        /** @description A new key. The limits apply to sliding windows of an hour and a day. By default, the key never expires, and the workspace's rotation policy applies. */
        CreateApiKey: {
            /**
             * Format: date-time
             * @description When the key expires. By default, it never expires.
             */
            expiresAt?: string | null;
            /** @description The display name. */
            name: string;
            /**
             * @description The maximum number of requests in a sliding window of 24 hours.
             * @default 10000
             */
            rateLimitPerDay?: number;
            /**
             * @description The maximum number of requests in a sliding window of 60 minutes.
             * @default 1000
             */
            rateLimitPerHour?: number;
            /** @description The rotation policy of the key. By default, the policy of the workspace applies, if it has one. */
            rotation?: components["schemas"]["KeyRotationInput"] | null;
            /** @description The scopes of the key. You can grant only scopes that you have. */
            scopes: string[];
        };
        /** @description For providers without OAuth. `credentials` has the fields that the provider requires. For a custom provider: `apiKey`, or `username` and `password`. */
        CreateConnection: {
            /**
             * @description The name of the connection, chosen by its creator.
             * @default default
             */
            connectionId?: string;
            /** @description The credentials by name, such as `apiKey`. */
            credentials: {
                [key: string]: string;
            };
        };
        /**
         * @description A new connect link. The user chooses one of the `integrations`, which must be active, and connects an account, once.
         *
         *     `connectionId` is the name of the connection; an existing connection with this name is replaced. By default, it is the ID of the session, so nothing is replaced. `scopes` can be a subset of the integration's scopes, if there is only one integration. The page shows `workspaceName` and `requestedBy`, so that people know who gets access. Afterwards, it links to `returnUrl`.
         */
        CreateConnectSession: {
            /** @description The name of the connection. An existing connection with this name is replaced. By default, the ID of the session. */
            connectionId?: string | null;
            /**
             * @description The lifetime of the link in seconds, at most 7 days.
             * @default 86400
             */
            expiresIn?: number;
            /** @description The integrations that the user can choose from. They must be active. */
            integrations: string[];
            /** @description Who requests access, shown on the page: a person or a team. */
            requestedBy?: string | null;
            /** @description The page of the platform to return to. Its origin must be in AllowedReturnOrigins. */
            returnUrl?: string | null;
            /** @description The scopes to request, if there is only one integration. By default, those of the integration. */
            scopes?: string[] | null;
            /** @description The workspace's name, shown on the page. */
            workspaceName?: string | null;
        };
        /** @description An INACTIVE flow is stored but does not run. */
        CreateFlow: {
            /**
             * @description A description in a sentence or two.
             * @default
             */
            description?: string;
            /** @description The display name. */
            name: string;
            /**
             * @description `ACTIVE`, or `INACTIVE` to save the flow without running it.
             * @default ACTIVE
             */
            status?: components["schemas"]["FlowStatus"];
            /** @description What the flow does, in order. */
            steps: (components["schemas"]["FlowWebhookStepInput"] | components["schemas"]["FlowActionStepInput"] | components["schemas"]["FlowRequestStepInput"] | components["schemas"]["FlowWaitStepInput"] | components["schemas"]["FlowFilterStepInput"] | components["schemas"]["FlowBranchStepInput"])[];
            /** @description What starts the flow. */
            trigger: components["schemas"]["FlowTriggerInput"];
        };
        /** @description `config` has the OAuth client (`clientId`, `clientSecret`, `redirectUris`) and, for a custom provider, its URLs. Unknown fields of `config` are stored as secrets. */
        CreateIntegration: {
            /** @description The provider's settings by name, such as the OAuth client. Secrets are masked. */
            config?: {
                [key: string]: string | boolean | string[] | null;
            };
            /**
             * @description A description in a sentence or two.
             * @default
             */
            description?: string;
            /**
             * @description Whether the marketplace lists it once the platform has approved it.
             * @default false
             */
            isPublic?: boolean;
            /** @description The URL of an image (https). */
            logoUrl?: string | null;
            /** @description Your own data: any object of at most 8 KiB. */
            metadata?: {
                [key: string]: unknown;
            };
            /** @description The display name. */
            name: string;
            /** @description The provider, such as `hubspot`. */
            provider?: string | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay?: number | null;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour?: number | null;
            /** @description The scopes. */
            scopes?: string[];
            /** @description The type. */
            type: components["schemas"]["IntegrationType"];
        };
        /** @description A new console session. `capabilities` are scopes that you can grant; by default, all of your scopes that Patchbay defines, except `credentials:…`, `workspace:…` and `actions:…`. `credentials:read` is never allowed, because access tokens must not reach a browser. With `readOnly`, the session has only read scopes and cannot make changes. */
        CreatePortalSession: {
            /** @description The scopes of the session. You can grant only scopes that you have. */
            capabilities?: string[] | null;
            /**
             * @description The lifetime of the session in seconds, at most 24 hours.
             * @default 3600
             */
            expiresIn?: number;
            /** @description Who uses the session, for the audit log: a name or an email address. */
            label?: string | null;
            /**
             * @description Whether the session is read-only.
             * @default false
             */
            readOnly?: boolean;
            /** @description Where to send the user when the session ends. Its origin must be in AllowedReturnOrigins. */
            returnUrl?: string | null;
            /** @description The appearance of the console. */
            theme?: components["schemas"]["ThemeInput"];
            /** @description The page that the console opens, such as `/webhooks`. */
            view?: string | null;
        };
        /** @description `secret` is your own signing secret, for example when you migrate from another system: `whsec_` and the base64 of 24 to 64 random bytes (Standard Webhooks). By default, Patchbay generates one. */
        CreateWebhook: {
            /**
             * @description The number of consecutive failures that disables the webhook.
             * @default 10
             */
            disableAfter?: number;
            /** @description The subscribed event types, or `*` for all. */
            eventTypes: (string | "*")[];
            /** @description The number of seconds after which the webhook is deleted; null for never. */
            expiresInSeconds?: number | null;
            /** @description Conditions on an event's data. All must be true. */
            filters?: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /** @description Custom headers of every request to the receiver. Responses mask their values. */
            headers?: {
                [key: string]: string;
            };
            /** @description The integration that it belongs to. */
            integrationId?: string | null;
            /**
             * @description `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes.
             * @default push
             */
            kind?: components["schemas"]["WebhookKind"];
            /** @description The display name. */
            name: string;
            /** @description The maximum number of requests per second to the receiver; null for no limit. */
            rateLimitPerSecond?: number | null;
            /** @description The retry policy. */
            retryConfig?: components["schemas"]["RetryConfig"];
            /** @description Your own signing secret, `whsec_…`. By default, Patchbay generates one. */
            secret?: string | null;
            /** @description The receiver's URL. */
            url?: string | null;
        };
        /** @description The number of allowed requests on one day (UTC). */
        DailyUse: {
            /** @description The number of requests. */
            count: number;
            /**
             * Format: date
             * @description The day, in UTC.
             */
            date: string;
        };
        /** @description The platform's decision on a public integration. APPROVE and REJECT need the reviewed `version` and complete its pending review. WITHDRAW revokes an approval at any version and stops the copies. An approval sets `publisherName` and `verified`. */
        DecidePublication: {
            /** @description `APPROVE` lists the submitted version in the marketplace. `REJECT` keeps the listed version. `WITHDRAW` removes the publication from the marketplace and stops its copies within minutes. */
            decision: components["schemas"]["DecidePublicationDecision"];
            /** @description The publisher's name in the marketplace. By default, an approval keeps the current name. */
            publisherName?: string | null;
            /** @description The reason, shown to the publisher. */
            reviewReason?: string | null;
            /**
             * @description Whether an approval shows the publisher as verified.
             * @default false
             */
            verified?: boolean;
            /** @description The reviewed version: the publication's `version`. `WITHDRAW` does not need it and applies to any version. */
            version?: number | null;
        };
        /** @enum {string} */
        DecidePublicationDecision: "APPROVE" | "REJECT" | "WITHDRAW";
        /** @description `statusReason` says why the delivery has not succeeded (yet): `http_500`, `timeout`, `retries_exhausted:http_500`, `held:timeouts` … */
        Delivery: {
            /** @description The number of attempts so far. */
            attemptCount: number;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was delivered.
             */
            deliveredAt: string | null;
            /** @description The event. */
            eventId: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description The ID. */
            id: string;
            /** @description The maximum number of attempts. */
            maxAttempts: number;
            /**
             * Format: date-time
             * @description When the next attempt is due, or null.
             */
            nextAttemptAt: string | null;
            /** @description `PENDING` until the first attempt; `SENDING` during an attempt; `RETRYING` between attempts; `HELD` while the receiver is unhealthy or the webhook is paused; finally `DELIVERED`, `FAILED`, or `CANCELLED` because the webhook is no longer active. */
            status: string;
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description `payload` is the request body; null if the event is no longer stored or its data was erased. `attempts` has the last 100 attempts. If their responses do not fit into one API response, the oldest ones are withheld. */
        DeliveryDetail: {
            /** @description The number of attempts so far. */
            attemptCount: number;
            /** @description The attempts, oldest first; the last 100. */
            attempts: components["schemas"]["Attempt"][];
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was delivered.
             */
            deliveredAt: string | null;
            /** @description The event. */
            eventId: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description The ID. */
            id: string;
            /** @description The maximum number of attempts. */
            maxAttempts: number;
            /**
             * Format: date-time
             * @description When the next attempt is due, or null.
             */
            nextAttemptAt: string | null;
            /** @description The request body; null if the event is no longer stored. */
            payload: {
                [key: string]: unknown;
            } | null;
            /** @description `PENDING` until the first attempt; `SENDING` during an attempt; `RETRYING` between attempts; `HELD` while the receiver is unhealthy or the webhook is paused; finally `DELIVERED`, `FAILED`, or `CANCELLED` because the webhook is no longer active. */
            status: string;
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description The `data` of the event `DELIVERY_FAILED`. */
        DeliveryFailedData: {
            /** @description The first delivery of the webhook that failed in this hour. */
            deliveryId: string;
            /** @description The event that was not delivered. */
            eventId: string;
            /** @description The event's type. */
            eventType: string;
            /**
             * Format: date-time
             * @description When it failed.
             */
            failedAt: string;
            /** @description Its name. */
            name: string;
            /** @description The code of the error. */
            statusReason: string;
            /**
             * Format: uri
             * @description The URL of the webhook.
             */
            url: string;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Triggers when a delivery fails after all retries, at most once an hour per webhook. */
        DeliveryFailedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["DeliveryFailedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "DELIVERY_FAILED";
        };
        DeliveryList: {
            /** @description The items of this page. */
            items: components["schemas"]["Delivery"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description `matches` says whether the event starts the flow; if not, `detail` says why. `steps` has all steps, in the order of the definition. Nothing was sent or stored. */
        DryRun: {
            /** @description Why the event does not start the flow; null if it does. */
            detail: string | null;
            /** @description The event of the dry run. */
            event: components["schemas"]["DryRunEvent"];
            /** @description Whether the event starts the flow. */
            matches: boolean;
            /** @description How the run would end; null if the event does not start the flow. */
            status: ("SUCCEEDED" | "STOPPED" | "FAILED") | null;
            /** @description All steps, in the order of the definition. */
            steps: components["schemas"]["DryRunStep"][];
        };
        /** @description The event of the dry run. */
        DryRunEvent: {
            /** @description The event's content. */
            data: {
                [key: string]: unknown;
            };
            /** @description The event type. */
            type: string;
        };
        /** @description A definition, and the event for the dry run: by default, the sample of the first event type. */
        DryRunFlow: {
            /** @description The event's data. By default, the event type's sample. */
            data?: {
                [key: string]: unknown;
            } | null;
            /** @description The type of the event. By default, the trigger's first event type. */
            eventType?: string | null;
            /** @description What the flow does, in order. */
            steps: (components["schemas"]["FlowWebhookStepInput"] | components["schemas"]["FlowActionStepInput"] | components["schemas"]["FlowRequestStepInput"] | components["schemas"]["FlowWaitStepInput"] | components["schemas"]["FlowFilterStepInput"] | components["schemas"]["FlowBranchStepInput"])[];
            /** @description What starts the flow. */
            trigger: components["schemas"]["FlowTriggerInput"];
        };
        /** @description What a step would do. `output` is an example. `detail` describes what would happen. `missing` has the paths of values that the event does not have. */
        DryRunStep: {
            /** @description What would happen, in words. */
            detail: string;
            /** @description Why the step would fail, or null. */
            error: components["schemas"]["StepError"] | null;
            /** @description The step's ID. */
            id: string;
            /** @description The input of the step; null if it does not run. */
            input: {
                [key: string]: unknown;
            } | null;
            /** @description The paths of values that the event does not have. They are null. */
            missing: string[];
            /** @description An example of its output, or null. */
            output: {
                [key: string]: unknown;
            } | null;
            /** @description `SUCCEEDED`; `STOPPED` by a filter; `FAILED`; `SKIPPED` because the run does not reach the step with this event. */
            status: components["schemas"]["DryRunStepStatus"];
            /** @description The type. */
            type: components["schemas"]["DryRunStepType"];
        };
        /** @enum {string} */
        DryRunStepStatus: "SUCCEEDED" | "STOPPED" | "FAILED" | "SKIPPED";
        /** @enum {string} */
        DryRunStepType: "webhook" | "action" | "request" | "wait" | "filter" | "branch";
        /** @description `{}`, the response to a DELETE: Zapier's client cannot read a 204. */
        Empty: Record<string, never>;
        /** @description The value at `path` equals `value`. */
        EqualsFilter: {
            /**
             * @description The comparison. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "equals";
            /** @description A dot path into the event's data; numbers are list indexes. */
            path: string;
            /** @description The value to compare with. */
            value: string | boolean | number | null;
        };
        /** @description `unmatched` has up to 50 webhooks that subscribe to the event type but did not get the event, newest first; `unmatchedTruncated` says whether there are more. It reflects the current webhooks. It is null for callers without the scope webhooks:read. `erasedAt` is when the data was erased; then `data` is empty. `depth` is the number of flows in the chain of events that caused this one, and `causedBy` is the previous event in that chain. */
        Event: {
            /** @description The event that caused this one, or null. */
            causedBy: string | null;
            /** @description The event's content. */
            data: {
                [key: string]: unknown;
            };
            /** @description The event's deliveries, one for each webhook that it matched. */
            deliveries: components["schemas"]["EventDelivery"][];
            /** @description The number of flows in the chain of events that caused this one. */
            depth: number;
            /**
             * Format: date-time
             * @description When the data was erased, or null.
             */
            erasedAt: string | null;
            /** @description The pull webhooks whose feeds contain the event. */
            feeds: components["schemas"]["EventFeed"][];
            /** @description The flows that the event started, and their runs. */
            flows: components["schemas"]["EventFlow"][];
            /** @description The ID. */
            id: string;
            /** @description The source. */
            source: string;
            /** @description The status. */
            status: components["schemas"]["EventStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /** @description The event type. */
            type: string;
            /** @description The webhooks that subscribe to the event type but did not get the event. */
            unmatched: components["schemas"]["UnmatchedWebhook"][] | null;
            /** @description Whether `unmatched` is incomplete. */
            unmatchedTruncated: boolean;
        };
        /** @description `status` is PENDING until the first attempt starts. */
        EventDelivery: {
            /** @description The number of attempts so far. */
            attemptCount: number;
            /**
             * Format: date-time
             * @description When it was delivered.
             */
            deliveredAt: string | null;
            /** @description The ID. */
            id: string;
            /** @description The maximum number of attempts; null before the first one. */
            maxAttempts: number | null;
            /**
             * Format: date-time
             * @description When the next attempt is due, or null.
             */
            nextAttemptAt: string | null;
            /** @description The status. */
            status: string;
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /** @description The webhook. */
            webhookId: string;
            /** @description The webhook's name; null if the webhook was deleted or you do not have the scope webhooks:read. */
            webhookName: string | null;
        };
        /** @description A pull webhook whose feed has the event. `id` is the `webhook-id` of its item there. */
        EventFeed: {
            /** @description The ID. */
            id: string;
            /** @description The webhook. */
            webhookId: string;
            /** @description The webhook's name; null if the webhook was deleted or you do not have the scope webhooks:read. */
            webhookName: string | null;
        };
        /** @description A flow that the event started, and its run. */
        EventFlow: {
            /** @description The flow. */
            flowId: string;
            /** @description The run. */
            runId: string;
        };
        /** @enum {string} */
        EventStatus: "ACCEPTED" | "REJECTED";
        /**
         * @description An event in a list. `source` is `api`, `bus`, `patchbay`, or `flow` for events that a flow sent to a webhook.
         *
         *     A REJECTED event came from the event bus and is invalid. It is stored with its `statusReason` but not delivered. Its `type` is empty if the bus event has no valid type.
         */
        EventSummary: {
            /** @description The ID. */
            id: string;
            /** @description The source. */
            source: string;
            /** @description The status. */
            status: components["schemas"]["EventStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /** @description The type. */
            type: string;
        };
        EventSummaryList: {
            /** @description The items of this page. */
            items: components["schemas"]["EventSummary"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /**
         * @description An event type as the catalogue's route returns it. `schema` (JSON Schema 2020-12) and `sample` describe an event's `data`, which may have further fields.
         *
         *     `kind`: `publishable` events come from the platform and its workspaces, `operational` events are Patchbay's own, and `platform` events go only to the platform's own workspace.
         */
        EventTypeInfo: {
            /** @description A description in a sentence or two. */
            description: string;
            /** @description Who publishes it: `publishable`, `operational` or `platform`. */
            kind: components["schemas"]["EventTypeInfoKind"];
            /** @description An example of an event's data. */
            sample: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The JSON Schema of an event's data. */
            schema: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The type. */
            type: string;
        };
        /** @enum {string} */
        EventTypeInfoKind: "publishable" | "operational" | "platform";
        EventTypeInfoList: {
            /** @description The items of this page. */
            items: components["schemas"]["EventTypeInfo"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description The input of an action and its output. */
        Example: {
            /** @description An example of the input. */
            input: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description An example of the result. */
            output: {
                [key: string]: components["schemas"]["JsonValue"];
            };
        };
        /** @description The code is in the fragment of the link. */
        ExchangeCode: {
            /** @description The code in the fragment of the link. */
            code: string;
        };
        /** @description A value at `path` exists (`true`) or does not (`false`); null is a value. */
        ExistsFilter: {
            /**
             * @description The comparison. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "exists";
            /** @description A dot path into the event's data; numbers are list indexes. */
            path: string;
            /** @description The value to compare with. */
            value: boolean;
        };
        /** @description A value at `path` exists (`true`) or does not (`false`); null is a value. */
        ExistsFilterInput: {
            /**
             * @description The comparison. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "exists";
            /** @description A dot path into the event's data; numbers are list indexes. */
            path: string;
            /**
             * @description The value to compare with.
             * @default true
             */
            value?: boolean;
        };
        /** @description The file of an export: NDJSON, one record in each line. `url` needs no credentials and works until `urlExpiresAt`. Get the task again for a new URL. The file is deleted at `expiresAt`. */
        ExportFile: {
            /** @description The size of the file. */
            bytes: number;
            /**
             * Format: date-time
             * @description When the file is deleted.
             */
            expiresAt: string;
            /** @description The download URL. It needs no credentials and works until `urlExpiresAt`. */
            url: string;
            /**
             * Format: date-time
             * @description When `url` expires. Get the task again for a new one.
             */
            urlExpiresAt: string;
        };
        Failed: {
            /** @description What went wrong, for the automation's owner. */
            error: components["schemas"]["RunErrorInput"];
            /**
             * @description The status. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            status: "FAILED";
        };
        /** @description The next events, oldest first. Pass `cursor` to continue. If `hasMore` is true, more events are available now; otherwise, read again after `nextPollMs`. `truncated` means that events are missing because they are no longer stored. */
        Feed: {
            /** @description Where the next read continues. */
            cursor: string;
            /** @description Whether more events are already available. */
            hasMore: boolean;
            /** @description The items of this page. */
            items: components["schemas"]["FeedItem"][];
            /** @description How long to wait before the next read, in milliseconds. */
            nextPollMs: number;
            /** @description Whether events are missing because they are no longer stored. */
            truncated: boolean;
        };
        /** @description `lag` is the number of feed entries after `sequence`. */
        FeedConsumer: {
            /**
             * Format: date-time
             * @description When the consumer last committed.
             */
            committedAt: string;
            /** @description The name of the consumer. */
            consumer: string;
            /** @description The number of feed entries after `sequence`. */
            lag: number;
            /** @description The number of the entry in the feed. */
            sequence: number;
        };
        /** @description All consumers that have committed within the retention period, on one page, by name. `sequence` is the number of the feed's last entry. */
        FeedConsumers: {
            /** @description The items of this page. */
            items: components["schemas"]["FeedConsumer"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
            /** @description The number of the feed's last entry. */
            sequence: number;
        };
        /** @description An event as a push receiver would get it: the exact text of the body and the headers of the request, signed at the time of this response. `id` is the `webhook-id`. It is the same if an event appears twice. */
        FeedItem: {
            /** @description The event. */
            eventId: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description The headers that a push request would have, signed at the time of the read. */
            headers: {
                [key: string]: string;
            };
            /** @description The `webhook-id`. It is the same if an event appears twice. */
            id: string;
            /** @description The exact text of the body. Verify the signature over this text. */
            payload: string;
            /** @description The number of the entry in the feed. */
            sequence: number;
        };
        /** @description An invalid field of the request. */
        FieldError: {
            /** @description What is wrong with the field. */
            message: string;
            /** @description The path of the field, such as `retryConfig.maxRetries` or `events.0.type`. */
            path: string;
        };
        /** @description `scopes` are the scopes that the steps need. `savedBy` had them when they saved the definition, and the flow runs with them. In lists, `recentRuns` is null unless you request it with `include`. */
        Flow: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The ID. */
            id: string;
            /** @description The display name. */
            name: string;
            /** @description The results of the latest runs, in lists with `include=recentRuns`; otherwise null. */
            recentRuns: components["schemas"]["RecentRuns"] | null;
            /** @description Who last saved the definition. The flow runs with their permissions. */
            savedBy: string;
            /** @description The scopes that the steps need. */
            scopes: string[];
            /** @description `ACTIVE` or `INACTIVE`. An inactive flow starts no runs. */
            status: components["schemas"]["FlowStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /** @description What the flow does, in order. */
            steps: (components["schemas"]["FlowWebhookStep"] | components["schemas"]["FlowActionStep"] | components["schemas"]["FlowRequestStep"] | components["schemas"]["FlowWaitStep"] | components["schemas"]["FlowFilterStep"] | components["schemas"]["FlowBranchStep"])[];
            /** @description What starts the flow. */
            trigger: components["schemas"]["FlowTrigger"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description Starts a run of an action and waits until it is completed. `output` is its result. */
        FlowActionStep: {
            /** @description The key of the action, such as `create_post`. */
            action: string;
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The action's input. Strings can contain values: `{{event.data.text}}`. */
            input: {
                [key: string]: unknown;
            };
            /** @description The display name. */
            name: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "action";
        };
        /** @description Starts a run of an action and waits until it is completed. `output` is its result. */
        FlowActionStepInput: {
            /** @description The key of the action, such as `create_post`. */
            action: string;
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The action's input. Strings can contain values: `{{event.data.text}}`. */
            input?: {
                [key: string]: unknown;
            };
            /** @description The display name. */
            name?: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "action";
        };
        /** @description Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the steps after the branch. Paths are as in a filter step. `output`: `{matched}`. */
        FlowBranchStep: {
            /** @description The conditions. All must match. */
            condition: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description The steps to run otherwise. None by default. */
            else: (components["schemas"]["FlowWebhookStep"] | components["schemas"]["FlowActionStep"] | components["schemas"]["FlowRequestStep"] | components["schemas"]["FlowWaitStep"] | components["schemas"]["FlowFilterStep"] | components["schemas"]["FlowBranchStep"])[];
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name: string | null;
            /** @description The steps to run if all conditions match. */
            then: (components["schemas"]["FlowWebhookStep"] | components["schemas"]["FlowActionStep"] | components["schemas"]["FlowRequestStep"] | components["schemas"]["FlowWaitStep"] | components["schemas"]["FlowFilterStep"] | components["schemas"]["FlowBranchStep"])[];
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "branch";
        };
        /** @description Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the steps after the branch. Paths are as in a filter step. `output`: `{matched}`. */
        FlowBranchStepInput: {
            /** @description The conditions. All must match. */
            condition: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /** @description The steps to run otherwise. None by default. */
            else?: (components["schemas"]["FlowWebhookStepInput"] | components["schemas"]["FlowActionStepInput"] | components["schemas"]["FlowRequestStepInput"] | components["schemas"]["FlowWaitStepInput"] | components["schemas"]["FlowFilterStepInput"] | components["schemas"]["FlowBranchStepInput"])[];
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name?: string | null;
            /** @description The steps to run if all conditions match. */
            then: (components["schemas"]["FlowWebhookStepInput"] | components["schemas"]["FlowActionStepInput"] | components["schemas"]["FlowRequestStepInput"] | components["schemas"]["FlowWaitStepInput"] | components["schemas"]["FlowFilterStepInput"] | components["schemas"]["FlowBranchStepInput"])[];
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "branch";
        };
        /** @description The steps of a flow: at most 20 in total, with branches nested up to three levels. */
        FlowDefinition: {
            /** @description What the flow does, in order. */
            steps: (components["schemas"]["FlowWebhookStep"] | components["schemas"]["FlowActionStep"] | components["schemas"]["FlowRequestStep"] | components["schemas"]["FlowWaitStep"] | components["schemas"]["FlowFilterStep"] | components["schemas"]["FlowBranchStep"])[];
            /** @description What starts the flow. */
            trigger: components["schemas"]["FlowTrigger"];
        };
        /** @description Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`, such as `event.data.network`. */
        FlowFilterStep: {
            /** @description The conditions. All must match, or the run stops. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "filter";
        };
        /** @description Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`, such as `event.data.network`. */
        FlowFilterStepInput: {
            /** @description The conditions. All must match, or the run stops. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name?: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "filter";
        };
        FlowList: {
            /** @description The items of this page. */
            items: components["schemas"]["Flow"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description Sends a request to a provider's API with a connection's token. `connectionId` is the connection's name or its ID. `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path becomes one segment or part of one. A `body` is sent as JSON; a string is sent as text. `output`: `{status, body, isTruncated}`. */
        FlowRequestStep: {
            /** @description The body, sent as JSON. A string is sent as text. Strings can contain values: `{{event.data.text}}`. */
            body: components["schemas"]["JsonValue"];
            /** @description The connection's name or its ID. */
            connectionId: string;
            /** @description Additional headers. Strings can contain values. Headers that usually carry credentials are not allowed. */
            headers: {
                [key: string]: string;
            };
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The integration of the connection. */
            integrationId: string;
            /** @description The method of the request. */
            method: components["schemas"]["FlowRequestStepMethod"];
            /** @description The display name. */
            name: string | null;
            /** @description The query parameters. Strings can contain values. A list repeats the parameter; null omits it. */
            query: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "request";
            /** @description A path of the provider's API, such as `/crm/v3/objects/contacts/{{event.data.id}}`, or a full URL at one of its hosts. */
            url: string;
        };
        /** @description Sends a request to a provider's API with a connection's token. `connectionId` is the connection's name or its ID. `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path becomes one segment or part of one. A `body` is sent as JSON; a string is sent as text. `output`: `{status, body, isTruncated}`. */
        FlowRequestStepInput: {
            /** @description The body, sent as JSON. A string is sent as text. Strings can contain values: `{{event.data.text}}`. */
            body?: components["schemas"]["JsonValue"];
            /**
             * @description The connection's name or its ID.
             * @default default
             */
            connectionId?: string;
            /** @description Additional headers. Strings can contain values. Headers that usually carry credentials are not allowed. */
            headers?: {
                [key: string]: string;
            };
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The integration of the connection. */
            integrationId: string;
            /** @description The method of the request. */
            method: components["schemas"]["FlowRequestStepMethod"];
            /** @description The display name. */
            name?: string | null;
            /** @description The query parameters. Strings can contain values. A list repeats the parameter; null omits it. */
            query?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "request";
            /** @description A path of the provider's API, such as `/crm/v3/objects/contacts/{{event.data.id}}`, or a full URL at one of its hosts. */
            url: string;
        };
        /** @enum {string} */
        FlowRequestStepMethod: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
        /** @description One execution of a flow for one event. It is STOPPED by a filter step, and CANCELLED if the flow was deactivated or deleted, or the event's data was erased. `step` is the current step, or the step where the run ended. While it is WAITING, `resumesAt` is the latest time at which it continues. */
        FlowRun: {
            /** @description The number of flows in the chain of events that caused this run. At 5, the run fails. */
            depth: number;
            /**
             * Format: date-time
             * @description When it ended, or null.
             */
            endedAt: string | null;
            /** @description The event that started it. */
            eventId: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description The flow. */
            flowId: string;
            /** @description The version of the flow. */
            flowVersion: number;
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description The latest time at which a WAITING run resumes; otherwise null.
             */
            resumesAt: string | null;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedAt: string;
            /** @description `RUNNING`; `WAITING` for a time or an action; then `SUCCEEDED`, `STOPPED` by a filter, `FAILED`, or `CANCELLED` because the flow was deactivated or deleted, or the event's data was erased. */
            status: components["schemas"]["FlowRunStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /** @description The ID of the current step, or of the step where the run ended; null after the last step. */
            step: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description `definition` is the definition at the start of the run. `steps` has the steps that have started, in order, without steps on the other side of a branch or after the end of the run. */
        FlowRunDetail: {
            /** @description The trigger and the steps at the start of the run. */
            definition: components["schemas"]["FlowDefinition"];
            /** @description The number of flows in the chain of events that caused this run. At 5, the run fails. */
            depth: number;
            /**
             * Format: date-time
             * @description When it ended, or null.
             */
            endedAt: string | null;
            /** @description The event that started it. */
            eventId: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description The flow. */
            flowId: string;
            /** @description The version of the flow. */
            flowVersion: number;
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description The latest time at which a WAITING run resumes; otherwise null.
             */
            resumesAt: string | null;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedAt: string;
            /** @description `RUNNING`; `WAITING` for a time or an action; then `SUCCEEDED`, `STOPPED` by a filter, `FAILED`, or `CANCELLED` because the flow was deactivated or deleted, or the event's data was erased. */
            status: components["schemas"]["FlowRunStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /** @description The ID of the current step, or of the step where the run ended; null after the last step. */
            step: string | null;
            /** @description The steps that have started, in order. */
            steps: components["schemas"]["StepRun"][];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        FlowRunList: {
            /** @description The items of this page. */
            items: components["schemas"]["FlowRun"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        FlowRunStatus: "RUNNING" | "WAITING" | "SUCCEEDED" | "STOPPED" | "FAILED" | "CANCELLED";
        /** @enum {string} */
        FlowStatus: "ACTIVE" | "INACTIVE";
        /** @description A flow that needs only the user's `choices`. Each choice is a push `webhook`, or an `object` of the platform from the list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps. `scopes` are the scopes that the steps need. */
        FlowTemplate: {
            /** @description The choices that the user makes during installation. */
            choices: components["schemas"]["FlowTemplateChoice"][];
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The key that `POST /api/flows/templates/{key}/install` takes. */
            key: string;
            /** @description The display name. */
            name: string;
            /** @description The scopes that the steps need. */
            scopes: string[];
            /** @description The steps of the flow, with `{{choices.<key>}}` as placeholders for the user's choices. */
            steps: {
                [key: string]: unknown;
            }[];
            /** @description What starts the flow. */
            trigger: components["schemas"]["FlowTrigger"];
        };
        /** @description What the user who installs the template chooses: a `webhook` of kind push, or an `object` of the platform, from its list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps. */
        FlowTemplateChoice: {
            /** @description What the choice is for. */
            description: string;
            /** @description The key in `choices`. */
            key: string;
            /** @description The display name. */
            label: string;
            /** @description The list of choices that contains the objects; null for a webhook. */
            resource: string | null;
            /** @description `webhook`: the ID of a push webhook. `object`: the ID of one of the platform's objects. */
            type: components["schemas"]["FlowTemplateChoiceType"];
        };
        /** @enum {string} */
        FlowTemplateChoiceType: "webhook" | "object";
        FlowTemplateList: {
            /** @description The items of this page. */
            items: components["schemas"]["FlowTemplate"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description A flow runs once for each event of these types whose data passes all filters. Paths are as in a webhook's filters, such as `network`. */
        FlowTrigger: {
            /** @description The event types that start the flow, or `*` for all. */
            eventTypes: (string | "*")[];
            /** @description Conditions on the event's data. All must be true. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /**
             * @description The type.
             * @constant
             */
            type: "event";
        };
        /** @description A flow runs once for each event of these types whose data passes all filters. Paths are as in a webhook's filters, such as `network`. */
        FlowTriggerInput: {
            /** @description The event types that start the flow, or `*` for all. */
            eventTypes: (string | "*")[];
            /** @description Conditions on the event's data. All must be true. */
            filters?: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /**
             * @description The type.
             * @constant
             */
            type: "event";
        };
        /** @description Waits. */
        FlowWaitStep: {
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name: string | null;
            /** @description How long to wait, at most 30 days. */
            seconds: number;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "wait";
        };
        /** @description Waits. */
        FlowWaitStepInput: {
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name?: string | null;
            /** @description How long to wait, at most 30 days. */
            seconds: number;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "wait";
        };
        /** @description Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a `FLOW_SENT` event with `data`, or with the data of the flow's event. `output`: `{eventId, deliveryId}`. The flow does not wait for the receiver. */
        FlowWebhookStep: {
            /** @description The data to send. Strings can contain values: `{{event.data.text}}`. By default, the event's data. */
            data: {
                [key: string]: unknown;
            } | null;
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "webhook";
            /** @description A push webhook. Its event types and filters are ignored here. */
            webhookId: string;
        };
        /** @description Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a `FLOW_SENT` event with `data`, or with the data of the flow's event. `output`: `{eventId, deliveryId}`. The flow does not wait for the receiver. */
        FlowWebhookStepInput: {
            /** @description The data to send. Strings can contain values: `{{event.data.text}}`. By default, the event's data. */
            data?: {
                [key: string]: unknown;
            } | null;
            /** @description The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow. */
            id: string;
            /** @description The display name. */
            name?: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "webhook";
            /** @description A push webhook. Its event types and filters are ignored here. */
            webhookId: string;
        };
        Health: {
            /** @description `ok`. */
            status: string;
            /** @description The version of the deployment. */
            version: string;
        };
        /**
         * @description The health of one integration, automation platform (its hooks), webhook, connection or flow.
         *
         *     `detail` says what is wrong and what to do about it; it is null for healthy items. `since` is when the state started, if known. A webhook has `deliveries`, a connection has `refreshes`, and an integration has both, in total, and the number of its `webhooks` and `connections` by state. An automation platform has `deliveries` and `webhooks`, and a flow has none of them.
         */
        HealthItem: {
            /** @description An integration's connections by state. */
            connections: components["schemas"]["Parts"] | null;
            /** @description The deliveries of the last 24 hours. */
            deliveries: components["schemas"]["Trend"] | null;
            /** @description What is wrong and what to do about it, or null. */
            detail: string | null;
            /** @description The ID of the integration, webhook or connection, or the key of the automation platform. */
            id: string;
            /** @description The integration that a webhook or connection belongs to. */
            integrationId: string | null;
            /** @description The kind of item. */
            kind: components["schemas"]["HealthItemKind"];
            /** @description The most recent error, or null. */
            lastError: components["schemas"]["LastError"] | null;
            /** @description The display name; for a connection, its `connectionId`. */
            name: string;
            /** @description The code of the reason for the state. */
            reason: components["schemas"]["HealthReason"] | null;
            /** @description The token refreshes of the last 24 hours. */
            refreshes: components["schemas"]["Trend"] | null;
            /**
             * Format: date-time
             * @description When the state started, if known.
             */
            since: string | null;
            /** @description `HEALTHY`; `DEGRADED` if some of its work fails or waits; `FAILING` if all or most of it fails; `DISABLED` by Patchbay after failures; `PAUSED` or `INACTIVE` by a user; `UNKNOWN` without data. */
            state: components["schemas"]["HealthState"];
            /** @description The webhooks of an integration, or the hooks of an automation platform, by state. */
            webhooks: components["schemas"]["Parts"] | null;
        };
        /** @enum {string} */
        HealthItemKind: "integration" | "automation" | "webhook" | "connection" | "flow";
        /** @description Integrations, automation platforms, webhooks, connections and flows, in this order, each newest first. States are as of `checkedAt`. Numbers end at `measuredUntil`, because each hour is added 15 minutes after it ends. A page of a filtered list can be short or empty and still have a `nextCursor`. */
        HealthList: {
            /**
             * Format: date-time
             * @description When the states were determined.
             */
            checkedAt: string;
            /** @description The items of this page. */
            items: components["schemas"]["HealthItem"][];
            /**
             * Format: date-time
             * @description The end of the 24 hours that the numbers cover; null before the first roll-up.
             */
            measuredUntil: string | null;
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /**
         * @description Why something has its state.
         * @enum {string}
         */
        HealthReason: "breaker_open" | "consecutive_failures" | "success_rate" | "retries" | "backlog" | "slow" | "disabled" | "paused" | "inactive" | "pull" | "no_attempts" | "expired" | "refresh_fails" | "revoked" | "pending_setup" | "error" | "parts" | "no_runs";
        /**
         * @description HEALTHY: it works. DEGRADED: some of its work fails or waits. FAILING: all or most of it fails. DISABLED: Patchbay has stopped it after failures. PAUSED and INACTIVE: a user has stopped it. UNKNOWN: there is no data.
         * @enum {string}
         */
        HealthState: "HEALTHY" | "DEGRADED" | "FAILING" | "DISABLED" | "PAUSED" | "INACTIVE" | "UNKNOWN";
        Hook: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description The type of the event. */
            eventType: string;
            /** @description Conditions on an event's data. All must be true. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description The ID. */
            id: string;
            /** @description The automation platform. */
            platform: string;
            /** @description The status. */
            status: components["schemas"]["HookStatus"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The receiver's URL. */
            url: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        HookList: {
            /** @description The items of this page. */
            items: components["schemas"]["Hook"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        HookStatus: "ACTIVE" | "PAUSED" | "INACTIVE" | "DISABLED";
        /** @description The deliveries that ended in the hour that starts at `at`. */
        HourVolume: {
            /**
             * Format: date-time
             * @description The start of the hour.
             */
            at: string;
            /** @description The number of successful deliveries. */
            delivered: number;
            /** @description The number of failed deliveries. */
            failed: number;
        };
        /** @description The value at `path` equals an entry of `value`. */
        InFilter: {
            /**
             * @description The comparison. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "in";
            /** @description A dot path into the event's data; numbers are list indexes. */
            path: string;
            /** @description The value to compare with. */
            value: (string | boolean | number | null)[];
        };
        /** @description `redirectUri` must exactly match a registered redirect URI. `returnUrl` is where Patchbay's callback route redirects the browser; it is not needed with a `redirectUri` of the platform. */
        Initiate: {
            /**
             * @description The name of the connection, chosen by its creator.
             * @default default
             */
            connectionId?: string;
            /** @description Where the provider sends the browser back to. It must exactly match a registered redirect URI. */
            redirectUri: string;
            /** @description The page of the platform that Patchbay's callback route redirects the browser to. */
            returnUrl?: string | null;
            /** @description The scopes. */
            scopes?: string[] | null;
        };
        /** @description `choices` has an ID for each choice of the template, by key. `name` and `description` default to the template's. An INACTIVE flow is stored but does not run. */
        InstallFlow: {
            /** @description The ID for each choice of the template, by key. */
            choices?: {
                [key: string]: string;
            };
            /** @description A description in a sentence or two. By default, the template's. */
            description?: string | null;
            /** @description The display name. By default, the template's. */
            name?: string | null;
            /**
             * @description `ACTIVE`, or `INACTIVE` to save the flow without running it.
             * @default ACTIVE
             */
            status?: components["schemas"]["InstallFlowStatus"];
        };
        /** @enum {string} */
        InstallFlowStatus: "ACTIVE" | "INACTIVE";
        /** @description Secrets in `config` are masked unless revealed. `installedFrom` is the public integration or built-in template that this one was installed from. `statusReason` is `missing_config: <fields>` while setup is incomplete, a code if Patchbay changed the status, or the owner's text. `reviewReason` is the platform's text, or `unpublished: <text>`. `withdrawn` means that the platform has withdrawn it from the marketplace and stopped its copies until it approves a later version. `createdBy` is null for an integration of another workspace. */
        Integration: {
            /** @description The provider's settings by name, such as the OAuth client. Secrets are masked. */
            config: {
                [key: string]: string | boolean | string[];
            };
            /** @description The number of connections. */
            connectionCount: number;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string | null;
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The ID. */
            id: string;
            /** @description The integration or template that this one was installed from, or null. */
            installedFrom: string | null;
            /** @description Whether the marketplace lists it once the platform has approved it. */
            isPublic: boolean;
            /** @description The URL of an image (https). */
            logoUrl: string | null;
            /** @description Your own data: any object of at most 8 KiB. */
            metadata: {
                [key: string]: unknown;
            };
            /** @description The display name. */
            name: string;
            /** @description The provider, such as `hubspot`. */
            provider: string | null;
            /** @description The publisher of the integration. */
            publisher: components["schemas"]["Publisher"] | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay: number | null;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour: number | null;
            /** @description The reason for the platform's decision, or null. */
            reviewReason: string | null;
            /** @description The platform's decision on publishing it, or null. */
            reviewStatus: components["schemas"]["ReviewStatus"] | null;
            /** @description The scopes. */
            scopes: string[];
            /** @description `PENDING_SETUP` until `config` has all required fields; `ACTIVE`; `INACTIVE` while it is deactivated; `ERROR` when its owner or Patchbay has set this status. */
            status: components["schemas"]["IntegrationStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /** @description The type. */
            type: components["schemas"]["IntegrationType"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /** @description Whether the platform has withdrawn it from the marketplace and stopped its copies. */
            withdrawn: boolean;
        };
        IntegrationList: {
            /** @description The items of this page. */
            items: components["schemas"]["Integration"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /**
         * @description PENDING_SETUP until the config has all fields that the provider needs.
         * @enum {string}
         */
        IntegrationStatus: "PENDING_SETUP" | "ACTIVE" | "INACTIVE" | "ERROR";
        /** @enum {string} */
        IntegrationType: "ZAPIER" | "MAKE" | "N8N" | "CRM" | "DESIGN_TOOL" | "MARKETING_AUTOMATION" | "SOCIAL" | "CUSTOM" | "WEBHOOK";
        /** @description Why one item of a batch was rejected: the problem+json fields that a request with this item alone would get (`code` and `detail`, and `errors` with `validation_failed`). */
        ItemError: {
            /** @description The stable code of the error. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
            /** @description With `validation_failed`: the invalid fields. */
            errors?: components["schemas"]["ItemFieldError"][] | null;
        };
        ItemFieldError: {
            /** @description What is wrong. */
            message: string;
            /** @description The path of the field, such as `data.postId`. */
            path: string;
        };
        /** @description Any JSON value. */
        JsonValue: unknown;
        /** @description When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never, even if the workspace has a policy. */
        KeyRotation: {
            /** @description Where to deliver new keys; null to send only a reminder. */
            deliverTo: (components["schemas"]["WebhookTarget"] | components["schemas"]["SecretTarget"]) | null;
            /** @description The number of days after creation when a key is due for rotation, from 1 to 365; null for never. */
            everyDays: number | null;
            /** @description How long the old key keeps working after the new one was delivered. */
            overlapSeconds: number;
        };
        /** @description When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never, even if the workspace has a policy. */
        KeyRotationInput: {
            /** @description Where to deliver new keys; null to send only a reminder. */
            deliverTo?: (components["schemas"]["WebhookTargetInput"] | components["schemas"]["SecretTargetInput"]) | null;
            /** @description The number of days after creation when a key is due for rotation, from 1 to 365; null for never. */
            everyDays: number | null;
            /**
             * @description How long the old key keeps working after the new one was delivered.
             * @default 86400
             */
            overlapSeconds?: number;
        };
        /**
         * @description Computed on each read, because nothing writes to a row at the moment of its expiry.
         * @enum {string}
         */
        KeyStatus: "ACTIVE" | "EXPIRED" | "REVOKED";
        /** @description A hook that already existed. */
        KnownHook: {
            /** @description The ID. */
            id: string;
            /** @description The signing secret, `whsec_…`. Shown only in this response: store it now. */
            secret: null;
        };
        /** @description The latest failure of something that continues. `code` is stable, `detail` is sanitized, for people. */
        LastError: {
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            /** @description The stable code of the error. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
        };
        /** @description Percentiles in milliseconds, from a histogram; null if there were no attempts. */
        Latency: {
            /** @description Half of the attempts took at most this long. */
            p50: number | null;
            /** @description 95% of the attempts took at most this long. */
            p95: number | null;
            /** @description 99% of the attempts took at most this long. */
            p99: number | null;
        };
        /** @description An action, its actor and its outcome. Kept for at least 90 days. */
        LogEntry: {
            /** @description What happened, such as `integration.updated`. */
            action: string;
            /** @description Who did it: `user:…`, `key:…` or `patchbay`. */
            actor: string;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description More about it, or null. */
            detail: string | null;
            /** @description The ID. */
            id: string;
            /** @description Whether it succeeded. */
            outcome: components["schemas"]["LogEntryOutcome"];
        };
        LogEntryList: {
            /** @description The items of this page. */
            items: components["schemas"]["LogEntry"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        LogEntryOutcome: "SUCCEEDED" | "FAILED";
        /** @description The owner of the credentials; `label` names the connection in the automation platform. */
        Me: {
            /** @description The name of the connection in the automation platform. */
            label: string;
            /** @description The workspace. */
            workspaceId: string;
        };
        /** @description The `data` of the event `MENTION_RECEIVED`. */
        MentionReceivedData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /** @description How many followers the author has. */
            authorFollowers?: number | null;
            /** @description Their handle on the network. */
            authorHandle?: string | null;
            /** @description The author's name, as the network shows it. */
            authorName?: string;
            /**
             * Format: date-time
             * @description When it was written.
             */
            mentionedAt?: string;
            /** @description The platform's ID of the mention. */
            mentionId: string;
            /** @description The social network, in lowercase. */
            network: string;
            /** @description The sentiment of the mention. */
            sentiment?: ("positive" | "neutral" | "negative") | null;
            /** @description The text of the mention. */
            text: string;
            /**
             * Format: uri
             * @description Where the mention can be seen.
             */
            url?: string | null;
        };
        /** @description Triggers when someone mentions one of the workspace's accounts or keywords. */
        MentionReceivedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["MentionReceivedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "MENTION_RECEIVED";
        };
        /** @description The `data` of the event `MESSAGE_RECEIVED`. */
        MessageReceivedData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /** @description Images and files attached to the message. */
            attachmentUrls?: string[];
            /** @description Their handle on the network. */
            authorHandle?: string | null;
            /** @description The author's name, as the network shows it. */
            authorName?: string;
            /** @description The conversation that it is part of. */
            conversationId: string;
            /** @description The kind of message. */
            kind?: components["schemas"]["MessageReceivedDataKind"];
            /** @description The platform's ID of the message. */
            messageId: string;
            /** @description The social network, in lowercase. */
            network: string;
            /**
             * Format: date-time
             * @description When it was received.
             */
            receivedAt?: string;
            /** @description The text of the message. */
            text: string;
        };
        /** @enum {string} */
        MessageReceivedDataKind: "direct_message" | "comment" | "review";
        /** @description Triggers when a direct message or a comment is received. */
        MessageReceivedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["MessageReceivedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "MESSAGE_RECEIVED";
        };
        /** @description The number of an integration's webhooks or connections by state. States without items are omitted. */
        Parts: {
            /** @description The number of items by state. States without items are omitted. */
            states: {
                [key: string]: number;
            };
            /** @description The number of items. */
            total: number;
        };
        /** @description One hour or day, which starts at `at`. Intervals without activity are omitted. */
        Point: {
            /**
             * Format: date-time
             * @description The start of the hour or day.
             */
            at: string;
            /** @description The deliveries; null for a connection. */
            deliveries: components["schemas"]["Volume"] | null;
            /** @description The token refreshes; null for items without them. */
            refreshes: components["schemas"]["Volume"] | null;
        };
        /** @description A session without its secrets. */
        PortalSession: {
            /** @description The scopes of the session. */
            capabilities: string[];
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /**
             * Format: date-time
             * @description When someone ended the session, or null.
             */
            endedAt: string | null;
            /**
             * Format: date-time
             * @description When it ends.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description Who uses the session, as its creator entered it; or null. */
            label: string | null;
            /**
             * Format: date-time
             * @description When its link was used, or null.
             */
            openedAt: string | null;
            /** @description Whether it is read-only. */
            readOnly: boolean;
            /** @description Where to send the user when the session ends, or null. */
            returnUrl: string | null;
            /** @description `OPEN` until the link is used, then `ACTIVE`; `ENDED` or `EXPIRED`. */
            status: components["schemas"]["PortalSessionStatus"];
            /** @description The appearance of the console. */
            theme: components["schemas"]["Theme"];
            /** @description The page that the console opens, or null. */
            view: string | null;
        };
        /** @description A new session. Only this response contains its link. */
        PortalSessionLink: {
            /** @description The scopes of the session. */
            capabilities: string[];
            /**
             * Format: date-time
             * @description When the link expires, after five minutes. It works once.
             */
            codeExpiresAt: string;
            /**
             * Format: date-time
             * @description When the session ends.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description The link that opens the console. Shown only in this response. */
            link: string;
            /** @description Whether it is read-only. */
            readOnly: boolean;
        };
        PortalSessionList: {
            /** @description The items of this page. */
            items: components["schemas"]["PortalSession"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /**
         * @description OPEN until the link is used, then ACTIVE until someone ends the session (ENDED) or it expires (EXPIRED). A session also ends with the API key that created it, which its status does not show.
         * @enum {string}
         */
        PortalSessionStatus: "OPEN" | "ACTIVE" | "ENDED" | "EXPIRED";
        /** @description The bearer token of a session, valid for its whole lifetime. Keep it in memory only. */
        PortalSessionToken: {
            /** @description The scopes of the session. */
            capabilities: string[];
            /**
             * Format: date-time
             * @description When the session ends.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description Who uses the session, as its creator entered it; or null. */
            label: string | null;
            /** @description Whether it is read-only. */
            readOnly: boolean;
            /** @description Where to send the user when the session ends, or null. */
            returnUrl: string | null;
            /** @description The appearance of the console. */
            theme: components["schemas"]["Theme"];
            /** @description The bearer token. Shown only in this response: keep it in memory. */
            token: string;
            /** @description The page that the console opens, or null. */
            view: string | null;
            /** @description The workspace. */
            workspaceId: string;
        };
        /** @description The `data` of the event `POST_FAILED`. */
        PostFailedData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /** @description The campaign that the post belongs to, if any. */
            campaignId?: string | null;
            /** @description The platform's error code. */
            errorCode: string;
            /** @description The error message. */
            errorMessage?: string | null;
            /**
             * Format: date-time
             * @description When the attempt failed.
             */
            failedAt?: string;
            /** @description The social network, in lowercase. */
            network: string;
            /** @description The platform's ID of the post. */
            postId: string;
            /** @description The text of the post. */
            text?: string;
            /** @description Whether the platform retries automatically. */
            willRetry?: boolean;
        };
        /** @description Triggers when a post could not be published. */
        PostFailedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["PostFailedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "POST_FAILED";
        };
        /** @description The `data` of the event `POST_PUBLISHED`. */
        PostPublishedData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /** @description The campaign that the post belongs to, if any. */
            campaignId?: string | null;
            /** @description Images and videos of the post. */
            mediaUrls?: string[];
            /** @description The social network, in lowercase. */
            network: string;
            /** @description The platform's ID of the post. */
            postId: string;
            /**
             * Format: date-time
             * @description When it was published.
             */
            publishedAt?: string;
            /** @description The text of the post. */
            text?: string;
            /**
             * Format: uri
             * @description Where the post can be seen.
             */
            url?: string;
        };
        /** @description Triggers when a post is published on a social network. */
        PostPublishedEvent: {
            /** @description The event's content. */
            data: components["schemas"]["PostPublishedData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "POST_PUBLISHED";
        };
        /** @description The `data` of the event `POST_SCHEDULED`. */
        PostScheduledData: {
            /** @description The connected account that it belongs to. */
            accountId?: string;
            /** @description The account's name on the network. */
            accountName?: string | null;
            /** @description The campaign that the post belongs to, if any. */
            campaignId?: string | null;
            /** @description Images and videos of the post. */
            mediaUrls?: string[];
            /** @description The social network, in lowercase. */
            network: string;
            /** @description The platform's ID of the post. */
            postId: string;
            /** @description The user who scheduled it. */
            scheduledBy?: string | null;
            /**
             * Format: date-time
             * @description The scheduled publication time.
             */
            scheduledFor: string;
            /** @description The text of the post. */
            text?: string;
        };
        /** @description Triggers when a post is scheduled or rescheduled. */
        PostScheduledEvent: {
            /** @description The event's content. */
            data: components["schemas"]["PostScheduledData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "POST_SCHEDULED";
        };
        /** @description An error, as in RFC 9457. It can have more fields. */
        Problem: {
            /** @description The stable code of the error, for programs. */
            code: string;
            /** @description What went wrong and what to do about it, for people. */
            detail: string;
            /** @description With `validation_failed`: the invalid fields, at most 20. */
            errors?: components["schemas"]["FieldError"][];
            /** @description The path of the request. */
            instance: string;
            /** @description The ID of the request in the logs, as in `X-Request-Id`. */
            requestId: string;
            /** @description The HTTP status. */
            status: number;
            /** @description A short summary, the same for every error with this code. */
            title: string;
            /**
             * Format: uri
             * @description The page that describes the code.
             */
            type: string;
        };
        /** @description What an integration of a provider needs. `configSchema` describes its `config`, `credentialsSchema` the `credentials` of a connection (null with OAuth), as JSON Schema 2020-12. `oauth` is null without OAuth and for a custom provider, whose config has these settings. `hosts` are the hosts that Patchbay calls; `*.x` means any subdomain of x. `redirectUris` are the redirect URIs for an integration without `config.redirectUris`: register them at the provider. */
        Provider: {
            /** @description How the connection authenticates at the provider. */
            authType: components["schemas"]["AuthType"];
            /** @description The JSON Schema of an integration's `config`. */
            configSchema: {
                [key: string]: unknown;
            };
            /** @description The JSON Schema of a connection's `credentials`; null with OAuth. */
            credentialsSchema: {
                [key: string]: unknown;
            } | null;
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The provider's documentation. */
            documentationUrl: string | null;
            /** @description The hosts that Patchbay calls. `*.x` means any subdomain of x. */
            hosts: string[];
            /** @description The API key. Shown only in this response: store it now. */
            key: string;
            /** @description The display name. */
            name: string;
            /** @description The OAuth settings; null for a provider with credentials. */
            oauth: components["schemas"]["ProviderOAuth"] | null;
            /** @description The redirect URIs to register at the provider. */
            redirectUris: string[];
            /** @description The integration to install, or null. */
            templateId: string | null;
            /** @description The type. */
            type: components["schemas"]["IntegrationType"];
        };
        /** @description A provider's OAuth settings, which an integration cannot change. A name in braces in a URL is a field of `config`, or a value from the provider's response. Without a `revocationUrl`, a grant cannot be revoked. */
        ProviderOAuth: {
            /** @description The provider's authorization page. Send the user's browser there. */
            authorizationUrl: string;
            /** @description How the client authenticates at the token endpoint. */
            clientAuth: string;
            /** @description The issuer that the provider names (RFC 9207). */
            issuer: string | null;
            /** @description Whether the flow uses PKCE (RFC 7636). */
            pkce: boolean;
            /** @description How tokens are refreshed. */
            refresh: components["schemas"]["RefreshStrategy"];
            /** @description The revocation endpoint, or null. */
            revocationUrl: string | null;
            /** @description The scopes. */
            scopes: components["schemas"]["ProviderScope"][];
            /** @description What separates scopes in a request. */
            scopeSeparator: string;
            /** @description The token endpoint. */
            tokenUrl: string;
        };
        /** @description An OAuth scope that Patchbay requests `always`, or if the integration does not set its own scopes. */
        ProviderScope: {
            /** @description Whether Patchbay requests this scope even if the integration sets its own scopes. */
            always: boolean;
            /** @description A description in a sentence or two. */
            description: string | null;
            /** @description The scope, as the provider names it. */
            name: string;
        };
        /** @description A built-in provider, or a type of custom provider (`custom…`). `key` is the `provider` of an integration. `templateId` is the template to install; null for a custom provider. */
        ProviderSummary: {
            /** @description How the connection authenticates at the provider. */
            authType: components["schemas"]["AuthType"];
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The provider's documentation. */
            documentationUrl: string | null;
            /** @description The key, which is the `provider` of an integration. */
            key: string;
            /** @description The display name. */
            name: string;
            /** @description The integration to install, or null. */
            templateId: string | null;
            /** @description The type. */
            type: components["schemas"]["IntegrationType"];
        };
        ProviderSummaryList: {
            /** @description The items of this page. */
            items: components["schemas"]["ProviderSummary"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description A published integration, as the platform reviews it. `id` is the integration's ID. The platform sets `publisherName` and `verified`, not the publisher. `submitted` is the current version; null if it is no longer public. `listed` is the version in the marketplace, approved at `listedAt`, or null. `waitingSince` is null unless a review is pending. The copies of a `withdrawn` integration do not work. */
        Publication: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description The integration. */
            id: string;
            /** @description The version in the marketplace, or null. */
            listed: components["schemas"]["PublishedFields"] | null;
            /**
             * Format: date-time
             * @description When that version was approved, or null.
             */
            listedAt: string | null;
            /** @description The publisher's name in the marketplace, or null. */
            publisherName: string | null;
            /** @description The platform's reason for its latest decision, or null. */
            reviewReason: string | null;
            /** @description The platform's decision on the submitted version; null if it is no longer public. */
            reviewStatus: components["schemas"]["ReviewStatus"] | null;
            /** @description The current version, which an approval would list; null if it is no longer public. */
            submitted: components["schemas"]["PublishedFields"] | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description Whether the platform has verified the publisher. */
            verified: boolean;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /**
             * Format: date-time
             * @description When it was submitted for the pending review, or null.
             */
            waitingSince: string | null;
            /** @description Whether the platform has withdrawn it from the marketplace and stopped its copies. */
            withdrawn: boolean;
            /** @description The publisher's workspace. */
            workspaceId: string;
        };
        /** @description A publication with the number of its installed copies, counted up to 1,000, and with the platform's latest decisions, newest first. */
        PublicationDetail: {
            /** @description The number of copies that other workspaces have installed, counted up to 1,000. */
            copyCount: number;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description The platform's latest decisions, newest first; kept for at least 90 days. */
            decisions: components["schemas"]["LogEntry"][];
            /** @description The integration. */
            id: string;
            /** @description The version in the marketplace, or null. */
            listed: components["schemas"]["PublishedFields"] | null;
            /**
             * Format: date-time
             * @description When that version was approved, or null.
             */
            listedAt: string | null;
            /** @description The publisher's name in the marketplace, or null. */
            publisherName: string | null;
            /** @description The platform's reason for its latest decision, or null. */
            reviewReason: string | null;
            /** @description The platform's decision on the submitted version; null if it is no longer public. */
            reviewStatus: components["schemas"]["ReviewStatus"] | null;
            /** @description The current version, which an approval would list; null if it is no longer public. */
            submitted: components["schemas"]["PublishedFields"] | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description Whether the platform has verified the publisher. */
            verified: boolean;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /**
             * Format: date-time
             * @description When it was submitted for the pending review, or null.
             */
            waitingSince: string | null;
            /** @description Whether the platform has withdrawn it from the marketplace and stopped its copies. */
            withdrawn: boolean;
            /** @description The publisher's workspace. */
            workspaceId: string;
        };
        PublicationList: {
            /** @description The items of this page. */
            items: components["schemas"]["Publication"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        PublishedEvent: {
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /** @description The type. */
            type: string;
        };
        /** @description One item for each event, in the order of the request. */
        PublishedEvents: {
            /** @description The items of this page. */
            items: (components["schemas"]["PublishedEvent"] | components["schemas"]["RejectedItem"])[];
        };
        /** @description The visible fields of a public integration, and the OAuth client that its copies use. */
        PublishedFields: {
            /** @description The OAuth client ID that the copies use, or null. */
            clientId: string | null;
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The URL of an image (https). */
            logoUrl: string | null;
            /** @description The display name. */
            name: string;
            /** @description The provider, such as `hubspot`. */
            provider: string | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay: number | null;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour: number | null;
            /** @description The scopes. */
            scopes: string[];
            /** @description The type. */
            type: components["schemas"]["IntegrationType"];
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description The publisher of an integration. The platform sets `name` and `verified`, not the publisher. */
        Publisher: {
            /** @description The publisher's name, if the platform has set it. */
            name: string | null;
            /** @description Whether the platform has verified the publisher. */
            verified: boolean;
            /** @description The workspace. */
            workspaceId: string;
        };
        /**
         * @description `data` is the event's content, an object of at most 256 KB as JSON.
         *
         *     Only the platform's workspace can set `workspaceId`, to publish for another workspace. `causedBy` is the event that caused this one, such as the ACTION_REQUESTED event of an action. Patchbay uses it to detect loops of flows.
         */
        PublishEvent: {
            /** @description The event that caused this one, if any. */
            causedBy?: string | null;
            /** @description The content: an object of at most 256 KiB that matches the type's schema. */
            data: {
                [key: string]: unknown;
            };
            /** @description Like the `Idempotency-Key` header, for this event. */
            idempotencyKey?: string | null;
            /** @description The event type, such as `POST_PUBLISHED`. */
            type: string;
            /** @description The workspace to publish for. Only the platform's workspace can set it. */
            workspaceId?: string | null;
        };
        /** @description A batch. Each event is validated separately, so an invalid event does not affect the others. */
        PublishEvents: {
            /** @description The events, at most 100. */
            events: components["schemas"]["PublishEvent"][];
        };
        /** @description The more restrictive of the key's two windows. `resetAt` is when that window ends or, if the cost is above `remaining`, when the cost will be allowed. It is null if the cost is above `limit`, because waiting does not help. */
        RateLimit: {
            /** @description Whether the cost is within the limit. */
            allowed: boolean;
            /** @description The limit of the window. */
            limit: number;
            /** @description The remaining units of the limit. */
            remaining: number;
            /**
             * Format: date-time
             * @description When the window ends.
             */
            resetAt: string | null;
        };
        /** @description The `data` of the event `RATE_LIMIT_NEAR`. */
        RateLimitNearData: {
            /** @description The key. */
            keyId: string;
            /** @description The limit, in requests. */
            limit: number;
            /** @description The first characters of the key. */
            maskedKey: string;
            /** @description Its name. */
            name: string;
            /**
             * Format: date-time
             * @description When the hour or the day ends.
             */
            resetsAt: string;
            /** @description The number of requests used. */
            used: number;
            /** @description The limit's length: hour or day. */
            window: components["schemas"]["RateLimitNearDataWindow"];
        };
        /** @enum {string} */
        RateLimitNearDataWindow: "hour" | "day";
        /** @description Triggers when an API key has used 80 percent of a limit, once per hour or day. */
        RateLimitNearEvent: {
            /** @description The event's content. */
            data: components["schemas"]["RateLimitNearData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "RATE_LIMIT_NEAR";
        };
        /**
         * @description The current health of the receiver.
         *
         *     While the `breaker` is OPEN, new deliveries are HELD until a probe gets a response; the next one is at `nextProbeAt`. The SLOW `lane` is for receivers that are not known to be fast yet (`laneReason` is `unproven`), took more than two seconds at `slowAt` (`slow`), or share a workspace with many slow receivers (`slow_workspace`). `slowdowns` is the number of recent slowdowns, `backlogSince` is since when too many retries are waiting, and `held` is the number of HELD deliveries.
         */
        Receiver: {
            /**
             * Format: date-time
             * @description Since when too many retries are waiting, or null.
             */
            backlogSince: string | null;
            /** @description The circuit breaker: `OPEN` while the receiver is unhealthy and gets only probes. */
            breaker: components["schemas"]["ReceiverBreaker"];
            /** @description The number of deliveries that wait until the receiver is healthy. */
            held: number;
            /** @description The lane of its deliveries: `FAST`, or `SLOW` for new and slow receivers. */
            lane: components["schemas"]["ReceiverLane"];
            /** @description Why it uses the slow lane, or null. */
            laneReason: ("unproven" | "slow" | "slow_workspace") | null;
            /**
             * Format: date-time
             * @description When Patchbay sends the next probe, or null.
             */
            nextProbeAt: string | null;
            /**
             * Format: date-time
             * @description When the breaker opened, or null.
             */
            openedAt: string | null;
            /**
             * Format: date-time
             * @description When the receiver was last slow, or null.
             */
            slowAt: string | null;
            /** @description The number of recent slowdowns. */
            slowdowns: number;
        };
        /** @enum {string} */
        ReceiverBreaker: "CLOSED" | "OPEN";
        /** @enum {string} */
        ReceiverLane: "FAST" | "SLOW";
        /** @description The results of a flow's latest runs: `count` runs, at most 10. `failed` is the number of FAILED runs among them, and `last` is the latest run. */
        RecentRuns: {
            /** @description The number of runs, at most 10. */
            count: number;
            /** @description The number of `FAILED` runs among them. */
            failed: number;
            /** @description The latest run, or null. */
            last: components["schemas"]["FlowRun"] | null;
        };
        /** @description The deliveries of events from `since` to `until`, both inclusive. `until` defaults to now. */
        Recover: {
            /**
             * Format: date-time
             * @description The time of the first event.
             */
            since: string;
            /**
             * Format: date-time
             * @description The time of the last event. By default, now.
             */
            until?: string | null;
        };
        /** @description `queued` is the number of deliveries that will be resent, oldest first. At most 10,000 are counted. */
        Recovering: {
            /** @description The number of deliveries that will be resent. */
            queued: number;
        };
        /** @description `connectionId` is the connection's name or its ID. */
        RefreshConnection: {
            /**
             * @description The connection's name or its ID, `con_…`.
             * @default default
             */
            connectionId?: string;
        };
        /**
         * @description How a connection gets its next access token.
         *
         *     - `rotating`: with a refresh token that works once. The response contains the next one.
         *     - `static`: with a refresh token that works repeatedly.
         *     - `exchange`: it exchanges the access token for a new one while it is valid.
         *     - `never_expires`: it needs none, because the token is valid until it is revoked.
         *     - `reauthorize_only`: it gets none. When the token expires, the user must connect again.
         * @enum {string}
         */
        RefreshStrategy: "rotating" | "static" | "exchange" | "never_expires" | "reauthorize_only";
        RejectedItem: {
            /** @description Why it failed. */
            error: components["schemas"]["ItemError"];
        };
        /** @description Which deliveries to resend, for events from `since` to `until` (both inclusive; `until` defaults to now) and of `eventTypes` (by default, all types): deliveries with one of the `statuses` and, with `missing`, events that match the webhook now but have no delivery. `statuses` defaults to FAILED and CANCELLED, or to none with `missing`. `dryRun` only counts the deliveries. */
        Replay: {
            /**
             * @description Whether to count the deliveries without sending them.
             * @default false
             */
            dryRun?: boolean;
            /** @description Only events of these types. */
            eventTypes?: (string | "*")[] | null;
            /**
             * @description Whether to also send events that the webhook missed because it was not active.
             * @default false
             */
            missing?: boolean;
            /**
             * Format: date-time
             * @description The time of the first event.
             */
            since: string;
            /** @description The statuses of the deliveries to resend. */
            statuses?: ("FAILED" | "CANCELLED" | "DELIVERED")[] | null;
            /**
             * Format: date-time
             * @description The time of the last event. By default, now.
             */
            until?: string | null;
        };
        /** @description The number of deliveries that a replay would queue. If `isComplete` is false, there are more: the count stops at 10,000 or after a few seconds. */
        ReplayPreview: {
            /** @description Whether everything was counted. */
            isComplete: boolean;
            /** @description The number of deliveries that the replay would queue. */
            total: number;
        };
        /** @description An OAuth scope that the provider will ask the user to grant, with Patchbay's description of it. */
        RequestedScope: {
            /** @description A description of the scope; null if unknown. */
            description: string | null;
            /** @description The scope, as the provider names it. */
            name: string;
        };
        /** @description Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead. */
        RetryConfig: {
            /**
             * @description The backoff multiplier: each delay is the previous one times this.
             * @default 2
             */
            backoffMultiplier?: number;
            /**
             * @description The delay before the first retry.
             * @default 30
             */
            initialDelaySeconds?: number;
            /**
             * @description The maximum number of retries after the first attempt.
             * @default 3
             */
            maxRetries?: number;
            /** @description `standard`: 7 retries over about 28 hours, as Standard Webhooks recommends. Cannot be combined with the other fields. */
            schedule?: "standard" | null;
        };
        /** @description `force` also resends a delivery that already succeeded. */
        RetryDelivery: {
            /**
             * @description Whether to resend a delivery that already succeeded.
             * @default false
             */
            force?: boolean;
        };
        /**
         * @description The platform's decision on the current version of a public integration.
         * @enum {string}
         */
        ReviewStatus: "PENDING" | "APPROVED" | "REJECTED";
        /** @description How many seconds the old key keeps working alongside the new one; 0 ends it immediately. */
        RotateApiKey: {
            /**
             * @description How long the old key keeps working alongside the new one. 0 ends it immediately.
             * @default 86400
             */
            overlapSeconds?: number;
        };
        /** @description `overlapSeconds` is how long the old secrets sign alongside the new one; 0 ends them immediately. `secret` is your own new secret, as at creation. By default, Patchbay generates one. */
        RotateSecret: {
            /**
             * @description How long the old secrets sign alongside the new one. 0 ends them immediately.
             * @default 86400
             */
            overlapSeconds?: number;
            /** @description Your own signing secret, `whsec_…`. By default, Patchbay generates one. */
            secret?: string | null;
        };
        /** @description Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them, and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when a key is due. */
        RotationPolicy: {
            /** @description Where to deliver new keys; null to send only a reminder. */
            deliverTo: components["schemas"]["WebhookTarget"] | null;
            /** @description The number of days after creation when a key is due for rotation, from 1 to 365; null for never. */
            everyDays: number;
            /** @description How long the old key keeps working after the new one was delivered. */
            overlapSeconds: number;
        };
        /** @description Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them, and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when a key is due. */
        RotationPolicyInput: {
            /** @description Where to deliver new keys; null to send only a reminder. */
            deliverTo?: components["schemas"]["WebhookTargetInput"] | null;
            /** @description The number of days after creation when a key is due for rotation, from 1 to 365; null for never. */
            everyDays: number;
            /**
             * @description How long the old key keeps working after the new one was delivered.
             * @default 86400
             */
            overlapSeconds?: number;
        };
        /** @description An execution of an action. It fails if the platform does not respond by `expiresAt`. `platform` is the automation platform that started it, or `flow`. */
        Run: {
            /** @description The key of the action. */
            action: string;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description Why it failed. */
            error: components["schemas"]["RunError"] | null;
            /**
             * Format: date-time
             * @description When the run fails if the platform has not responded.
             */
            expiresAt: string;
            /** @description The ID. */
            id: string;
            /** @description The input that the automation sent. */
            input: {
                [key: string]: unknown;
            };
            /** @description The platform's result; null until the run succeeds. */
            output: {
                [key: string]: unknown;
            } | null;
            /** @description The automation platform. */
            platform: string;
            /** @description `PENDING` until the platform responds, then `SUCCEEDED` or `FAILED`. */
            status: components["schemas"]["RunStatus"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it is the platform's code, by default `action_failed`. `detail` is a message for the automation's owner. */
        RunError: {
            /** @description The stable code of the error. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
        };
        /** @description Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it is the platform's code, by default `action_failed`. `detail` is a message for the automation's owner. */
        RunErrorInput: {
            /**
             * @description The stable code of the error.
             * @default action_failed
             */
            code?: string;
            /** @description What happened, for people. */
            detail: string;
        };
        RunList: {
            /** @description The items of this page. */
            items: components["schemas"]["Run"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        RunStatus: "PENDING" | "SUCCEEDED" | "FAILED";
        /** @description An event in exactly the format that hooks receive. */
        Sample: {
            /** @description The event's content. */
            data: {
                [key: string]: unknown;
            };
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /** @description The type. */
            type: string;
        };
        /** @description An array, newest first. It has fewer than `limit` events if they are very large. */
        Samples: components["schemas"]["Sample"][];
        /** @description Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must start with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` identifies the confirmed secret; omit it to confirm this one. */
        SecretTarget: {
            /** @description The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current URL and headers. Send the value that you read to keep the confirmation. */
            pin: string | null;
            /** @description The ARN of the secret. Its name must start with `patchbay/<stack>/<workspace>/`. */
            secretArn: string;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "secretsManager";
        };
        /** @description Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must start with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` identifies the confirmed secret; omit it to confirm this one. */
        SecretTargetInput: {
            /** @description The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current URL and headers. Send the value that you read to keep the confirmation. */
            pin?: string | null;
            /** @description The ARN of the secret. Its name must start with `patchbay/<stack>/<workspace>/`. */
            secretArn: string;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "secretsManager";
        };
        /** @description `eventType` can be any type, even if the webhook does not subscribe to it. By default, it is the webhook's first type. */
        SendTestEvent: {
            /** @description The type of the event. */
            eventType?: string | null;
        };
        /** @description The numbers for a workspace or for one group: in total, and by hour or day, oldest first. `id` is null for the workspace, and the name of an event type. `deliveries` is null for a connection, and `refreshes` for a webhook, an automation platform and an event type. */
        Series: {
            /** @description The deliveries in the whole period; null for a connection. */
            deliveries: components["schemas"]["Volume"] | null;
            /** @description The ID or key of the item; null for the workspace. */
            id: string | null;
            /** @description The kind of item. */
            kind: components["schemas"]["SeriesKind"];
            /** @description The display name. */
            name: string;
            /** @description The points by hour or day, oldest first. Intervals without activity are omitted. */
            points: components["schemas"]["Point"][];
            /** @description The token refreshes in the whole period; null for items without them. */
            refreshes: components["schemas"]["Volume"] | null;
        };
        /** @enum {string} */
        SeriesKind: "workspace" | "integration" | "automation" | "webhook" | "connection" | "eventType";
        /** @description A workspace's complete list of choices, in display order. It replaces the previous list. */
        SetChoices: {
            /** @description The items of this page. */
            items: components["schemas"]["Choice"][];
            /** @description The workspace. */
            workspaceId: string;
        };
        /** @description An INACTIVE flow starts no runs. Waiting runs are canceled when their wait ends. `statusReason` says why a flow is INACTIVE. */
        SetFlowStatus: {
            /** @description The status. */
            status: components["schemas"]["FlowStatus"];
            /** @description Why it has this status, or null. */
            statusReason?: string | null;
        };
        SetIntegrationStatus: {
            /**
             * @description The status.
             * @enum {string}
             */
            status: "ACTIVE" | "INACTIVE" | "ERROR";
            /** @description Why it has this status, or null. */
            statusReason?: string | null;
        };
        /** @description Events match an ACTIVE or PAUSED webhook. The deliveries of a PAUSED webhook are kept (HELD) until it is ACTIVE again. `statusReason` says why a webhook is PAUSED or INACTIVE. */
        SetWebhookStatus: {
            /**
             * @description The status.
             * @enum {string}
             */
            status: "ACTIVE" | "PAUSED" | "INACTIVE";
            /** @description Why it has this status, or null. */
            statusReason?: string | null;
        };
        /** @description `callbackUrl` gets `{runId, status, output, error}` when the run ends. */
        StartRun: {
            /** @description A URL that gets `{runId, status, output, error}` when the run ends. */
            callbackUrl?: string | null;
            /** @description The input. It must match the action's schema. */
            input?: {
                [key: string]: unknown;
            };
        };
        /** @description Why a step failed. `code` is stable; for actions, the platform defines it. */
        StepError: {
            /** @description The error code. For actions, the platform defines it. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
        };
        /** @description One step of a run. `input` is its input with all values filled in, and `output` is its result. A request that is WAITING for a retry has the `error` of its last attempt. */
        StepRun: {
            /**
             * Format: date-time
             * @description When it ended, or null.
             */
            endedAt: string | null;
            /** @description Why the step failed, or null. */
            error: components["schemas"]["StepError"] | null;
            /** @description The step's ID. */
            id: string;
            /** @description The input, with all values filled in; null for the event's data, and for filters and branches. */
            input: {
                [key: string]: unknown;
            } | null;
            /** @description Its result, or null. */
            output: {
                [key: string]: unknown;
            } | null;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedAt: string;
            /** @description `RUNNING`, `WAITING`, `SUCCEEDED`, `FAILED`, or `STOPPED` for the filter that ended the run. */
            status: components["schemas"]["StepRunStatus"];
            /** @description The type. */
            type: components["schemas"]["StepRunType"];
        };
        /** @enum {string} */
        StepRunStatus: "WAITING" | "SUCCEEDED" | "STOPPED" | "FAILED";
        /** @enum {string} */
        StepRunType: "webhook" | "action" | "request" | "wait" | "filter" | "branch";
        /** @description The event type and URL of an automation. Ignores filters without a value (`""` or null). */
        Subscribe: {
            /** @description The type of the event. */
            eventType: string;
            /** @description Conditions on an event's data. All must be true. */
            filters?: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /** @description The receiver's URL. */
            url: string;
        };
        /** @description `secret` signs the hook's deliveries (Standard Webhooks); null if the hook already existed. */
        SubscribedHook: {
            /** @description The ID. */
            id: string;
            /** @description The signing secret, `whsec_…`. Shown only in this response: store it now. */
            secret: string | null;
        };
        /** @description `output` must match the action's schema. */
        Succeeded: {
            /** @description The result. It must match the action's schema. */
            output: {
                [key: string]: unknown;
            };
            /**
             * @description The status. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            status: "SUCCEEDED";
        };
        /** @description `type` is `webhook.replay`, `workspace.export` or `workspace.erase`. `done` is the number of deliveries queued, records exported, or rows erased so far; it can be too low after a crash. `total` is the number at the start; null if unknown. `step` is the current step of an erasure or export. `parameters` is the request that started the task, with its defaults. `webhookId` is null for a task of the whole workspace. `file` is the result of an export, for callers with the scope workspace:export. */
        Task: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description The number of deliveries queued, records exported or rows erased so far. It can be too low after a crash. */
            done: number;
            /**
             * Format: date-time
             * @description When it ended, or null.
             */
            endedAt: string | null;
            /** @description Why the task failed, or null. */
            error: components["schemas"]["TaskError"] | null;
            /** @description The result of an export, if you get this single task with the scope workspace:export; otherwise null. */
            file: components["schemas"]["ExportFile"] | null;
            /** @description The ID. */
            id: string;
            /** @description The parameters of the request. */
            parameters: {
                [key: string]: unknown;
            };
            /** @description The status. */
            status: components["schemas"]["TaskStatus"];
            /** @description The current step of a running export or erasure. */
            step: string | null;
            /** @description The number of deliveries that it will queue; null if unknown. */
            total: number | null;
            /** @description The type. */
            type: components["schemas"]["TaskType"];
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
            /** @description The webhook of a replay; null for tasks of the whole workspace. */
            webhookId: string | null;
        };
        /** @description Why a task failed. `code` is stable, such as `webhook_disabled` or `internal`. */
        TaskError: {
            /** @description The stable code of the error. */
            code: string;
            /** @description What happened, for people. */
            detail: string;
        };
        TaskList: {
            /** @description The items of this page. */
            items: components["schemas"]["Task"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @enum {string} */
        TaskStatus: "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";
        /** @enum {string} */
        TaskType: "webhook.replay" | "workspace.erase" | "workspace.export";
        /** @description The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses its default color. */
        Theme: {
            /** @description `light`, `dark`, or `auto`, which follows the browser. */
            colorScheme: components["schemas"]["ThemeColorScheme"];
            /** @description The color of buttons and links, such as `#3366ff`; null for the default. */
            primaryColor: string | null;
        };
        /** @enum {string} */
        ThemeColorScheme: "light" | "dark" | "auto";
        /** @description The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses its default color. */
        ThemeInput: {
            /**
             * @description `light`, `dark`, or `auto`, which follows the browser.
             * @default auto
             */
            colorScheme?: components["schemas"]["ThemeColorScheme"];
            /** @description The color of buttons and links, such as `#3366ff`; null for the default. */
            primaryColor?: string | null;
        };
        /** @description The 24 hours that end at `measuredUntil`, compared with the previous 24 hours. `trend` is null if either has no rate, and STEADY within one percentage point. */
        Trend: {
            /** @description The number of requests. A delivery or refresh can take several. */
            attempts: number;
            /** @description The number of failed deliveries or refreshes. */
            failed: number;
            /** @description The latency of attempts, in milliseconds. */
            latencyMs: components["schemas"]["Latency"];
            /** @description The success rate of the 24 hours before. */
            previousSuccessRate: number | null;
            /** @description The number of successful deliveries or refreshes. */
            succeeded: number;
            /** @description The share of ended deliveries that succeeded, from 0 to 1; null if none ended. */
            successRate: number | null;
            /** @description `BETTER` or `WORSE` if the success rate changed by more than one percentage point, otherwise `STEADY`. */
            trend: ("BETTER" | "STEADY" | "WORSE") | null;
        };
        /** @description An event type as a trigger. `schema` and `sample` describe an event's `data`. */
        Trigger: {
            /** @description A description in a sentence or two. */
            description: string;
            /** @description The event type. */
            id: string;
            /** @description The display name. */
            label: string;
            /** @description The noun of its subject, in title case. */
            noun: string;
            /** @description An example of an event's data. */
            sample: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** @description The JSON Schema of an event's data. */
            schema: {
                [key: string]: components["schemas"]["JsonValue"];
            };
        };
        /** @description An array, as the automation platforms require. */
        Triggers: components["schemas"]["Trigger"][];
        /** @description Why a webhook did not get an event. `filter_mismatch`: `detail` has the first filter that does not match. `changed_later`: the webhook matches the event now, but did not when it was published. */
        UnmatchedReason: {
            /** @description The stable code of the error. */
            code: components["schemas"]["UnmatchedReasonCode"];
            /** @description What happened, for people. */
            detail: string;
        };
        /** @enum {string} */
        UnmatchedReasonCode: "created_later" | "inactive" | "disabled" | "filter_mismatch" | "changed_later";
        /** @description A webhook that subscribes to the event's type, but did not get the event. */
        UnmatchedWebhook: {
            /** @description The display name. */
            name: string;
            /** @description Why the webhook did not get the event. */
            reason: components["schemas"]["UnmatchedReason"];
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Only the fields that you send change; the defaults here are placeholders. `expiresAt: null` removes the expiration, and `rotation: null` removes the key's own policy. */
        UpdateApiKey: {
            /**
             * Format: date-time
             * @description When the key expires. By default, it never expires.
             */
            expiresAt?: string | null;
            /** @description The display name. */
            name?: string;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay?: number;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour?: number;
            /** @description The key's complete rotation policy. Null removes it, so that the workspace's policy applies. */
            rotation?: components["schemas"]["KeyRotationInput"] | null;
            /** @description The scopes of the key. You can grant only scopes that you have. */
            scopes?: string[];
        };
        /** @description Only the fields that you send change; the defaults here are placeholders. Runs that have started keep their definition. */
        UpdateFlow: {
            /** @description A description in a sentence or two. */
            description?: string;
            /** @description The display name. */
            name?: string;
            /** @description All steps of the flow, in order. */
            steps?: (components["schemas"]["FlowWebhookStepInput"] | components["schemas"]["FlowActionStepInput"] | components["schemas"]["FlowRequestStepInput"] | components["schemas"]["FlowWaitStepInput"] | components["schemas"]["FlowFilterStepInput"] | components["schemas"]["FlowBranchStepInput"])[];
            /** @description The complete trigger. */
            trigger?: components["schemas"]["FlowTriggerInput"];
        };
        /** @description Only the fields that you send change. `config` and `metadata` are merged by key, and null removes a key. A secret whose value is the mask does not change. The defaults here are placeholders. */
        UpdateIntegration: {
            /** @description The provider's settings by name, such as the OAuth client. Secrets are masked. */
            config?: {
                [key: string]: string | boolean | string[] | null;
            };
            /** @description A description in a sentence or two. */
            description?: string;
            /** @description Whether the marketplace lists it once the platform has approved it. */
            isPublic?: boolean;
            /** @description The URL of an image (https). */
            logoUrl?: string | null;
            /** @description Your own data: any object of at most 8 KiB. */
            metadata?: {
                [key: string]: unknown;
            };
            /** @description The display name. */
            name?: string;
            /** @description The provider, such as `hubspot`. */
            provider?: string | null;
            /** @description The maximum number of requests in a sliding window of 24 hours. */
            rateLimitPerDay?: number | null;
            /** @description The maximum number of requests in a sliding window of 60 minutes. */
            rateLimitPerHour?: number | null;
            /** @description The scopes. */
            scopes?: string[];
            /** @description The type. */
            type?: components["schemas"]["IntegrationType"];
        };
        /** @description Only the fields that you send change; the defaults here are placeholders. A header whose value is the mask does not change. */
        UpdateWebhook: {
            /** @description The number of consecutive failures that disables the webhook. */
            disableAfter?: number;
            /** @description The subscribed event types, or `*` for all. */
            eventTypes?: (string | "*")[];
            /** @description The number of seconds after which the webhook is deleted; null for never. */
            expiresInSeconds?: number | null;
            /** @description Conditions on an event's data. All must be true. */
            filters?: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilterInput"])[];
            /** @description Custom headers of every request to the receiver. Responses mask their values. */
            headers?: {
                [key: string]: string;
            };
            /** @description The integration that it belongs to. */
            integrationId?: string | null;
            /** @description `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes. */
            kind?: components["schemas"]["WebhookKind"];
            /** @description The display name. */
            name?: string;
            /** @description The maximum number of requests per second to the receiver; null for no limit. */
            rateLimitPerSecond?: number | null;
            /** @description The retry policy. */
            retryConfig?: components["schemas"]["RetryConfig"];
            /** @description The receiver's URL. */
            url?: string | null;
        };
        /** @description Only the fields that you send change. `retainDays: null` restores the default, `maxRetainDays`; `apiKeyRotation: null` removes the policy. Only an owner can set its `deliverTo`. */
        UpdateWorkspace: {
            /** @description The complete rotation policy for API keys without their own policy. Null removes it. */
            apiKeyRotation?: components["schemas"]["RotationPolicyInput"] | null;
            /** @description From 1 to `maxRetainDays`; null for the default. */
            retainDays?: number | null;
        };
        /** @description The number of allowed requests in total, today (UTC), and on each of the last 30 days, ending today. In a list, `daily` is null. */
        Usage: {
            /** @description The number of requests on each of the last 30 days, ending today. */
            daily: components["schemas"]["DailyUse"][] | null;
            /** @description The number of allowed requests today (UTC). */
            today: number;
            /** @description The total number of allowed requests. */
            total: number;
        };
        /** @description Whether to accept a request with the key. Only `VALID` counts the cost. `workspaceId` and `keyId` are set if the key is known, and `rateLimit` if its limits were checked. */
        Verification: {
            /** @description `VALID`, or the reason to reject the request. */
            code: components["schemas"]["VerificationCode"];
            /** @description The ID of the key. */
            keyId: string | null;
            /** @description The state of the key's limit. */
            rateLimit: components["schemas"]["RateLimit"] | null;
            /** @description The scopes of the key. */
            scopes: string[];
            /** @description Whether to accept the request. */
            valid: boolean;
            /** @description The workspace. */
            workspaceId: string | null;
        };
        /** @enum {string} */
        VerificationCode: "VALID" | "MALFORMED" | "NOT_FOUND" | "REVOKED" | "EXPIRED" | "INSUFFICIENT_SCOPES" | "RATE_LIMITED" | "COST_EXCEEDS_LIMIT";
        /** @description Check a key from a request to one of the platform's own APIs: whether it is valid, has the `scopes`, and has `cost` units left. If so, the units are counted. */
        VerifyApiKey: {
            /**
             * @description The number of units that the request uses.
             * @default 1
             */
            cost?: number;
            /** @description The key to check. */
            key: string;
            /** @description The scopes that the request needs. */
            scopes?: string[];
        };
        /** @description `attempts` is the number of requests, for deliveries or token refreshes. `succeeded` and `failed` are the numbers of deliveries or refreshes that ended that way, and `successRate` is the share that succeeded (0 to 1; null if none ended). `latencyMs` covers all attempts. */
        Volume: {
            /** @description The number of requests. A delivery or refresh can take several. */
            attempts: number;
            /** @description The number of failed deliveries or refreshes. */
            failed: number;
            /** @description The latency of attempts, in milliseconds. */
            latencyMs: components["schemas"]["Latency"];
            /** @description The number of successful deliveries or refreshes. */
            succeeded: number;
            /** @description The share of ended deliveries that succeeded, from 0 to 1; null if none ended. */
            successRate: number | null;
        };
        /**
         * @description `source` is `api` or the automation platform that created it; header values are masked. In lists, `stats`, `consecutiveFailures` and `receiver` are null unless you request them with `include`.
         *
         *     A webhook of kind `pull` has no `url` and no `receiver`; `retryConfig` and `disableAfter` have no effect on it.
         */
        Webhook: {
            /** @description The number of failed deliveries since the last success. */
            consecutiveFailures: number | null;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description The number of consecutive failures that disables the webhook. */
            disableAfter: number;
            /**
             * Format: date-time
             * @description When Patchbay disabled it, or null.
             */
            disabledAt: string | null;
            /** @description The subscribed event types, or `*` for all. */
            eventTypes: string[];
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description Conditions on an event's data. All must be true. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description Custom headers of every request to the receiver. Responses mask their values. */
            headers: {
                [key: string]: string;
            };
            /** @description The ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string | null;
            /** @description `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes. */
            kind: components["schemas"]["WebhookKind"];
            /** @description The display name. */
            name: string;
            /** @description The maximum number of requests per second to the receiver; null for no limit. */
            rateLimitPerSecond: number | null;
            /** @description The current health of the receiver. */
            receiver: components["schemas"]["Receiver"] | null;
            /** @description The retry policy. */
            retryConfig: components["schemas"]["RetryConfig"];
            /** @description The source. */
            source: string;
            /** @description The statistics of the last 24 hours. */
            stats: components["schemas"]["WebhookStats"] | null;
            /** @description `ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no events; `DISABLED` by Patchbay after failures or after a 410 response. */
            status: components["schemas"]["WebhookStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The receiver's URL. */
            url: string | null;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        WebhookDetail: {
            /** @description The number of failed deliveries since the last success. */
            consecutiveFailures: number | null;
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description The number of consecutive failures that disables the webhook. */
            disableAfter: number;
            /**
             * Format: date-time
             * @description When Patchbay disabled it, or null.
             */
            disabledAt: string | null;
            /** @description The subscribed event types, or `*` for all. */
            eventTypes: string[];
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description Conditions on an event's data. All must be true. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description Custom headers of every request to the receiver. Responses mask their values. */
            headers: {
                [key: string]: string;
            };
            /** @description The ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string | null;
            /** @description `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes. */
            kind: components["schemas"]["WebhookKind"];
            /** @description The display name. */
            name: string;
            /** @description The maximum number of requests per second to the receiver; null for no limit. */
            rateLimitPerSecond: number | null;
            /** @description The current health of the receiver. */
            receiver: components["schemas"]["Receiver"] | null;
            /** @description The latest deliveries. */
            recentDeliveries: components["schemas"]["Delivery"][];
            /** @description The retry policy. */
            retryConfig: components["schemas"]["RetryConfig"];
            /** @description The source. */
            source: string;
            /** @description The statistics of the last 24 hours. */
            stats: components["schemas"]["WebhookStats"] | null;
            /** @description `ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no events; `DISABLED` by Patchbay after failures or after a 410 response. */
            status: components["schemas"]["WebhookStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The receiver's URL. */
            url: string | null;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description The `data` of the event `WEBHOOK_DISABLED`. */
        WebhookDisabledData: {
            /** @description The number of consecutive failed deliveries. */
            consecutiveFailures: number;
            /**
             * Format: date-time
             * @description When it was disabled.
             */
            disabledAt: string;
            /** @description Its name. */
            name: string;
            /** @description The code of the reason. */
            statusReason: string;
            /**
             * Format: uri
             * @description The URL of the webhook.
             */
            url: string;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Triggers when a webhook is disabled because its receiver is gone or keeps failing. */
        WebhookDisabledEvent: {
            /** @description The event's content. */
            data: components["schemas"]["WebhookDisabledData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "WEBHOOK_DISABLED";
        };
        /** @description The `data` of the event `WEBHOOK_FAILING`. */
        WebhookFailingData: {
            /** @description The number of consecutive failed deliveries. */
            consecutiveFailures: number;
            /** @description The number of consecutive failures that disables the webhook. */
            disableAfter: number;
            /** @description Its name. */
            name: string;
            /** @description The percentage of disableAfter that was reached: 50 or 80. */
            percent: number;
            /** @description The code of the last error. */
            statusReason: string;
            /**
             * Format: uri
             * @description The URL of the webhook.
             */
            url: string;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Triggers when a webhook reaches 50 percent, and again 80 percent, of the consecutive failures that disable it. */
        WebhookFailingEvent: {
            /** @description The event's content. */
            data: components["schemas"]["WebhookFailingData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "WEBHOOK_FAILING";
        };
        /** @enum {string} */
        WebhookKind: "push" | "pull";
        WebhookList: {
            /** @description The items of this page. */
            items: components["schemas"]["Webhook"][];
            /** @description The `cursor` of the next page; null on the last. */
            nextCursor: string | null;
        };
        /** @description The `data` of the event `WEBHOOK_RECOVERED`. */
        WebhookRecoveredData: {
            /**
             * Format: date-time
             * @description When it was last reported as failing.
             */
            failingSince: string;
            /** @description Its name. */
            name: string;
            /**
             * Format: date-time
             * @description When the delivery succeeded.
             */
            recoveredAt: string;
            /**
             * Format: uri
             * @description The URL of the webhook.
             */
            url: string;
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Triggers when a webhook that was failing accepts a delivery again. */
        WebhookRecoveredEvent: {
            /** @description The event's content. */
            data: components["schemas"]["WebhookRecoveredData"];
            /** @description The ID. */
            id: string;
            /**
             * Format: date-time
             * @description When the event was published.
             */
            timestamp: string;
            /**
             * @description The type.
             * @constant
             */
            type: "WEBHOOK_RECOVERED";
        };
        /** @description The last 24 hours, by the hour: deliveries that ended since `since`, and those now `pending`. `successRate` is the share of ended deliveries that succeeded (0 to 1); latency covers all attempts. `hours` has the numbers by hour. Hours without ended deliveries are omitted. */
        WebhookStats: {
            /** @description The number of successful deliveries. */
            delivered: number;
            /** @description The number of deliveries that ended. */
            deliveries: number;
            /** @description The number of failed deliveries. */
            failed: number;
            /** @description The numbers by hour, oldest first. Hours without ended deliveries are omitted. */
            hours: components["schemas"]["HourVolume"][];
            /**
             * Format: date-time
             * @description When a delivery last ended.
             */
            lastDeliveryAt: string | null;
            /** @description The most recent error, or null. */
            lastError: components["schemas"]["LastError"] | null;
            /** @description The latency of attempts, in milliseconds. */
            latencyMs: components["schemas"]["Latency"];
            /** @description The number of deliveries that have not ended yet. */
            pending: number;
            /**
             * Format: date-time
             * @description The start of the statistics.
             */
            since: string | null;
            /** @description The share of ended deliveries that succeeded, from 0 to 1; null if none ended. */
            successRate: number | null;
        };
        /** @enum {string} */
        WebhookStatus: "ACTIVE" | "PAUSED" | "INACTIVE" | "DISABLED";
        /** @description Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` identifies the webhook's URL and headers at the time the policy was set. If they have changed when the key is due, it does not rotate until you send the policy without `pin`, which confirms the current URL and headers. */
        WebhookTarget: {
            /** @description The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current URL and headers. Send the value that you read to keep the confirmation. */
            pin: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "webhook";
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` identifies the webhook's URL and headers at the time the policy was set. If they have changed when the key is due, it does not rotate until you send the policy without `pin`, which confirms the current URL and headers. */
        WebhookTargetInput: {
            /** @description The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current URL and headers. Send the value that you read to keep the confirmation. */
            pin?: string | null;
            /**
             * @description The type. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "webhook";
            /** @description The webhook. */
            webhookId: string;
        };
        /** @description A webhook with its new signing secret. Only this response contains the secret. It has no stats, because a repeated request with the same Idempotency-Key must get the same response. */
        WebhookWithSecret: {
            /**
             * Format: date-time
             * @description When it was created.
             */
            createdAt: string;
            /** @description Who created it: `user:…` or `key:…`. */
            createdBy: string;
            /** @description The number of consecutive failures that disables the webhook. */
            disableAfter: number;
            /**
             * Format: date-time
             * @description When Patchbay disabled it, or null.
             */
            disabledAt: string | null;
            /** @description The subscribed event types, or `*` for all. */
            eventTypes: string[];
            /**
             * Format: date-time
             * @description When it expires; null for never.
             */
            expiresAt: string | null;
            /** @description Conditions on an event's data. All must be true. */
            filters: (components["schemas"]["EqualsFilter"] | components["schemas"]["InFilter"] | components["schemas"]["ExistsFilter"])[];
            /** @description Custom headers of every request to the receiver. Responses mask their values. */
            headers: {
                [key: string]: string;
            };
            /** @description The ID. */
            id: string;
            /** @description The integration that it belongs to. */
            integrationId: string | null;
            /** @description `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes. */
            kind: components["schemas"]["WebhookKind"];
            /** @description The display name. */
            name: string;
            /** @description The maximum number of requests per second to the receiver; null for no limit. */
            rateLimitPerSecond: number | null;
            /** @description The retry policy. */
            retryConfig: components["schemas"]["RetryConfig"];
            /** @description The signing secret, `whsec_…`. Shown only in this response: store it now. */
            secret: string;
            /** @description The source. */
            source: string;
            /** @description `ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no events; `DISABLED` by Patchbay after failures or after a 410 response. */
            status: components["schemas"]["WebhookStatus"];
            /** @description Why it has this status, or null. */
            statusReason: string | null;
            /**
             * Format: date-time
             * @description When it was last changed.
             */
            updatedAt: string;
            /** @description The receiver's URL. */
            url: string | null;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @description `retainDays` is how long events, deliveries, attempts and feed entries are kept. A change applies to new data. It is at most `maxRetainDays`, which is also the default. `status` is ERASING while the workspace is being erased. `apiKeyRotation` is the policy for API keys without their own policy. */
        Workspace: {
            /** @description The rotation policy for API keys without their own policy, or null. */
            apiKeyRotation: components["schemas"]["RotationPolicy"] | null;
            /** @description The ID. */
            id: string;
            /** @description The limit and the default of `retainDays`. */
            maxRetainDays: number;
            /** @description The number of days to keep events, deliveries and feed entries after they are written. */
            retainDays: number;
            /** @description `ACTIVE`, or `ERASING` while the workspace is being erased. */
            status: components["schemas"]["WorkspaceStatus"];
            /**
             * Format: date-time
             * @description When the settings were last changed, or null.
             */
            updatedAt: string | null;
            /** @description The version, also in `ETag`. Each change increases it. */
            version: number;
        };
        /** @enum {string} */
        WorkspaceStatus: "ACTIVE" | "ERASING";
    };
    responses: never;
    parameters: {
        /**
         * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
         * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
         */
        IdempotencyKey: string;
        /**
         * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
         * @example "3"
         */
        IfMatch: string;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export interface operations {
    setChoices: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A list of choices, such as `accounts`: the `x-choices` of a field.
                 * @example accounts
                 */
                resource: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetChoices"];
            };
        };
        responses: never;
    };
    answerRun: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The run's ID, `run_…`.
                 * @example run_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AnswerRun"];
            };
        };
        responses: never;
    };
    listAudit: {
        parameters: {
            query?: {
                /** @description Only entries of this action, such as `webhooks.update`. */
                action?: string;
                /** @description Only entries of this actor: `user:…`, `key_…`, `session:…` or `connect:…`. */
                actor?: string;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only entries with this outcome. */
                outcome?: components["schemas"]["AuditEntryOutcome"];
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only entries of this target and of its sub-resources. */
                target?: string;
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listActions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    startRun: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The key of an action: its `id` in `GET …/actions`.
                 * @example create_campaign
                 */
                key: string;
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StartRun"];
            };
        };
        responses: never;
    };
    listChoices: {
        parameters: {
            query?: {
                /** @description The ID of the last item that you received. */
                cursor?: string;
                /** @description Part of a label, or the start of an ID. */
                search?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
                /**
                 * @description A list of choices, such as `accounts`: the `x-choices` of a field.
                 * @example accounts
                 */
                resource: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listHooks: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    subscribe: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Subscribe"];
            };
        };
        responses: never;
    };
    getHook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000008
                 */
                id: string;
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    unsubscribe: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000014
                 */
                id: string;
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    automationMe: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listRuns: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items with this status. */
                status?: components["schemas"]["RunStatus"];
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The run's ID, `run_…`.
                 * @example run_0355200000000000000001
                 */
                id: string;
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listTriggers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listSamples: {
        parameters: {
            query?: {
                /** @description The maximum number of events in the response. */
                limit?: number;
            };
            header?: never;
            path: {
                /**
                 * @description An event type, such as `POST_PUBLISHED`.
                 * @example POST_PUBLISHED
                 */
                eventType: string;
                /**
                 * @description The platform that the automation runs on.
                 * @example n8n
                 */
                platform: components["schemas"]["AutomationPlatform"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listAllRuns: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description The automation platform. */
                platform?: components["schemas"]["AutomationPlatform"];
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items with this status. */
                status?: components["schemas"]["RunStatus"];
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getConnectPage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listConnectSessions: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createConnectSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateConnectSession"];
            };
        };
        responses: never;
    };
    revokeConnectSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The connect session's ID, `cse_…`.
                 * @example cse_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listAllConnections: {
        parameters: {
            query?: {
                /** @description The account's ID at the provider. */
                accountId?: string;
                /** @description The name of the connection, chosen by its creator. */
                connectionId?: string;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The integration that it belongs to. */
                integrationId?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description The provider, such as `hubspot`. */
                provider?: string;
                /** @description Only items with this status. */
                status?: components["schemas"]["ConnectionStatus"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listAllDeliveries: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The event. */
                eventId?: string;
                /** @description Only items of this event type. */
                eventType?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items with this status. */
                status?: "PENDING" | "SENDING" | "RETRYING" | "HELD" | "DELIVERED" | "FAILED" | "CANCELLED";
                /** @description Only items up to this time. */
                until?: string;
                /** @description The webhook. */
                webhookId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getReference: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getReferenceFile: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description `errors`, or the name of a file that the page loads.
                 * @example errors
                 */
                file: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only events from this source: `api`, `bus`, `patchbay` or `flow`. */
                source?: "api" | "bus" | "patchbay" | "flow";
                /** @description Only items with this status. */
                status?: components["schemas"]["EventStatus"];
                /** @description Only items of this type. */
                type?: string;
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    publishEvent: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PublishEvent"];
            };
        };
        responses: never;
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The event's ID, `evt_…`.
                 * @example evt_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    eraseEventData: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The event's ID, `evt_…`.
                 * @example evt_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    publishEvents: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PublishEvents"];
            };
        };
        responses: never;
    };
    listFlows: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description What to add to each flow: `recentRuns`, the results of its latest runs. */
                include?: "recentRuns";
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items with this status. */
                status?: components["schemas"]["FlowStatus"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createFlow: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateFlow"];
            };
        };
        responses: never;
    };
    getFlow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateFlow: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateFlow"];
            };
        };
        responses: never;
    };
    deleteFlow: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listFlowRuns: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items with this status. */
                status?: components["schemas"]["FlowRunStatus"];
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getFlowRun: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000001
                 */
                id: string;
                /**
                 * @description The run's ID, `frn_…`.
                 * @example frn_0355200000000000000001
                 */
                runId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    setFlowStatus: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The flow's ID, `flw_…`.
                 * @example flw_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetFlowStatus"];
            };
        };
        responses: never;
    };
    dryRunFlow: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DryRunFlow"];
            };
        };
        responses: never;
    };
    listFlowTemplates: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    installFlow: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The key of a flow template, such as `published_posts`.
                 * @example failed_posts
                 */
                key: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InstallFlow"];
            };
        };
        responses: never;
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listIntegrations: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Also list other workspaces' integrations from the marketplace, after the workspace's own. */
                includePublic?: boolean;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only integrations of this provider. */
                provider?: string;
                /** @description Only items with this status. */
                status?: components["schemas"]["IntegrationStatus"];
                /** @description Only integrations of this type. */
                type?: components["schemas"]["IntegrationType"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createIntegration: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateIntegration"];
            };
        };
        responses: never;
    };
    getIntegration: {
        parameters: {
            query?: {
                /** @description Whether to show the secrets in `config`. Also requires the scope `credentials:read`. */
                reveal?: boolean;
            };
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateIntegration: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateIntegration"];
            };
        };
        responses: never;
    };
    deleteIntegration: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listConnections: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items with this status. */
                status?: components["schemas"]["ConnectionStatus"];
            };
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createConnection: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000004
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateConnection"];
            };
        };
        responses: never;
    };
    getConnection: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The connection's name (`connectionId`) or its ID, `con_…`.
                 * @example con_0355200000000000000001
                 */
                connectionId: string;
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteConnection: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The connection's name (`connectionId`) or its ID, `con_…`.
                 * @example issued
                 */
                connectionId: string;
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The connection's name (`connectionId`) or its ID, `con_…`.
                 * @example issued
                 */
                connectionId: string;
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    installIntegration: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listIntegrationLogs: {
        parameters: {
            query?: {
                /** @description Only entries of this action, such as `integration.updated`. */
                action?: string;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    redirectOauth: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    initiateOauth: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Initiate"];
            };
        };
        responses: never;
    };
    refreshConnection: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The integration's ID, `int_…`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RefreshConnection"];
            };
        };
        responses: never;
    };
    setIntegrationStatus: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetIntegrationStatus"];
            };
        };
        responses: never;
    };
    integrationAnalytics: {
        parameters: {
            query?: {
                /** @description The interval of a point: an hour or a day (UTC). */
                by?: "hour" | "day";
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Count only deliveries of this event type. */
                eventType?: string;
                /** @description Return one series per item of this kind, instead of one for all. */
                groupBy?: "integration" | "automation" | "webhook" | "connection" | "eventType";
                /** @description Count only this integration's webhooks and connections. */
                integrationId?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description The start of the period, at most 7 days before its end; 31 days with `by=day`. */
                since?: string;
                /** @description The end of the period. */
                until?: string;
                /** @description Count only the deliveries of this webhook. */
                webhookId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listApiKeys: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createApiKey: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateApiKey"];
            };
        };
        responses: never;
    };
    getApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The key's ID, `key_…`: not the secret.
                 * @example key_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateApiKey: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The key's ID, `key_…`: not the secret.
                 * @example key_0355200000000000000010
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateApiKey"];
            };
        };
        responses: never;
    };
    revokeApiKey: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The key's ID, `key_…`: not the secret.
                 * @example key_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listApiKeyLogs: {
        parameters: {
            query?: {
                /** @description Only entries of this action, such as `integration.updated`. */
                action?: string;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The key's ID, `key_…`: not the secret.
                 * @example key_0355200000000000000003
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    rotateApiKey: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The key's ID, `key_…`: not the secret.
                 * @example key_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RotateApiKey"];
            };
        };
        responses: never;
    };
    verifyApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VerifyApiKey"];
            };
        };
        responses: never;
    };
    integrationHealth: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Only this integration, its webhooks and its connections. */
                integrationId?: string;
                /** @description Only items of these kinds, separated by commas. */
                kind?: ("integration" | "automation" | "webhook" | "connection" | "flow")[];
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items with these states, separated by commas. */
                state?: components["schemas"]["HealthState"][];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    browseMarketplace: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description The provider, such as `hubspot`. */
                provider?: string;
                /** @description Words in the name or the description. */
                search?: string;
                /** @description Only integrations of this type. */
                type?: components["schemas"]["IntegrationType"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getListing: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000005
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    completeOauth: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Callback"];
            };
        };
        responses: never;
    };
    listProviders: {
        parameters: {
            query?: {
                /** @description How the connection authenticates at the provider. */
                authType?: components["schemas"]["AuthType"];
                /** @description Part of the key, the name or the description. */
                search?: string;
                /** @description Only providers for integrations of this type. */
                type?: components["schemas"]["IntegrationType"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getProvider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The key of a provider, such as `hubspot`.
                 * @example hubspot
                 */
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listWebhooks: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Only items of this event type. */
                eventType?: string;
                /** @description What to add to each item: `stats`, `receiver`, or both, separated by a comma. */
                include?: ("stats" | "receiver")[];
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items with this status. */
                status?: components["schemas"]["HookStatus"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createWebhook: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateWebhook"];
            };
        };
        responses: never;
    };
    getWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateWebhook: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateWebhook"];
            };
        };
        responses: never;
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000006
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listDeliveries: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Only items of this event type. */
                eventType?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items with this status. */
                status?: "PENDING" | "SENDING" | "RETRYING" | "HELD" | "DELIVERED" | "FAILED" | "CANCELLED";
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000012
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The delivery's ID, `dlv_…`.
                 * @example dlv_0355200000000000000002
                 */
                deliveryId: string;
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    retryDelivery: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The delivery's ID, `dlv_…`.
                 * @example dlv_0355200000000000000008
                 */
                deliveryId: string;
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000012
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RetryDelivery"];
            };
        };
        responses: never;
    };
    readFeed: {
        parameters: {
            query?: {
                /** @description The consumer. The read starts after its committed position. */
                consumer?: string;
                /** @description Where the read starts. Takes precedence over the consumer's position. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description How many seconds to wait for an event if there are none. */
                wait?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    commitFeed: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Commit"];
            };
        };
        responses: never;
    };
    listConsumers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    deleteConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of a feed consumer.
                 * @example one
                 */
                consumer: string;
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000002
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listWebhookLogs: {
        parameters: {
            query?: {
                /** @description Only entries of this action, such as `integration.updated`. */
                action?: string;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items from this time on. */
                since?: string;
                /** @description Only items up to this time. */
                until?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000006
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    recoverDeliveries: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Recover"];
            };
        };
        responses: never;
    };
    replayDeliveries: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000009
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Replay"];
            };
        };
        responses: never;
    };
    rotateWebhookSecret: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000006
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RotateSecret"];
            };
        };
        responses: never;
    };
    setWebhookStatus: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000007
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetWebhookStatus"];
            };
        };
        responses: never;
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /**
                 * @description The webhook's ID, `whk_…`.
                 * @example whk_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SendTestEvent"];
            };
        };
        responses: never;
    };
    listEventTypes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getCaller: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    listPortalSessions: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    createPortalSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreatePortalSession"];
            };
        };
        responses: never;
    };
    endPortalSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The portal session's ID, `pse_…`, or `current` for the session of the caller.
                 * @example current
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    exchangePortalCode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExchangeCode"];
            };
        };
        responses: never;
    };
    listPublications: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only publications with this review status. Rejected publications without a listed version are never included. */
                reviewStatus?: components["schemas"]["ReviewStatus"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getPublication: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000001
                 */
                id: string;
                /**
                 * @description The publisher's workspace: the publication's `workspaceId`.
                 * @example acme
                 */
                workspaceId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    decidePublication: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /**
                 * @description The integration's ID, `int_…`.
                 * @example int_0355200000000000000001
                 */
                id: string;
                /**
                 * @description The publisher's workspace: the publication's `workspaceId`.
                 * @example acme
                 */
                workspaceId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DecidePublication"];
            };
        };
        responses: never;
    };
    listTasks: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description The maximum number of items per page, from 1 to 100. */
                limit?: number;
                /** @description Only items with this status. */
                status?: components["schemas"]["TaskStatus"];
                /** @description The webhook. */
                webhookId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The task's ID, `tsk_…`.
                 * @example tsk_0355200000000000000004
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    cancelTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The task's ID, `tsk_…`.
                 * @example tsk_0355200000000000000001
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    getWorkspace: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateWorkspace: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The version that you read, from `ETag` or `version`. If the resource has changed since, the request fails with a 412 and changes nothing. `*` matches any version.
                 * @example "3"
                 */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateWorkspace"];
            };
        };
        responses: never;
    };
    deleteWorkspace: {
        parameters: {
            query: {
                /** @description The ID of the workspace. */
                confirm: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    exportWorkspace: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A unique value that you choose, such as a UUID. If you send the request again with the same key, you get the first response, and the work is not repeated. Valid for 24 hours; for a published event, as long as Patchbay keeps the event.
                 * @example 3f2b8c1e-5d0a-4c0e-9f6e-0d6f1c8a7b42
                 */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
}
