import { CodeBlock } from "@components/CodeBlock";
import { StatusBadge } from "@components/StatusBadge";
import { exactTime } from "@components/TimeAgo";
import { Text } from "@mantine/core";
import type { Attempt } from "@sdk/generated/models";
import { statuses } from "@strings/statuses";
import { webhooks } from "@strings/webhooks";
import classes from "./parts.module.css";
import { isSuccess } from "./queries";

const t = webhooks.delivery;

/** An attempt: the response, and the request. */
export function AttemptPanel({ attempt, title, isOpen }: { attempt: Attempt; title: string; isOpen: boolean }) {
  const { statusCode, error, responseBody } = attempt;
  return (
    <details className={classes.attempt} open={isOpen}>
      <summary>
        <strong>{title}</strong>
        <StatusBadge tone={isSuccess(statusCode) ? "success" : "danger"}>{t.status(statusCode)}</StatusBadge>
        <span className={classes.spread}>
          {webhooks.detail.milliseconds(attempt.durationMs)} · {exactTime(attempt.startedAt)}
        </span>
      </summary>
      <div className={classes.attemptBody}>
        <Text size="sm" c="dimmed">
          {statuses.trigger[attempt.trigger]}
        </Text>
        {error && <Text size="sm">{error.detail}</Text>}
        {attempt.withheld && <Text size="sm">{attempt.withheld}</Text>}
        {statusCode !== null && !attempt.withheld && (
          <div>
            <p className={classes.label}>{t.response}</p>
            {responseBody ? (
              <CodeBlock label={t.response} value={responseBody} />
            ) : (
              <Text size="sm" c="dimmed">
                {t.noBody}
              </Text>
            )}
            {attempt.truncated && (
              <Text size="xs" c="dimmed">
                {t.truncated}
              </Text>
            )}
          </div>
        )}
        <Headers label={t.responseHeaders} headers={attempt.responseHeaders} />
        <Headers label={t.requestHeaders} headers={attempt.requestHeaders} />
      </div>
    </details>
  );
}

function Headers({ label, headers }: { label: string; headers: Record<string, string> }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  if (lines.length === 0) return null;
  return (
    <div>
      <p className={classes.label}>{label}</p>
      <CodeBlock label={label} value={lines.join("\n")} />
    </div>
  );
}
