// Generated from the catalogue by `make derived`; do not edit.
import type { ILoadOptionsFunctions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import { choices } from './api';

export const events: INodePropertyOptions[] = [
  {
    "name": "API Key Created",
    "value": "API_KEY_CREATED",
    "description": "Triggers when an API key is created"
  },
  {
    "name": "API Key Expiring",
    "value": "API_KEY_EXPIRING",
    "description": "Triggers when an API key is about to expire, 7 days and 1 day before"
  },
  {
    "name": "API Key Revoked",
    "value": "API_KEY_REVOKED",
    "description": "Triggers when an API key is revoked"
  },
  {
    "name": "API Key Rotated",
    "value": "API_KEY_ROTATED",
    "description": "Triggers when an API key is rotated"
  },
  {
    "name": "API Key Rotation Due",
    "value": "API_KEY_ROTATION_DUE",
    "description": "Triggers when an API key that Patchbay does not rotate automatically is due for rotation, and 7 days before"
  },
  {
    "name": "API Key Rotation Failed",
    "value": "API_KEY_ROTATION_FAILED",
    "description": "Triggers when an API key is due for rotation but the new key cannot be delivered, once a day"
  },
  {
    "name": "Alert Triggered",
    "value": "ALERT_TRIGGERED",
    "description": "Triggers when an alert's condition is met, such as a sudden rise in mentions"
  },
  {
    "name": "Approval Completed",
    "value": "APPROVAL_COMPLETED",
    "description": "Triggers when a post is approved or rejected"
  },
  {
    "name": "Approval Requested",
    "value": "APPROVAL_REQUESTED",
    "description": "Triggers when someone asks for a post to be approved"
  },
  {
    "name": "Campaign Completed",
    "value": "CAMPAIGN_COMPLETED",
    "description": "Triggers when a campaign has ended"
  },
  {
    "name": "Campaign Started",
    "value": "CAMPAIGN_STARTED",
    "description": "Triggers when a campaign starts"
  },
  {
    "name": "Connection Created",
    "value": "CONNECTION_CREATED",
    "description": "Triggers when an account is connected"
  },
  {
    "name": "Connection Expired",
    "value": "CONNECTION_EXPIRED",
    "description": "Triggers when a connected account must be connected again"
  },
  {
    "name": "Connection Recovered",
    "value": "CONNECTION_RECOVERED",
    "description": "Triggers when a connection that had expired or failed works again"
  },
  {
    "name": "Connection Revoked",
    "value": "CONNECTION_REVOKED",
    "description": "Triggers when a connection or its integration is deleted"
  },
  {
    "name": "Conversation Assigned",
    "value": "CONVERSATION_ASSIGNED",
    "description": "Triggers when a conversation is assigned to a member or a team"
  },
  {
    "name": "Delivery Failed",
    "value": "DELIVERY_FAILED",
    "description": "Triggers when a delivery fails after all retries, at most once an hour per webhook"
  },
  {
    "name": "Mention Received",
    "value": "MENTION_RECEIVED",
    "description": "Triggers when someone mentions one of the workspace's accounts or keywords"
  },
  {
    "name": "Message Received",
    "value": "MESSAGE_RECEIVED",
    "description": "Triggers when a direct message or a comment is received"
  },
  {
    "name": "Post Failed",
    "value": "POST_FAILED",
    "description": "Triggers when a post could not be published"
  },
  {
    "name": "Post Published",
    "value": "POST_PUBLISHED",
    "description": "Triggers when a post is published on a social network"
  },
  {
    "name": "Post Scheduled",
    "value": "POST_SCHEDULED",
    "description": "Triggers when a post is scheduled or rescheduled"
  },
  {
    "name": "Rate Limit Near",
    "value": "RATE_LIMIT_NEAR",
    "description": "Triggers when an API key has used 80 percent of a limit, once per hour or day"
  },
  {
    "name": "Webhook Disabled",
    "value": "WEBHOOK_DISABLED",
    "description": "Triggers when a webhook is disabled because its receiver is gone or keeps failing"
  },
  {
    "name": "Webhook Failing",
    "value": "WEBHOOK_FAILING",
    "description": "Triggers when a webhook reaches 50 percent, and again 80 percent, of the consecutive failures that disable it"
  },
  {
    "name": "Webhook Recovered",
    "value": "WEBHOOK_RECOVERED",
    "description": "Triggers when a webhook that was failing accepts a delivery again"
  }
];

/** The types of each event's fields by path; `*` is any index of a list. */
export const eventFields: Record<string, Record<string, string>> = {
  "ALERT_TRIGGERED": {
    "alertId": "string",
    "name": "string",
    "severity": "string",
    "metric": "string",
    "value": "number",
    "threshold": "number",
    "message": "string",
    "url": "string",
    "triggeredAt": "string"
  },
  "APPROVAL_COMPLETED": {
    "approvalId": "string",
    "postId": "string",
    "network": "string",
    "text": "string",
    "decision": "string",
    "decidedBy": "string",
    "comment": "string",
    "completedAt": "string"
  },
  "APPROVAL_REQUESTED": {
    "approvalId": "string",
    "postId": "string",
    "network": "string",
    "text": "string",
    "requestedBy": "string",
    "approverIds": "list",
    "approverIds.*": "string",
    "dueAt": "string",
    "url": "string",
    "requestedAt": "string"
  },
  "CAMPAIGN_COMPLETED": {
    "campaignId": "string",
    "name": "string",
    "networks": "list",
    "networks.*": "string",
    "postsPublished": "number",
    "impressions": "number",
    "engagements": "number",
    "startedAt": "string",
    "completedAt": "string"
  },
  "CAMPAIGN_STARTED": {
    "campaignId": "string",
    "name": "string",
    "networks": "list",
    "networks.*": "string",
    "postCount": "number",
    "startedAt": "string",
    "endsAt": "string"
  },
  "CONVERSATION_ASSIGNED": {
    "conversationId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "customerName": "string",
    "assigneeId": "string",
    "assigneeName": "string",
    "assignedBy": "string",
    "assignedAt": "string"
  },
  "MENTION_RECEIVED": {
    "mentionId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "authorName": "string",
    "authorHandle": "string",
    "authorFollowers": "number",
    "text": "string",
    "url": "string",
    "sentiment": "string",
    "mentionedAt": "string"
  },
  "MESSAGE_RECEIVED": {
    "messageId": "string",
    "conversationId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "authorName": "string",
    "authorHandle": "string",
    "kind": "string",
    "text": "string",
    "attachmentUrls": "list",
    "attachmentUrls.*": "string",
    "receivedAt": "string"
  },
  "POST_FAILED": {
    "postId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "text": "string",
    "campaignId": "string",
    "errorCode": "string",
    "errorMessage": "string",
    "willRetry": "boolean",
    "failedAt": "string"
  },
  "POST_PUBLISHED": {
    "postId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "text": "string",
    "mediaUrls": "list",
    "mediaUrls.*": "string",
    "url": "string",
    "campaignId": "string",
    "publishedAt": "string"
  },
  "POST_SCHEDULED": {
    "postId": "string",
    "network": "string",
    "accountId": "string",
    "accountName": "string",
    "text": "string",
    "mediaUrls": "list",
    "mediaUrls.*": "string",
    "campaignId": "string",
    "scheduledFor": "string",
    "scheduledBy": "string"
  },
  "API_KEY_CREATED": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "scopes": "list",
    "scopes.*": "string",
    "expiresAt": "string",
    "createdBy": "string"
  },
  "API_KEY_EXPIRING": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "expiresAt": "string",
    "daysLeft": "number"
  },
  "API_KEY_REVOKED": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "revokedBy": "string",
    "revokedAt": "string"
  },
  "API_KEY_ROTATED": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "successorId": "string",
    "endsAt": "string",
    "rotatedBy": "string"
  },
  "API_KEY_ROTATION_DUE": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "dueAt": "string",
    "daysLeft": "number"
  },
  "API_KEY_ROTATION_FAILED": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "statusReason": "string",
    "detail": "string",
    "failedAt": "string"
  },
  "CONNECTION_CREATED": {
    "connectionId": "string",
    "id": "string",
    "integrationId": "string",
    "provider": "string",
    "accountLabel": "string",
    "createdBy": "string"
  },
  "CONNECTION_EXPIRED": {
    "connectionId": "string",
    "id": "string",
    "integrationId": "string",
    "provider": "string",
    "accountLabel": "string",
    "statusReason": "string"
  },
  "CONNECTION_RECOVERED": {
    "connectionId": "string",
    "id": "string",
    "integrationId": "string",
    "provider": "string",
    "accountLabel": "string",
    "previousStatus": "string"
  },
  "CONNECTION_REVOKED": {
    "connectionId": "string",
    "id": "string",
    "integrationId": "string",
    "provider": "string",
    "accountLabel": "string",
    "statusReason": "string"
  },
  "DELIVERY_FAILED": {
    "deliveryId": "string",
    "webhookId": "string",
    "name": "string",
    "url": "string",
    "eventId": "string",
    "eventType": "string",
    "statusReason": "string",
    "failedAt": "string"
  },
  "RATE_LIMIT_NEAR": {
    "keyId": "string",
    "name": "string",
    "maskedKey": "string",
    "window": "string",
    "limit": "number",
    "used": "number",
    "resetsAt": "string"
  },
  "WEBHOOK_DISABLED": {
    "webhookId": "string",
    "name": "string",
    "url": "string",
    "statusReason": "string",
    "consecutiveFailures": "number",
    "disabledAt": "string"
  },
  "WEBHOOK_FAILING": {
    "webhookId": "string",
    "name": "string",
    "url": "string",
    "percent": "number",
    "consecutiveFailures": "number",
    "disableAfter": "number",
    "statusReason": "string"
  },
  "WEBHOOK_RECOVERED": {
    "webhookId": "string",
    "name": "string",
    "url": "string",
    "failingSince": "string",
    "recoveredAt": "string"
  }
};

export const filterFields: INodeProperties[] = [
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "ALERT_TRIGGERED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Alert ID",
        "name": "alertId",
        "type": "string",
        "default": "",
        "description": "The alert whose condition was met"
      },
      {
        "displayName": "Message",
        "name": "message",
        "type": "string",
        "default": "",
        "description": "A description of the alert"
      },
      {
        "displayName": "Metric",
        "name": "metric",
        "type": "string",
        "default": "",
        "description": "The metric of the alert"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "The alert's name"
      },
      {
        "displayName": "Severity",
        "name": "severity",
        "type": "options",
        "default": "critical",
        "description": "How serious it is",
        "options": [
          {
            "name": "Critical",
            "value": "critical"
          },
          {
            "name": "Info",
            "value": "info"
          },
          {
            "name": "Warning",
            "value": "warning"
          }
        ]
      },
      {
        "displayName": "Threshold",
        "name": "threshold",
        "type": "number",
        "default": 0,
        "description": "The value from which the alert triggers"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The alert in the platform"
      },
      {
        "displayName": "Value",
        "name": "value",
        "type": "number",
        "default": 0,
        "description": "The measured value"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "APPROVAL_COMPLETED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Approval ID",
        "name": "approvalId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the approval"
      },
      {
        "displayName": "Comment",
        "name": "comment",
        "type": "string",
        "default": "",
        "description": "Their comment"
      },
      {
        "displayName": "Decided By",
        "name": "decidedBy",
        "type": "string",
        "default": "",
        "description": "The user who decided"
      },
      {
        "displayName": "Decision",
        "name": "decision",
        "type": "options",
        "default": "approved",
        "description": "The decision",
        "options": [
          {
            "name": "Approved",
            "value": "approved"
          },
          {
            "name": "Rejected",
            "value": "rejected"
          }
        ]
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Post ID",
        "name": "postId",
        "type": "string",
        "default": "",
        "description": "The post that was approved or rejected"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the post"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "APPROVAL_REQUESTED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Approval ID",
        "name": "approvalId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the approval"
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Post ID",
        "name": "postId",
        "type": "string",
        "default": "",
        "description": "The post that was approved or rejected"
      },
      {
        "displayName": "Requested By",
        "name": "requestedBy",
        "type": "string",
        "default": "",
        "description": "The user who requested it"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the post"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The approval in the platform"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CAMPAIGN_COMPLETED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Campaign ID",
        "name": "campaignId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the campaign"
      },
      {
        "displayName": "Engagements",
        "name": "engagements",
        "type": "number",
        "default": 0,
        "description": "Likes, comments, shares and clicks"
      },
      {
        "displayName": "Impressions",
        "name": "impressions",
        "type": "number",
        "default": 0,
        "description": "How often the posts were seen"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "The campaign's name"
      },
      {
        "displayName": "Posts Published",
        "name": "postsPublished",
        "type": "number",
        "default": 0,
        "description": "How many posts were published"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CAMPAIGN_STARTED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Campaign ID",
        "name": "campaignId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the campaign"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "The campaign's name"
      },
      {
        "displayName": "Post Count",
        "name": "postCount",
        "type": "number",
        "default": 0,
        "description": "How many posts are planned"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CONVERSATION_ASSIGNED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Assigned By",
        "name": "assignedBy",
        "type": "string",
        "default": "",
        "description": "The user who assigned it; null for a rule"
      },
      {
        "displayName": "Assignee Name or ID",
        "name": "assigneeId",
        "type": "options",
        "default": "",
        "description": "The user or team that it is assigned to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAssignees"
        }
      },
      {
        "displayName": "Conversation ID",
        "name": "conversationId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the conversation"
      },
      {
        "displayName": "Customer Name",
        "name": "customerName",
        "type": "string",
        "default": "",
        "description": "The name of the customer"
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "MENTION_RECEIVED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Author Followers",
        "name": "authorFollowers",
        "type": "number",
        "default": 0,
        "description": "How many followers the author has"
      },
      {
        "displayName": "Author Handle",
        "name": "authorHandle",
        "type": "string",
        "default": "",
        "description": "Their handle on the network"
      },
      {
        "displayName": "Author Name",
        "name": "authorName",
        "type": "string",
        "default": "",
        "description": "The author's name, as the network shows it"
      },
      {
        "displayName": "Mention ID",
        "name": "mentionId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the mention"
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Sentiment",
        "name": "sentiment",
        "type": "options",
        "default": "negative",
        "description": "The sentiment of the mention",
        "options": [
          {
            "name": "Negative",
            "value": "negative"
          },
          {
            "name": "Neutral",
            "value": "neutral"
          },
          {
            "name": "Positive",
            "value": "positive"
          }
        ]
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the mention"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "Where the mention can be seen"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "MESSAGE_RECEIVED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Author Handle",
        "name": "authorHandle",
        "type": "string",
        "default": "",
        "description": "Their handle on the network"
      },
      {
        "displayName": "Author Name",
        "name": "authorName",
        "type": "string",
        "default": "",
        "description": "The author's name, as the network shows it"
      },
      {
        "displayName": "Conversation ID",
        "name": "conversationId",
        "type": "string",
        "default": "",
        "description": "The conversation that it is part of"
      },
      {
        "displayName": "Kind",
        "name": "kind",
        "type": "options",
        "default": "comment",
        "description": "The kind of message",
        "options": [
          {
            "name": "Comment",
            "value": "comment"
          },
          {
            "name": "Direct Message",
            "value": "direct_message"
          },
          {
            "name": "Review",
            "value": "review"
          }
        ]
      },
      {
        "displayName": "Message ID",
        "name": "messageId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the message"
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the message"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "POST_FAILED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Campaign Name or ID",
        "name": "campaignId",
        "type": "options",
        "default": "",
        "description": "The campaign that the post belongs to, if any. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getCampaigns"
        }
      },
      {
        "displayName": "Error Code",
        "name": "errorCode",
        "type": "string",
        "default": "",
        "description": "The platform's error code"
      },
      {
        "displayName": "Error Message",
        "name": "errorMessage",
        "type": "string",
        "default": "",
        "description": "The error message"
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Post ID",
        "name": "postId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the post"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the post"
      },
      {
        "displayName": "Will Retry",
        "name": "willRetry",
        "type": "boolean",
        "default": false,
        "description": "Whether the platform retries automatically"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "POST_PUBLISHED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Campaign Name or ID",
        "name": "campaignId",
        "type": "options",
        "default": "",
        "description": "The campaign that the post belongs to, if any. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getCampaigns"
        }
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Post ID",
        "name": "postId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the post"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the post"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "Where the post can be seen"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "POST_SCHEDULED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Name or ID",
        "name": "accountId",
        "type": "options",
        "default": "",
        "description": "The connected account that it belongs to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getAccounts"
        }
      },
      {
        "displayName": "Campaign Name or ID",
        "name": "campaignId",
        "type": "options",
        "default": "",
        "description": "The campaign that the post belongs to, if any. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getCampaigns"
        }
      },
      {
        "displayName": "Network",
        "name": "network",
        "type": "string",
        "default": "",
        "description": "The social network, in lowercase"
      },
      {
        "displayName": "Post ID",
        "name": "postId",
        "type": "string",
        "default": "",
        "description": "The platform's ID of the post"
      },
      {
        "displayName": "Scheduled By",
        "name": "scheduledBy",
        "type": "string",
        "default": "",
        "description": "The user who scheduled it"
      },
      {
        "displayName": "Text",
        "name": "text",
        "type": "string",
        "default": "",
        "description": "The text of the post"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_CREATED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Created By",
        "name": "createdBy",
        "type": "string",
        "default": "",
        "description": "Who created it, in the format of `id` in GET /api/me"
      },
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_EXPIRING"
        ]
      }
    },
    "options": [
      {
        "displayName": "Days Left",
        "name": "daysLeft",
        "type": "number",
        "default": 0,
        "description": "How many days before the expiration the notice was due"
      },
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_REVOKED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Revoked By",
        "name": "revokedBy",
        "type": "string",
        "default": "",
        "description": "Who revoked it, in the format of `id` in GET /api/me"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_ROTATED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Rotated By",
        "name": "rotatedBy",
        "type": "string",
        "default": "",
        "description": "Who rotated it, in the format of `id` in GET /api/me"
      },
      {
        "displayName": "Successor ID",
        "name": "successorId",
        "type": "string",
        "default": "",
        "description": "The key that replaces it"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_ROTATION_DUE"
        ]
      }
    },
    "options": [
      {
        "displayName": "Days Left",
        "name": "daysLeft",
        "type": "number",
        "default": 0,
        "description": "How many days are left until then; 0 when it is due"
      },
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "API_KEY_ROTATION_FAILED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Detail",
        "name": "detail",
        "type": "string",
        "default": "",
        "description": "Why it failed, and what to do"
      },
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "string",
        "default": "",
        "description": "The code of the error"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CONNECTION_CREATED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Label",
        "name": "accountLabel",
        "type": "string",
        "default": "",
        "description": "The account's name at the provider"
      },
      {
        "displayName": "Connection ID",
        "name": "connectionId",
        "type": "string",
        "default": "",
        "description": "The connection, by its name"
      },
      {
        "displayName": "Created By",
        "name": "createdBy",
        "type": "string",
        "default": "",
        "description": "Who connected it, in the format of `id` in GET /api/me"
      },
      {
        "displayName": "ID",
        "name": "id",
        "type": "string",
        "default": "",
        "description": "The connection, by Patchbay's ID"
      },
      {
        "displayName": "Integration ID",
        "name": "integrationId",
        "type": "string",
        "default": "",
        "description": "The integration that it belongs to"
      },
      {
        "displayName": "Provider",
        "name": "provider",
        "type": "string",
        "default": "",
        "description": "The provider of the account"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CONNECTION_EXPIRED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Label",
        "name": "accountLabel",
        "type": "string",
        "default": "",
        "description": "The account's name at the provider"
      },
      {
        "displayName": "Connection ID",
        "name": "connectionId",
        "type": "string",
        "default": "",
        "description": "The connection, by its name"
      },
      {
        "displayName": "ID",
        "name": "id",
        "type": "string",
        "default": "",
        "description": "The connection, by Patchbay's ID"
      },
      {
        "displayName": "Integration ID",
        "name": "integrationId",
        "type": "string",
        "default": "",
        "description": "The integration that it belongs to"
      },
      {
        "displayName": "Provider",
        "name": "provider",
        "type": "string",
        "default": "",
        "description": "The provider of the account"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "string",
        "default": "",
        "description": "The code of the reason"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CONNECTION_RECOVERED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Label",
        "name": "accountLabel",
        "type": "string",
        "default": "",
        "description": "The account's name at the provider"
      },
      {
        "displayName": "Connection ID",
        "name": "connectionId",
        "type": "string",
        "default": "",
        "description": "The connection, by its name"
      },
      {
        "displayName": "ID",
        "name": "id",
        "type": "string",
        "default": "",
        "description": "The connection, by Patchbay's ID"
      },
      {
        "displayName": "Integration ID",
        "name": "integrationId",
        "type": "string",
        "default": "",
        "description": "The integration that it belongs to"
      },
      {
        "displayName": "Previous Status",
        "name": "previousStatus",
        "type": "options",
        "default": "ERROR",
        "description": "The previous status: EXPIRED or ERROR",
        "options": [
          {
            "name": "Error",
            "value": "ERROR"
          },
          {
            "name": "Expired",
            "value": "EXPIRED"
          }
        ]
      },
      {
        "displayName": "Provider",
        "name": "provider",
        "type": "string",
        "default": "",
        "description": "The provider of the account"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "CONNECTION_REVOKED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Account Label",
        "name": "accountLabel",
        "type": "string",
        "default": "",
        "description": "The account's name at the provider"
      },
      {
        "displayName": "Connection ID",
        "name": "connectionId",
        "type": "string",
        "default": "",
        "description": "The connection, by its name"
      },
      {
        "displayName": "ID",
        "name": "id",
        "type": "string",
        "default": "",
        "description": "The connection, by Patchbay's ID"
      },
      {
        "displayName": "Integration ID",
        "name": "integrationId",
        "type": "string",
        "default": "",
        "description": "The integration that it belongs to"
      },
      {
        "displayName": "Provider",
        "name": "provider",
        "type": "string",
        "default": "",
        "description": "The provider of the account"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "options",
        "default": "connection_deleted",
        "description": "Why: connection_deleted or integration_deleted",
        "options": [
          {
            "name": "Connection Deleted",
            "value": "connection_deleted"
          },
          {
            "name": "Integration Deleted",
            "value": "integration_deleted"
          }
        ]
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "DELIVERY_FAILED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Delivery ID",
        "name": "deliveryId",
        "type": "string",
        "default": "",
        "description": "The first delivery of the webhook that failed in this hour"
      },
      {
        "displayName": "Event ID",
        "name": "eventId",
        "type": "string",
        "default": "",
        "description": "The event that was not delivered"
      },
      {
        "displayName": "Event Type",
        "name": "eventType",
        "type": "string",
        "default": "",
        "description": "The event's type"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "string",
        "default": "",
        "description": "The code of the error"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The URL of the webhook"
      },
      {
        "displayName": "Webhook ID",
        "name": "webhookId",
        "type": "string",
        "default": "",
        "description": "The webhook"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "RATE_LIMIT_NEAR"
        ]
      }
    },
    "options": [
      {
        "displayName": "Key ID",
        "name": "keyId",
        "type": "string",
        "default": "",
        "description": "The key"
      },
      {
        "displayName": "Limit",
        "name": "limit",
        "type": "number",
        "default": 0,
        "description": "The limit, in requests"
      },
      {
        "displayName": "Masked Key",
        "name": "maskedKey",
        "type": "string",
        "default": "",
        "description": "The first characters of the key"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Used",
        "name": "used",
        "type": "number",
        "default": 0,
        "description": "The number of requests used"
      },
      {
        "displayName": "Window",
        "name": "window",
        "type": "options",
        "default": "day",
        "description": "The limit's length: hour or day",
        "options": [
          {
            "name": "Day",
            "value": "day"
          },
          {
            "name": "Hour",
            "value": "hour"
          }
        ]
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "WEBHOOK_DISABLED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Consecutive Failures",
        "name": "consecutiveFailures",
        "type": "number",
        "default": 0,
        "description": "The number of consecutive failed deliveries"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "string",
        "default": "",
        "description": "The code of the reason"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The URL of the webhook"
      },
      {
        "displayName": "Webhook ID",
        "name": "webhookId",
        "type": "string",
        "default": "",
        "description": "The webhook"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "WEBHOOK_FAILING"
        ]
      }
    },
    "options": [
      {
        "displayName": "Consecutive Failures",
        "name": "consecutiveFailures",
        "type": "number",
        "default": 0,
        "description": "The number of consecutive failed deliveries"
      },
      {
        "displayName": "Disable After",
        "name": "disableAfter",
        "type": "number",
        "default": 0,
        "description": "The number of consecutive failures that disables the webhook"
      },
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "Percent",
        "name": "percent",
        "type": "number",
        "default": 0,
        "description": "The percentage of disableAfter that was reached: 50 or 80"
      },
      {
        "displayName": "Status Reason",
        "name": "statusReason",
        "type": "string",
        "default": "",
        "description": "The code of the last error"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The URL of the webhook"
      },
      {
        "displayName": "Webhook ID",
        "name": "webhookId",
        "type": "string",
        "default": "",
        "description": "The webhook"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "description": "Only events that have all of these values start the workflow",
    "displayOptions": {
      "show": {
        "event": [
          "WEBHOOK_RECOVERED"
        ]
      }
    },
    "options": [
      {
        "displayName": "Name",
        "name": "name",
        "type": "string",
        "default": "",
        "description": "Its name"
      },
      {
        "displayName": "URL",
        "name": "url",
        "type": "string",
        "default": "",
        "description": "The URL of the webhook"
      },
      {
        "displayName": "Webhook ID",
        "name": "webhookId",
        "type": "string",
        "default": "",
        "description": "The webhook"
      }
    ]
  }
];

export const resources: INodeProperties[] = [
  {
    "displayName": "Resource",
    "name": "resource",
    "type": "options",
    "noDataExpression": true,
    "default": "post",
    "options": [
      {
        "name": "Account",
        "value": "account"
      },
      {
        "name": "Approval",
        "value": "approval"
      },
      {
        "name": "Assignee",
        "value": "assignee"
      },
      {
        "name": "Campaign",
        "value": "campaign"
      },
      {
        "name": "Conversation",
        "value": "conversation"
      },
      {
        "name": "Message",
        "value": "message"
      },
      {
        "name": "Post",
        "value": "post"
      },
      {
        "name": "Run",
        "value": "run"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "getMany",
    "displayOptions": {
      "show": {
        "resource": [
          "account"
        ]
      }
    },
    "options": [
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the accounts that you can choose from",
        "action": "Get many accounts"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "decide_approval",
    "displayOptions": {
      "show": {
        "resource": [
          "approval"
        ]
      }
    },
    "options": [
      {
        "name": "Decide",
        "value": "decide_approval",
        "description": "Approves or rejects a post that is waiting for approval",
        "action": "Decide an approval"
      },
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the approvals that you can choose from",
        "action": "Get many approvals"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "getMany",
    "displayOptions": {
      "show": {
        "resource": [
          "assignee"
        ]
      }
    },
    "options": [
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the assignees that you can choose from",
        "action": "Get many assignees"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "create_campaign",
    "displayOptions": {
      "show": {
        "resource": [
          "campaign"
        ]
      }
    },
    "options": [
      {
        "name": "Create",
        "value": "create_campaign",
        "description": "Creates a campaign that posts can belong to",
        "action": "Create a campaign"
      },
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the campaigns that you can choose from",
        "action": "Get many campaigns"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "assign_conversation",
    "displayOptions": {
      "show": {
        "resource": [
          "conversation"
        ]
      }
    },
    "options": [
      {
        "name": "Assign",
        "value": "assign_conversation",
        "description": "Assigns a conversation to a member or a team",
        "action": "Assign a conversation"
      },
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the conversations that you can choose from",
        "action": "Get many conversations"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "reply_to_message",
    "displayOptions": {
      "show": {
        "resource": [
          "message"
        ]
      }
    },
    "options": [
      {
        "name": "Reply",
        "value": "reply_to_message",
        "description": "Sends a reply in a conversation",
        "action": "Reply to a message"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "create_post",
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ]
      }
    },
    "options": [
      {
        "name": "Create",
        "value": "create_post",
        "description": "Creates a post and publishes it immediately, or submits it for approval",
        "action": "Create a post"
      },
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the posts that you can choose from",
        "action": "Get many posts"
      },
      {
        "name": "Schedule",
        "value": "schedule_post",
        "description": "Schedules a post for a later time",
        "action": "Schedule a post"
      }
    ]
  },
  {
    "displayName": "Operation",
    "name": "operation",
    "type": "options",
    "noDataExpression": true,
    "default": "get_run",
    "displayOptions": {
      "show": {
        "resource": [
          "run"
        ]
      }
    },
    "options": [
      {
        "name": "Get",
        "value": "get_run",
        "description": "Get the result of an action",
        "action": "Get a run"
      },
      {
        "name": "Get Many",
        "value": "getMany",
        "description": "Get the runs of actions, with their results",
        "action": "Get many runs"
      }
    ]
  }
];

/** The node's subtitle, by resource and operation. */
export const operationLabels: Record<string, string> = {
  "conversation assign_conversation": "Assign Conversation",
  "campaign create_campaign": "Create Campaign",
  "post create_post": "Create Post",
  "approval decide_approval": "Decide Approval",
  "message reply_to_message": "Reply to Message",
  "post schedule_post": "Schedule Post",
  "run get_run": "Get Run",
  "run getMany": "Get Many Runs",
  "account getMany": "Get Many Accounts",
  "approval getMany": "Get Many Approvals",
  "assignee getMany": "Get Many Assignees",
  "campaign getMany": "Get Many Campaigns",
  "conversation getMany": "Get Many Conversations",
  "post getMany": "Get Many Posts"
};

/** An action's resource, and the names of its fields that need conversion. */
interface ActionFields {
	resource: string;
	required: string[];
	times: string[];
	lists: string[];
}

export const actions: Record<string, ActionFields> = {
  "assign_conversation": {
    "resource": "conversation",
    "required": [
      "conversationId",
      "assigneeId"
    ],
    "times": [],
    "lists": []
  },
  "create_campaign": {
    "resource": "campaign",
    "required": [
      "name"
    ],
    "times": [
      "startsAt",
      "endsAt"
    ],
    "lists": [
      "networks"
    ]
  },
  "create_post": {
    "resource": "post",
    "required": [
      "accountId",
      "text"
    ],
    "times": [],
    "lists": [
      "mediaUrls"
    ]
  },
  "decide_approval": {
    "resource": "approval",
    "required": [
      "approvalId",
      "decision"
    ],
    "times": [],
    "lists": []
  },
  "reply_to_message": {
    "resource": "message",
    "required": [
      "conversationId",
      "text"
    ],
    "times": [],
    "lists": [
      "attachmentUrls"
    ]
  },
  "schedule_post": {
    "resource": "post",
    "required": [
      "accountId",
      "text",
      "scheduledFor"
    ],
    "times": [
      "scheduledFor"
    ],
    "lists": [
      "mediaUrls"
    ]
  }
};

export const actionFields: INodeProperties[] = [
  {
    "displayName": "Conversation Name or ID",
    "name": "conversationId",
    "type": "options",
    "default": "",
    "description": "The conversation to assign. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getConversations"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "conversation"
        ],
        "operation": [
          "assign_conversation"
        ]
      }
    }
  },
  {
    "displayName": "Assignee Name or ID",
    "name": "assigneeId",
    "type": "options",
    "default": "",
    "description": "The user or team to assign it to. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getAssignees"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "conversation"
        ],
        "operation": [
          "assign_conversation"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "conversation"
        ],
        "operation": [
          "assign_conversation"
        ]
      }
    },
    "options": [
      {
        "displayName": "Note",
        "name": "note",
        "type": "string",
        "default": "",
        "description": "A note to the new assignee",
        "typeOptions": {
          "rows": 4
        }
      }
    ]
  },
  {
    "displayName": "Name",
    "name": "name",
    "type": "string",
    "default": "",
    "description": "The campaign's name",
    "required": true,
    "displayOptions": {
      "show": {
        "resource": [
          "campaign"
        ],
        "operation": [
          "create_campaign"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "campaign"
        ],
        "operation": [
          "create_campaign"
        ]
      }
    },
    "options": [
      {
        "displayName": "Brief",
        "name": "brief",
        "type": "string",
        "default": "",
        "description": "The goal of the campaign",
        "typeOptions": {
          "rows": 4
        }
      },
      {
        "displayName": "Ends At",
        "name": "endsAt",
        "type": "dateTime",
        "default": "",
        "description": "When it ends, in the workflow's timezone unless it has an offset"
      },
      {
        "displayName": "Networks",
        "name": "networks",
        "type": "string",
        "default": [],
        "description": "The social networks that it runs on, in lowercase",
        "typeOptions": {
          "multipleValues": true
        }
      },
      {
        "displayName": "Starts At",
        "name": "startsAt",
        "type": "dateTime",
        "default": "",
        "description": "When it starts, in the workflow's timezone unless it has an offset"
      }
    ]
  },
  {
    "displayName": "Account Name or ID",
    "name": "accountId",
    "type": "options",
    "default": "",
    "description": "The connected account to post with. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getAccounts"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "create_post"
        ]
      }
    }
  },
  {
    "displayName": "Text",
    "name": "text",
    "type": "string",
    "default": "",
    "description": "The text of the post",
    "required": true,
    "typeOptions": {
      "rows": 4
    },
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "create_post"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "create_post"
        ]
      }
    },
    "options": [
      {
        "displayName": "Campaign Name or ID",
        "name": "campaignId",
        "type": "options",
        "default": "",
        "description": "The campaign that the post belongs to, if any. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getCampaigns"
        }
      },
      {
        "displayName": "Media URLs",
        "name": "mediaUrls",
        "type": "string",
        "default": [],
        "description": "Images and videos, as URLs that the platform can fetch",
        "typeOptions": {
          "multipleValues": true
        }
      },
      {
        "displayName": "Require Approval",
        "name": "requireApproval",
        "type": "boolean",
        "default": false,
        "description": "Whether the post needs approval first"
      }
    ]
  },
  {
    "displayName": "Approval Name or ID",
    "name": "approvalId",
    "type": "options",
    "default": "",
    "description": "The approval to decide. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getApprovals"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "approval"
        ],
        "operation": [
          "decide_approval"
        ]
      }
    }
  },
  {
    "displayName": "Decision",
    "name": "decision",
    "type": "options",
    "default": "approved",
    "description": "Approve or reject",
    "required": true,
    "options": [
      {
        "name": "Approved",
        "value": "approved"
      },
      {
        "name": "Rejected",
        "value": "rejected"
      }
    ],
    "displayOptions": {
      "show": {
        "resource": [
          "approval"
        ],
        "operation": [
          "decide_approval"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "approval"
        ],
        "operation": [
          "decide_approval"
        ]
      }
    },
    "options": [
      {
        "displayName": "Comment",
        "name": "comment",
        "type": "string",
        "default": "",
        "description": "The reason, for the author",
        "typeOptions": {
          "rows": 4
        }
      }
    ]
  },
  {
    "displayName": "Conversation Name or ID",
    "name": "conversationId",
    "type": "options",
    "default": "",
    "description": "The conversation to reply in. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getConversations"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "message"
        ],
        "operation": [
          "reply_to_message"
        ]
      }
    }
  },
  {
    "displayName": "Text",
    "name": "text",
    "type": "string",
    "default": "",
    "description": "The text of the reply",
    "required": true,
    "typeOptions": {
      "rows": 4
    },
    "displayOptions": {
      "show": {
        "resource": [
          "message"
        ],
        "operation": [
          "reply_to_message"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "message"
        ],
        "operation": [
          "reply_to_message"
        ]
      }
    },
    "options": [
      {
        "displayName": "Attachment URLs",
        "name": "attachmentUrls",
        "type": "string",
        "default": [],
        "description": "Files to attach, as URLs that the platform can fetch",
        "typeOptions": {
          "multipleValues": true
        }
      }
    ]
  },
  {
    "displayName": "Account Name or ID",
    "name": "accountId",
    "type": "options",
    "default": "",
    "description": "The connected account to post with. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": true,
    "typeOptions": {
      "loadOptionsMethod": "getAccounts"
    },
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "schedule_post"
        ]
      }
    }
  },
  {
    "displayName": "Text",
    "name": "text",
    "type": "string",
    "default": "",
    "description": "The text of the post",
    "required": true,
    "typeOptions": {
      "rows": 4
    },
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "schedule_post"
        ]
      }
    }
  },
  {
    "displayName": "Scheduled For",
    "name": "scheduledFor",
    "type": "dateTime",
    "default": "",
    "description": "When to publish the post, in the workflow's timezone unless it has an offset",
    "required": true,
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "schedule_post"
        ]
      }
    }
  },
  {
    "displayName": "Additional Fields",
    "name": "additionalFields",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
    "displayOptions": {
      "show": {
        "resource": [
          "post"
        ],
        "operation": [
          "schedule_post"
        ]
      }
    },
    "options": [
      {
        "displayName": "Campaign Name or ID",
        "name": "campaignId",
        "type": "options",
        "default": "",
        "description": "The campaign that the post belongs to, if any. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
        "typeOptions": {
          "loadOptionsMethod": "getCampaigns"
        }
      },
      {
        "displayName": "Media URLs",
        "name": "mediaUrls",
        "type": "string",
        "default": [],
        "description": "Images and videos, as URLs that the platform can fetch",
        "typeOptions": {
          "multipleValues": true
        }
      }
    ]
  }
];

/** The list that Get Many reads, by resource. */
export const lists: Record<string, string> = {
  "account": "accounts",
  "approval": "approvals",
  "assignee": "assignees",
  "campaign": "campaigns",
  "conversation": "conversations",
  "post": "posts"
};

export const listFields: INodeProperties[] = [
  {
    "displayName": "Return All",
    "name": "returnAll",
    "type": "boolean",
    "default": false,
    "displayOptions": {
      "show": {
        "operation": [
          "getMany"
        ]
      }
    },
    "description": "Whether to return all results or only up to a given limit"
  },
  {
    "displayName": "Limit",
    "name": "limit",
    "type": "number",
    "typeOptions": {
      "minValue": 1
    },
    "default": 50,
    "displayOptions": {
      "show": {
        "operation": [
          "getMany"
        ],
        "returnAll": [
          false
        ]
      }
    },
    "description": "Max number of results to return"
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "displayOptions": {
      "show": {
        "operation": [
          "getMany"
        ],
        "resource": [
          "account",
          "approval",
          "assignee",
          "campaign",
          "conversation",
          "post"
        ]
      }
    },
    "options": [
      {
        "displayName": "Search",
        "name": "search",
        "type": "string",
        "default": "",
        "description": "Text that the label contains, or that the ID starts with"
      }
    ]
  },
  {
    "displayName": "Filters",
    "name": "filters",
    "type": "collection",
    "placeholder": "Add Filter",
    "default": {},
    "displayOptions": {
      "show": {
        "operation": [
          "getMany"
        ],
        "resource": [
          "run"
        ]
      }
    },
    "options": [
      {
        "displayName": "Status",
        "name": "status",
        "type": "options",
        "default": "FAILED",
        "description": "The status of the run",
        "options": [
          {
            "name": "Failed",
            "value": "FAILED"
          },
          {
            "name": "Pending",
            "value": "PENDING"
          },
          {
            "name": "Succeeded",
            "value": "SUCCEEDED"
          }
        ]
      }
    ]
  }
];

/** Lists for dropdowns, by the name of their method. */
export const loadOptions = {
	getAccounts(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'accounts');
	},
	getApprovals(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'approvals');
	},
	getAssignees(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'assignees');
	},
	getCampaigns(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'campaigns');
	},
	getConversations(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'conversations');
	},
	getPosts(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return choices(this, 'posts');
	},
};
