import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { StatusBadge } from "@components/StatusBadge";
import { reviewStatus } from "@components/statuses";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import type { Publication, ReviewStatus } from "@sdk/generated/models";
import { reviews as t } from "@strings/reviews";
import { IconChecklist, IconRosetteDiscountCheck, IconSearchOff } from "@tabler/icons-react";
import { getRouteApi, Link, useParams } from "@tanstack/react-router";
import { changeOf, nameOf } from "./publication";
import { publicationList } from "./queries";
import { ReviewDrawer } from "./ReviewDrawer";
import classes from "./reviews.module.css";

const route = getRouteApi("/pages/reviews");

export function ReviewsPage() {
  return (
    <RequireScope scope="publications:review" page>
      <Reviews />
    </RequireScope>
  );
}

function Reviews() {
  const { status } = route.useSearch();
  const { workspaceId, publicationId: id } = useParams({ strict: false });
  const navigate = route.useNavigate();
  const list = useList(publicationList(status));
  return (
    <>
      <PageHeader title={t.title} text={t.text} />
      <Toolbar
        filters={[
          {
            label: t.status,
            value: status ?? "",
            options: options(t.statuses, t.allStatuses),
            onChange: (value) => void navigate({ search: { status: (value || undefined) as ReviewStatus } }),
          },
        ]}
      />
      <DataList
        label={t.listLabel}
        list={list}
        columns={COLUMNS}
        rowHeight={60}
        primary={(item, content) => (
          <Link
            to="/reviews/$workspaceId/$publicationId"
            params={{ workspaceId: item.workspaceId, publicationId: item.id }}
            search={{ status }}
            aria-label={t.open(nameOf(item))}
          >
            {content}
          </Link>
        )}
        empty={
          <EmptyState
            icon={status ? IconSearchOff : IconChecklist}
            title={status ? t.noMatchTitle : t.emptyTitle}
            text={status ? t.noMatch : t.empty}
          >
            {status ? (
              <Button variant="default" onClick={() => void navigate({ search: {} })}>
                {t.showAll}
              </Button>
            ) : (
              <RequireScope scope="integrations:read">
                <Button variant="default" renderRoot={(props) => <Link to="/marketplace" {...props} />}>
                  {t.marketplace}
                </Button>
              </RequireScope>
            )}
          </EmptyState>
        }
      />
      <ReviewDrawer
        opened={workspaceId === undefined || id === undefined ? null : { workspaceId, id }}
        onClose={() => void navigate({ to: "/reviews", search: { status } })}
      />
    </>
  );
}

const COLUMNS: readonly Column<Publication>[] = [
  {
    key: "name",
    title: t.columns.name,
    width: "2fr",
    render: (item) => (
      <>
        <span className={classes.line}>{nameOf(item)}</span>
        <span className={classes.second}>{item.submitted?.description ?? ""}</span>
      </>
    ),
  },
  {
    key: "publisher",
    title: t.columns.publisher,
    width: "1.4fr",
    hide: "narrow",
    render: (item) => <PublisherName publication={item} />,
  },
  { key: "change", title: t.columns.change, width: "1fr", hide: "narrow", render: changeOf },
  {
    key: "status",
    title: t.columns.status,
    width: "150px",
    render: ({ reviewStatus: status }) =>
      status === null ? (
        <StatusBadge tone="neutral">{t.detail.unpublished}</StatusBadge>
      ) : (
        <StatusBadge {...reviewStatus(status)} />
      ),
  },
  {
    key: "since",
    title: t.columns.since,
    width: "110px",
    align: "end",
    hide: "small",
    render: ({ waitingSince, listedAt, updatedAt }) => <TimeAgo at={waitingSince ?? listedAt ?? updatedAt} />,
  },
];

function PublisherName({ publication: { publisherName, workspaceId, verified } }: { publication: Publication }) {
  return (
    <span className={classes.publisher}>
      <span className={classes.line}>{t.by(publisherName, workspaceId)}</span>
      {verified && (
        <IconRosetteDiscountCheck size={14} className={classes.verified} role="img" aria-label={t.verified} />
      )}
    </span>
  );
}
