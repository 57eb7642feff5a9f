import { useCan } from "@api/session";
import { Panel } from "@components/Panel";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Button } from "@mantine/core";
import type { Event } from "@sdk/generated/models";
import { events as t } from "@strings/events";
import { IconBolt, IconWebhook } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { type Branch, branchesOf, SHOWN, summaryOf } from "./branches";
import classes from "./way.module.css";

/** The height of a branch, and the width of the part with the lines. Keep them in sync with way.module.css. */
const ROW = 76;
const FAN = 72;
const MOST_DOTS = 12;

/** Draws the path of an event to each webhook, and the result there. For screen readers, it is a list. */
export function Way({ event, isNew }: { event: Event; isNew: boolean }) {
  const branches = useMemo(() => branchesOf(event), [event]);
  const [isAll, setAll] = useState(false);
  const shown = isAll ? branches : branches.slice(0, SHOWN);
  if (branches.length === 0) {
    return (
      <Panel title={t.detail.way}>
        <p className={classes.none} role="status">
          {isNew ? t.way.noneYet : t.way.none}
        </p>
      </Panel>
    );
  }
  return (
    <Panel
      title={t.detail.way}
      actions={
        <span className={classes.summary} role="status">
          {summaryOf(event)}
        </span>
      }
    >
      <div className={classes.way}>
        <div className={classes.start} data-many={shown.length > 6}>
          <div className={classes.event}>
            <IconBolt size={16} aria-hidden />
            <span className={classes.name}>{event.type || t.noType}</span>
          </div>
        </div>
        <Fan branches={shown} />
        <ul className={classes.branches} aria-label={t.way.label}>
          {shown.map((branch) => (
            <Row key={branch.key} branch={branch} />
          ))}
        </ul>
      </div>
      {shown.length < branches.length && (
        <Button variant="subtle" size="compact-sm" mt="sm" onClick={() => setAll(true)}>
          {t.way.all(branches.length)}
        </Button>
      )}
      {event.unmatchedTruncated && <p className={classes.more}>{t.way.more}</p>}
    </Panel>
  );
}

/** The lines from the event to its webhooks, dashed for those that did not get it. */
function Fan({ branches }: { branches: readonly Branch[] }) {
  const height = branches.length * ROW;
  const from = branches.length > 6 ? ROW / 2 : height / 2;
  return (
    <svg className={classes.fan} width={FAN} height={height} aria-hidden>
      {branches.map(({ key, tone, isSent }, at) => {
        const to = at * ROW + ROW / 2;
        return (
          <path
            key={key}
            className={classes.line}
            data-tone={tone}
            data-sent={isSent}
            d={`M0 ${from} C ${FAN / 2} ${from}, ${FAN / 2} ${to}, ${FAN} ${to}`}
          />
        );
      })}
    </svg>
  );
}

function Row({ branch }: { branch: Branch }) {
  const { webhookId, name, tone, outcome, detail, attempts, nextAttemptAt, deliveryId, isSent } = branch;
  const canOpen = useCan("webhooks:read");
  return (
    <li className={classes.branch} data-tone={tone} data-sent={isSent}>
      <div className={classes.webhook}>
        <IconWebhook size={16} aria-hidden />
        {canOpen ? (
          <Link
            to="/webhooks/$webhookId"
            params={{ webhookId }}
            className={classes.name}
            aria-label={t.way.openWebhook(name)}
            title={name}
          >
            {name}
          </Link>
        ) : (
          <span className={classes.name} title={webhookId}>
            {name}
          </span>
        )}
      </div>
      <span className={classes.arrow} aria-hidden />
      <div className={classes.outcome}>
        <div className={classes.status}>
          <StatusBadge tone={tone}>{outcome}</StatusBadge>
          {attempts && <Attempts {...attempts} tone={tone} />}
          {canOpen && deliveryId !== null && (
            <Link
              to="/webhooks/$webhookId"
              params={{ webhookId }}
              search={{ delivery: deliveryId }}
              className={classes.open}
              aria-label={t.way.openDelivery(name)}
            >
              {t.way.details}
            </Link>
          )}
        </div>
        {(detail || nextAttemptAt) && (
          <p className={classes.detail} title={detail ?? undefined}>
            {detail}
            {nextAttemptAt && (
              <>
                {detail && " · "}
                {t.way.next} <TimeAgo at={nextAttemptAt} />
              </>
            )}
          </p>
        )}
      </div>
    </li>
  );
}

/** A filled dot for each attempt, and an empty dot for each remaining one, with the same as text next to them. */
function Attempts({ made, most, tone }: { made: number; most: number | null; tone: string }) {
  if (made === 0) return <span className={classes.attempts}>{t.way.noAttempt}</span>;
  const total = Math.max(made, most ?? 0);
  const isDelivered = tone === "success";
  return (
    <span className={classes.attempts}>
      {total <= MOST_DOTS && total > 1 && (
        <span className={classes.dots} aria-hidden>
          {Array.from({ length: total }, (_, at) => {
            const state = at >= made ? "left" : at === made - 1 && isDelivered ? "good" : "bad";
            return <span key={at} data-state={state} />;
          })}
        </span>
      )}
      {t.way.attempts(made, most)}
    </span>
  );
}
