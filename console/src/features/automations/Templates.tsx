import { useList } from "@api/queries";
import { EmptyState } from "@components/EmptyState";
import { ErrorPanel } from "@components/ErrorPanel";
import { RequireScope } from "@components/RequireScope";
import { Button, Drawer, Skeleton, Stack, Text } from "@mantine/core";
import type { Integration } from "@sdk/generated/models";
import { type Platform, automations as t } from "@strings/automations";
import { common } from "@strings/common";
import { IconTemplate } from "@tabler/icons-react";
import { getRouteApi, Link } from "@tanstack/react-router";
import classes from "./AutomationsPage.module.css";
import { planOf } from "./plan";
import { templateList } from "./queries";

const route = getRouteApi("/pages/automations");

/** A platform's ready-made automations, and how to build each of them. */
export function Templates({ platform }: { platform: Platform }) {
  const { open } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useList(templateList(platform));
  if (list.isPending) {
    return (
      <div className={classes.cards}>
        {["a", "b", "c"].map((key) => (
          <Skeleton key={key} height={128} radius="md" />
        ))}
      </div>
    );
  }
  if (list.error && list.items.length === 0) return <ErrorPanel error={list.error} onRetry={list.reload} />;
  if (list.items.length === 0) {
    return <EmptyState icon={IconTemplate} title={t.templates.emptyTitle} text={t.templates.empty} />;
  }
  return (
    <>
      <ul className={classes.cards} aria-label={t.templates.label}>
        {list.items.map((template) => (
          <li key={template.id}>
            <Link
              to="/automations"
              search={{ platform, open: template.id }}
              className={classes.card}
              aria-label={t.templates.open(template.name)}
            >
              <Card template={template} />
            </Link>
          </li>
        ))}
      </ul>
      {list.hasMore && (
        <Button mt="md" variant="default" loading={list.isLoadingMore} onClick={list.loadMore}>
          {common.actions.loadMore}
        </Button>
      )}
      <TemplateDrawer
        platform={platform}
        template={list.items.find(({ id }) => id === open) ?? null}
        onClose={() => void navigate({ search: { platform } })}
      />
    </>
  );
}

function Card({ template }: { template: Integration }) {
  const plan = planOf(template);
  return (
    <>
      <span className={classes.cardTitle}>{template.name}</span>
      <span className={classes.cardText}>{template.description}</span>
      {plan && (
        <span className={classes.cardFoot}>
          {plan.when}
          {" → "}
          {plan.steps.map(({ title }) => title).join(" → ")}
        </span>
      )}
    </>
  );
}

interface DrawerProps {
  platform: Platform;
  template: Integration | null;
  onClose: () => void;
}

function TemplateDrawer({ platform, template, onClose }: DrawerProps) {
  const plan = template && planOf(template);
  return (
    <Drawer opened={template !== null} onClose={onClose} title={template?.name}>
      {template && (
        <Stack gap="md">
          <Text c="dimmed">{template.description}</Text>
          {plan && (
            <>
              <Text>{t.templates.howTo(t.platforms[platform])}</Text>
              <ol className={classes.plan} aria-label={t.templates.plan}>
                <li>
                  <span className={classes.planKind}>{t.templates.when}</span>
                  <strong>{plan.when}</strong>
                  {plan.onlyIf.map((condition) => (
                    <div key={condition} className={classes.planField}>
                      {t.templates.onlyIf} <code>{condition}</code>
                    </div>
                  ))}
                </li>
                {plan.steps.map(({ title, fields }, at) => (
                  <li key={`${at} ${title}`}>
                    <span className={classes.planKind}>{t.templates.next}</span>
                    <strong>{title}</strong>
                    <dl className={classes.planFields}>
                      {fields.map(([name, value]) => (
                        <div key={name} className={classes.planField}>
                          <dt>{name}</dt>
                          <dd>
                            <code>{value}</code>
                          </dd>
                        </div>
                      ))}
                    </dl>
                  </li>
                ))}
              </ol>
              {plan.flow !== null && (
                <RequireScope scope="flows:write">
                  <Text>
                    {t.templates.asFlow(t.platforms[platform])}{" "}
                    <Link to="/flows/templates/$template" params={{ template: plan.flow }}>
                      {t.templates.createFlow}
                    </Link>
                  </Text>
                </RequireScope>
              )}
            </>
          )}
        </Stack>
      )}
    </Drawer>
  );
}
