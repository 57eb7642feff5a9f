import { flows as t } from "@strings/flows";
import type { Draft } from "./definition";

/** A flow to start with. What only the workspace knows (a webhook, a person) is empty, and the editor asks for it. */
export interface Template {
  key: keyof typeof t.templates;
  text: string;
  draft: Draft;
}

const texts = t.templates;

function template(key: Template["key"], { trigger, steps }: Pick<Draft, "trigger" | "steps">): Template {
  const { name, text } = texts[key];
  return { key, text, draft: { name, description: text, trigger, steps } };
}

export const TEMPLATES: readonly Template[] = [
  template("answer", {
    trigger: {
      type: "event",
      eventTypes: ["MESSAGE_RECEIVED"],
      filters: [{ path: "kind", op: "equals", value: "direct_message" }],
    },
    steps: [
      {
        id: "reply",
        name: texts.answer.replyStep,
        type: "action",
        action: "reply_to_message",
        input: { conversationId: "{{event.data.conversationId}}", text: texts.answer.reply },
      },
      {
        id: "assign",
        name: texts.answer.assignStep,
        type: "action",
        action: "assign_conversation",
        input: { conversationId: "{{event.data.conversationId}}", note: texts.answer.note },
      },
    ],
  }),
  template("complaints", {
    trigger: { type: "event", eventTypes: ["MENTION_RECEIVED"], filters: [] },
    steps: [
      {
        id: "is_negative",
        name: texts.complaints.filterStep,
        type: "filter",
        filters: [{ path: "event.data.sentiment", op: "equals", value: "negative" }],
      },
      {
        id: "tell_team",
        name: texts.complaints.sendStep,
        type: "webhook",
        webhookId: "",
        data: {
          summary: texts.complaints.summary,
          followers: "{{event.data.authorFollowers}}",
          url: "{{event.data.url}}",
        },
      },
    ],
  }),
  template("failures", {
    trigger: { type: "event", eventTypes: ["POST_FAILED"], filters: [] },
    steps: [
      {
        id: "is_final",
        name: texts.failures.filterStep,
        type: "filter",
        filters: [{ path: "event.data.willRetry", op: "equals", value: false }],
      },
      {
        id: "report",
        name: texts.failures.sendStep,
        type: "webhook",
        webhookId: "",
        data: { summary: texts.failures.summary, postId: "{{event.data.postId}}", code: "{{event.data.errorCode}}" },
      },
    ],
  }),
  template("approvals", {
    trigger: { type: "event", eventTypes: ["APPROVAL_REQUESTED"], filters: [] },
    steps: [
      {
        id: "ask",
        name: texts.approvals.sendStep,
        type: "webhook",
        webhookId: "",
        data: { summary: texts.approvals.summary, dueAt: "{{event.data.dueAt}}" },
      },
      { id: "wait", name: texts.approvals.waitStep, type: "wait", seconds: 86_400 },
      {
        id: "remind",
        name: texts.approvals.remindStep,
        type: "webhook",
        webhookId: "",
        data: { summary: texts.approvals.summary, dueAt: "{{event.data.dueAt}}" },
      },
    ],
  }),
  template("campaign", {
    trigger: { type: "event", eventTypes: ["CAMPAIGN_COMPLETED"], filters: [] },
    steps: [
      {
        id: "post",
        name: texts.campaign.postStep,
        type: "action",
        action: "create_post",
        input: { text: texts.campaign.post, campaignId: "{{event.data.campaignId}}", requireApproval: true },
      },
    ],
  }),
  template("published", {
    trigger: { type: "event", eventTypes: ["POST_PUBLISHED"], filters: [] },
    steps: [
      {
        id: "is_instagram",
        name: texts.published.branchStep,
        type: "branch",
        condition: [{ path: "event.data.network", op: "equals", value: "instagram" }],
        then: [
          {
            id: "announce",
            name: texts.published.sendStep,
            type: "webhook",
            webhookId: "",
            data: { summary: texts.published.summary, text: "{{event.data.text}}" },
          },
        ],
        else: [],
      },
    ],
  }),
];

export const EMPTY: Draft = {
  name: "",
  description: "",
  trigger: { type: "event", eventTypes: [], filters: [] },
  steps: [],
};
