import { RequireScope } from "@components/RequireScope";
import { TimeAgo } from "@components/TimeAgo";
import { Button } from "@mantine/core";
import type { WebhookDetail } from "@sdk/generated/models";
import { webhooks } from "@strings/webhooks";
import { Notice } from "./Notice";
import classes from "./parts.module.css";
import { useSetStatus } from "./queries";

const t = webhooks.state;
/** At this share of `disableAfter`, Patchbay also warns with a WEBHOOK_FAILING event. */
const WARN_AT = 0.5;

interface Props {
  webhook: WebhookDetail;
  onTest: () => void;
  /** Offers to send what the webhook missed, once it is active again. */
  onActivated: (() => void) | undefined;
}

/** Explains an unusual state of a webhook: why, since when, and what to do. */
export function StateBanner(props: Props) {
  const { webhook } = props;
  return (
    <section className={classes.banner} aria-label={t.label}>
      {webhook.status === "DISABLED" && <Disabled {...props} />}
      {webhook.status === "PAUSED" && <Off webhook={webhook} tone="info" title={t.paused} text={t.pausedText} />}
      {webhook.status === "INACTIVE" && <Off {...props} tone="neutral" title={t.inactive} text={t.inactiveText} />}
      {webhook.status === "ACTIVE" && <Active webhook={webhook} />}
      {webhook.expiresAt !== null && (
        <Notice tone="info" title={t.expires}>
          <p>
            {t.expiresText} <TimeAgo at={webhook.expiresAt} />.
          </p>
        </Notice>
      )}
    </section>
  );
}

function Disabled({ webhook, onTest, onActivated }: Props) {
  const { statusReason, stats, disabledAt, consecutiveFailures, disableAfter } = webhook;
  const reason = statusReason === null ? undefined : t.reasons[statusReason];
  return (
    <Notice
      tone="danger"
      title={t.disabled}
      actions={
        <RequireScope scope="webhooks:write">
          {webhook.kind === "push" && (
            <Button size="xs" variant="default" onClick={onTest}>
              {webhooks.detail.test}
            </Button>
          )}
          <Activate webhook={webhook} label={webhooks.detail.activate} onDone={onActivated} />
        </RequireScope>
      }
    >
      <p>
        {t.disabledAt} <TimeAgo at={disabledAt} />:{" "}
        {reason ? reason(consecutiveFailures || disableAfter) : statusReason} {t.missed}
      </p>
      {stats?.lastError && <p>{t.lastError(stats.lastError.detail)}</p>}
      <ol>
        {t.disabledNext.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
    </Notice>
  );
}

interface OffProps {
  webhook: WebhookDetail;
  tone: "info" | "neutral";
  title: string;
  text: string;
  onActivated?: (() => void) | undefined;
}

function Off({ webhook, tone, title, text, onActivated }: OffProps) {
  const { status, statusReason, receiver } = webhook;
  const label = status === "PAUSED" ? webhooks.detail.resume : webhooks.detail.activate;
  return (
    <Notice
      tone={tone}
      title={title}
      actions={
        <RequireScope scope="webhooks:write">
          <Activate webhook={webhook} label={label} onDone={onActivated} />
        </RequireScope>
      }
    >
      <p>
        {webhook.kind === "push" ? text : webhooks.detail.deactivateFeedText}{" "}
        {status === "PAUSED" && receiver !== null && receiver.held > 0 && t.held(receiver.held)}
      </p>
      {statusReason !== null && <p>{t.reason(statusReason)}</p>}
    </Notice>
  );
}

function Active({ webhook }: { webhook: WebhookDetail }) {
  const { receiver, consecutiveFailures, disableAfter } = webhook;
  const failures = consecutiveFailures ?? 0;
  if (receiver?.breaker === "OPEN") {
    return (
      <Notice
        tone="danger"
        title={t.open}
        actions={
          <RequireScope scope="webhooks:write">
            <Activate webhook={webhook} label={t.tryNow} />
          </RequireScope>
        }
      >
        <p>
          {t.openText} {receiver.held > 0 && t.held(receiver.held)}
        </p>
        <p>
          {t.began} <TimeAgo at={receiver.openedAt} />
          {receiver.nextProbeAt !== null && (
            <>
              {". "}
              {t.nextTry}: <TimeAgo at={receiver.nextProbeAt} />
            </>
          )}
        </p>
      </Notice>
    );
  }
  if (failures >= disableAfter * WARN_AT && webhook.kind === "push") {
    return (
      <Notice tone="warning" title={t.failing(failures)}>
        <p>{t.failingText(disableAfter)}</p>
        {webhook.stats?.lastError && <p>{t.lastError(webhook.stats.lastError.detail)}</p>}
      </Notice>
    );
  }
  if (receiver?.backlogSince) {
    return (
      <Notice tone="warning" title={t.backlog}>
        <p>
          {t.backlogText} {receiver.held > 0 && t.held(receiver.held)}
        </p>
        <p>
          {t.began} <TimeAgo at={receiver.backlogSince} />
        </p>
      </Notice>
    );
  }
  if (receiver?.lane === "SLOW" && receiver.laneReason === "slow") {
    return (
      <Notice tone="info" title={t.slow}>
        <p>{t.slowText}</p>
      </Notice>
    );
  }
  return null;
}

interface ActivateProps {
  webhook: WebhookDetail;
  label: string;
  onDone?: (() => void) | undefined;
}

/** Sets the status to ACTIVE, which also closes the circuit breaker. */
function Activate({ webhook, label, onDone }: ActivateProps) {
  const setStatus = useSetStatus(webhook.id, onDone);
  return (
    <Button size="xs" loading={setStatus.isPending} onClick={() => setStatus.mutate({ status: "ACTIVE" })}>
      {label}
    </Button>
  );
}
