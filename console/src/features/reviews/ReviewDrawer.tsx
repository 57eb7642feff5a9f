import { useCan, useSession } from "@api/session";
import { CopyableId } from "@components/CopyButton";
import { ErrorPanel } from "@components/ErrorPanel";
import { Log } from "@components/Log";
import { Facts } from "@components/Panel";
import { Section } from "@components/Section";
import { PageSkeleton } from "@components/Skeletons";
import { TimeAgo } from "@components/TimeAgo";
import { Drawer, Group, Text } from "@mantine/core";
import type { PublicationDetail } from "@sdk/generated/models";
import { common } from "@strings/common";
import { reviews as t } from "@strings/reviews";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Comparison } from "./Comparison";
import { Decide } from "./Decide";
import { nameOf } from "./publication";
import { publicationDetail } from "./queries";
import { ReviewBadge } from "./ReviewBadge";
import { Withdraw } from "./Withdraw";

interface Props {
  opened: { workspaceId: string; id: string } | null;
  onClose: () => void;
}

/** Shows a publication: the submitted and the listed version, the decision, and earlier decisions. */
export function ReviewDrawer({ opened, onClose }: Props) {
  const query = useQuery({
    ...publicationDetail(opened?.workspaceId ?? "", opened?.id ?? ""),
    enabled: opened !== null,
  });
  const detail = opened === null ? undefined : query.data;
  return (
    <Drawer opened={opened !== null} onClose={onClose} size={760} title={detail ? nameOf(detail) : t.detail.title}>
      {detail ? (
        <Content key={detail.id} publication={detail} />
      ) : query.error ? (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <PageSkeleton />
      )}
    </Drawer>
  );
}

function Content({ publication }: { publication: PublicationDetail }) {
  const { readOnly } = useSession();
  const { reviewStatus: status, listed, submitted, withdrawn, copyCount } = publication;
  const isPending = status === "PENDING";
  const canBeWithdrawn = !withdrawn && (listed !== null || copyCount > 0);
  return (
    <>
      <Group gap="xs">
        <ReviewBadge status={status} />
        <Text c="dimmed" size="sm">
          {stateOf(publication)}
        </Text>
      </Group>
      {(listed ?? submitted) !== null && (
        <Section title={isPending ? t.detail.compare : t.detail.compareListed}>
          {isPending && (
            <Text size="sm" c="dimmed" mb="sm">
              {t.detail.check}
            </Text>
          )}
          <Comparison publication={publication} />
        </Section>
      )}
      {isPending && !readOnly && (
        <Section title={t.decide.title}>
          <Decide publication={publication} />
        </Section>
      )}
      {canBeWithdrawn && !readOnly && (
        <Section title={t.withdraw.heading}>
          <Withdraw publication={publication} />
        </Section>
      )}
      {readOnly && (
        <Text mt="md" c="dimmed">
          {t.decide.readOnly}
        </Text>
      )}
      <Section>
        <Facts facts={facts(publication)} />
      </Section>
      <Section title={t.detail.history}>
        <History publication={publication} />
      </Section>
    </>
  );
}

function History({ publication: { decisions, workspaceId, id } }: { publication: PublicationDetail }) {
  const seesAudit = useCan("audit:read");
  return (
    <>
      {decisions.length === 0 ? (
        <Text c="dimmed" size="sm">
          {t.detail.noHistory}
        </Text>
      ) : (
        <Log
          entries={decisions.map(({ id, action, actor, detail, createdAt }) => ({
            id,
            what: t.detail.decisions[action] ?? action,
            detail: [t.detail.who(actor), detail].filter(Boolean).join(" · "),
            at: createdAt,
          }))}
        />
      )}
      {seesAudit && (
        <Link to="/audit" search={{ target: `${workspaceId}/${id}`, period: "all" }}>
          {t.detail.audit}
        </Link>
      )}
    </>
  );
}

function stateOf({ reviewStatus: status, withdrawn, listed }: PublicationDetail): string {
  const words = t.detail.states;
  if (status === "PENDING") return words.PENDING(listed !== null);
  if (withdrawn) return words.withdrawn;
  if (status === null) return words.unpublished;
  return status === "APPROVED" ? words.APPROVED : words.REJECTED(listed !== null);
}

function facts(publication: PublicationDetail) {
  const { workspaceId, publisherName, verified, waitingSince, listedAt, copyCount, reviewReason, id } = publication;
  const names = t.detail.facts;
  return [
    [names.workspace, <CopyableId key="workspace" id={workspaceId} what={names.workspace} />],
    [
      names.publisher,
      publisherName === null
        ? t.detail.nothing
        : verified
          ? `${publisherName} (${common.verifiedPublisher})`
          : publisherName,
    ],
    ...(waitingSince ? [[names.waiting, <TimeAgo key="waiting" at={waitingSince} />] as const] : []),
    ...(listedAt ? [[names.approved, <TimeAgo key="approved" at={listedAt} />] as const] : []),
    [names.copies, t.detail.copies(copyCount)],
    ...(reviewReason ? [[names.reason, reviewReason] as const] : []),
    [names.id, <CopyableId key="id" id={id} what={names.id} />],
  ] as const satisfies readonly (readonly [string, ReactNode])[];
}
