import { useList } from "@api/queries";
import { type Column, DataList } from "@components/DataList";
import { EmptyState } from "@components/EmptyState";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { PublisherName } from "@components/PublisherName";
import { RequireScope } from "@components/RequireScope";
import { TimeAgo } from "@components/TimeAgo";
import { Toolbar } from "@components/Toolbar";
import { TwoLines } from "@components/TwoLines";
import { Button } from "@mantine/core";
import type { Publication, ReviewStatus } from "@sdk/generated/models";
import { reviews as t } from "@strings/reviews";
import { statuses } from "@strings/statuses";
import { IconChecklist, IconSearchOff } from "@tabler/icons-react";
import { getRouteApi, Link, useParams } from "@tanstack/react-router";
import { changeOf, nameOf } from "./publication";
import { publicationList } from "./queries";
import { ReviewBadge } from "./ReviewBadge";
import { ReviewDrawer } from "./ReviewDrawer";

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
            value: status,
            options: options(statuses.review, t.allStatuses),
            onChange: (value) => void navigate({ search: { status: value as ReviewStatus | undefined } }),
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
    render: (item) => <TwoLines first={nameOf(item)} second={item.submitted?.description} />,
  },
  {
    key: "publisher",
    title: t.columns.publisher,
    width: "1.4fr",
    hide: "narrow",
    render: ({ publisherName, workspaceId, verified }) => (
      <PublisherName name={t.by(publisherName, workspaceId)} verified={verified} />
    ),
  },
  { key: "change", title: t.columns.change, width: "1fr", hide: "narrow", render: changeOf },
  {
    key: "status",
    title: t.columns.status,
    width: "150px",
    render: ({ reviewStatus: status }) => <ReviewBadge status={status} />,
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
