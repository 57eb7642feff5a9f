// Made of the catalogue by `make derived`; not to be edited.
import type { ILoadOptionsFunctions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import { choices } from './api';

export const events: INodePropertyOptions[] = [
  {
    "name": "API Key Expiring",
    "value": "API_KEY_EXPIRING",
    "description": "Triggers when an API key is to expire, 7 days and 1 day before"
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
    "description": "Triggers when somebody asks for a post to be approved"
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
    "name": "Connection Expired",
    "value": "CONNECTION_EXPIRED",
    "description": "Triggers when a connected account has to be connected again"
  },
  {
    "name": "Conversation Assigned",
    "value": "CONVERSATION_ASSIGNED",
    "description": "Triggers when a conversation is assigned to a member or a team"
  },
  {
    "name": "Mention Received",
    "value": "MENTION_RECEIVED",
    "description": "Triggers when somebody mentions one of the workspace's accounts or keywords"
  },
  {
    "name": "Message Received",
    "value": "MESSAGE_RECEIVED",
    "description": "Triggers when a direct message or a comment comes in"
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
    "description": "Triggers when a post is scheduled, or scheduled for another time"
  },
  {
    "name": "Webhook Disabled",
    "value": "WEBHOOK_DISABLED",
    "description": "Triggers when a webhook is disabled because its receiver is gone or keeps failing"
  }
];

export const filterPaths: Record<string, string[]> = {
  "CONVERSATION_ASSIGNED": [
    "accountId",
    "assigneeId"
  ],
  "MENTION_RECEIVED": [
    "accountId"
  ],
  "MESSAGE_RECEIVED": [
    "accountId"
  ],
  "POST_FAILED": [
    "accountId",
    "campaignId"
  ],
  "POST_PUBLISHED": [
    "accountId",
    "campaignId"
  ],
  "POST_SCHEDULED": [
    "accountId",
    "campaignId"
  ]
};

export const filterFields: INodeProperties[] = [
  {
    "displayName": "Account Name or ID",
    "name": "accountId",
    "type": "options",
    "default": "",
    "description": "Only what has this; leave it empty for all. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "typeOptions": {
      "loadOptionsMethod": "getAccounts"
    },
    "required": false,
    "displayOptions": {
      "show": {
        "event": [
          "CONVERSATION_ASSIGNED",
          "MENTION_RECEIVED",
          "MESSAGE_RECEIVED",
          "POST_FAILED",
          "POST_PUBLISHED",
          "POST_SCHEDULED"
        ]
      }
    }
  },
  {
    "displayName": "Assignee Name or ID",
    "name": "assigneeId",
    "type": "options",
    "default": "",
    "description": "Only what has this; leave it empty for all. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "required": false,
    "typeOptions": {
      "loadOptionsMethod": "getAssignees"
    },
    "displayOptions": {
      "show": {
        "event": [
          "CONVERSATION_ASSIGNED"
        ]
      }
    }
  },
  {
    "displayName": "Campaign Name or ID",
    "name": "campaignId",
    "type": "options",
    "default": "",
    "description": "Only what has this; leave it empty for all. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
    "typeOptions": {
      "loadOptionsMethod": "getCampaigns"
    },
    "required": false,
    "displayOptions": {
      "show": {
        "event": [
          "POST_FAILED",
          "POST_PUBLISHED",
          "POST_SCHEDULED"
        ]
      }
    }
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
        "name": "Approval",
        "value": "approval"
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
        "description": "Approves or rejects a post that waits for approval",
        "action": "Decide an approval"
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
        "description": "Sends an answer into a conversation",
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
        "description": "Creates a post and publishes it at once, or hands it in for approval",
        "action": "Create a post"
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
        "description": "Reads how an action stands, and what came of it",
        "action": "Get a run"
      }
    ]
  }
];

export const operations: Record<string, string[]> = {
  "assign_conversation": [
    "conversationId",
    "assigneeId"
  ],
  "create_campaign": [
    "name"
  ],
  "create_post": [
    "accountId",
    "text"
  ],
  "decide_approval": [
    "approvalId",
    "decision"
  ],
  "reply_to_message": [
    "conversationId",
    "text"
  ],
  "schedule_post": [
    "accountId",
    "text",
    "scheduledFor"
  ]
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
    "description": "The user or team that is to have it. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
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
        "description": "A word to the new assignee",
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
        "description": "What it is to achieve",
        "typeOptions": {
          "rows": 4
        }
      },
      {
        "displayName": "Ends At",
        "name": "endsAt",
        "type": "dateTime",
        "default": "",
        "description": "When it ends"
      },
      {
        "displayName": "Networks",
        "name": "networks",
        "type": "string",
        "default": [],
        "description": "Where it runs, in lower case",
        "typeOptions": {
          "multipleValues": true
        }
      },
      {
        "displayName": "Starts At",
        "name": "startsAt",
        "type": "dateTime",
        "default": "",
        "description": "When it starts"
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
    "description": "What the post says",
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
        "description": "Pictures and videos, as addresses that the platform can fetch",
        "typeOptions": {
          "multipleValues": true
        }
      },
      {
        "displayName": "Require Approval",
        "name": "requireApproval",
        "type": "boolean",
        "default": false,
        "description": "Whether somebody has to approve it first"
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
        "description": "Why, for the author",
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
    "description": "The conversation to answer in. Choose from the list, or specify an ID using an <a href=\"https://docs.n8n.io/code/expressions/\">expression</a>.",
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
    "description": "What the answer says",
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
        "description": "Files to send along, as addresses that the platform can fetch",
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
    "description": "What the post says",
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
    "description": "When it is to be published",
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
        "description": "Pictures and videos, as addresses that the platform can fetch",
        "typeOptions": {
          "multipleValues": true
        }
      }
    ]
  }
];

/** Lists to choose from, by the name of their method. */
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
