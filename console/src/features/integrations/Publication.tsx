import { useCan, useSession } from "@api/session";
import { Confirm } from "@components/Confirm";
import { ErrorPanel } from "@components/ErrorPanel";
import { Facts, Panel } from "@components/Panel";
import { StatusBadge } from "@components/StatusBadge";
import { reviewStatus } from "@components/statuses";
import { Button, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { Integration } from "@sdk/generated/models";
import { integrations as t } from "@strings/integrations";
import { isPlan, isServed } from "./kinds";
import { useUpdateIntegration } from "./queries";

/** Shows whether other workspaces can install the integration, and the platform's decision. */
export function Publication({ integration }: { integration: Integration }) {
  const { workspaceId } = useSession();
  const mayPublish = useCan("integrations:publish", "integrations:write");
  const [isAsking, confirm] = useDisclosure(false);
  const { name, isPublic, reviewReason, withdrawn, version, status, provider } = integration;
  const update = useUpdateIntegration(integration, (updated) =>
    !updated.isPublic
      ? t.publication.unpublished
      : updated.reviewStatus === "APPROVED"
        ? t.publication.approved
        : t.publication.published,
  );
  // An integration can be published only if Patchbay knows its provider and it has its own client.
  const isCandidate =
    !isPlan(integration) &&
    provider !== null &&
    !isServed(integration, workspaceId) &&
    integration.config.authorizationUrl === undefined;
  if (!isPublic && !withdrawn && (!isCandidate || !mayPublish)) return null;
  const texts = t.publication;
  // Patchbay writes this reason when an integration is unpublished. The platform writes all other reasons.
  const [, copies] = /^unpublished: (.*)$/.exec(reviewReason ?? "") ?? [];
  return (
    <Panel title={texts.title} actions={<Badge integration={integration} />}>
      <Stack gap="sm">
        {withdrawn && <Text>{texts.withdrawn.text}</Text>}
        <Text c="dimmed">{nextStep(integration)}</Text>
        {copies !== undefined && <Text size="sm">{texts.copies(copies)}</Text>}
        {reviewReason && copies === undefined && <Facts facts={[[texts.reason, reviewReason]]} />}
        {isPublic && (
          <Text size="xs" c="dimmed">
            {texts.version(version)}
          </Text>
        )}
        {Boolean(update.error) && <ErrorPanel error={update.error} />}
        {mayPublish &&
          (status === "PENDING_SETUP" && !isPublic ? (
            <Text size="sm">{texts.setUpFirst}</Text>
          ) : (
            <div>
              <Button variant="default" loading={update.isPending} onClick={confirm.open}>
                {isPublic ? texts.unpublish : texts.publish}
              </Button>
            </div>
          ))}
      </Stack>
      <Confirm
        opened={isAsking}
        title={isPublic ? texts.unpublishTitle(name) : texts.publishTitle(name)}
        action={isPublic ? texts.unpublish : texts.publish}
        danger={isPublic}
        isRunning={update.isPending}
        onConfirm={() => {
          update.mutate({ isPublic: !isPublic });
          confirm.close();
        }}
        onClose={confirm.close}
      >
        {isPublic ? texts.unpublishText : texts.publishText}
      </Confirm>
    </Panel>
  );
}

function Badge({ integration: { isPublic, reviewStatus: review, withdrawn } }: { integration: Integration }) {
  if (withdrawn && review !== "PENDING")
    return <StatusBadge tone="danger">{t.publication.withdrawn.title}</StatusBadge>;
  return isPublic && review !== null ? <StatusBadge {...reviewStatus(review)} /> : null;
}

/** Describes the state of the publication, and what happens next. */
function nextStep({ isPublic, reviewStatus: review, withdrawn }: Integration): string {
  const texts = t.publication;
  if (!isPublic || review === null) return texts.off;
  return withdrawn && review === "REJECTED" ? texts.withdrawn.next : texts.states[review];
}
