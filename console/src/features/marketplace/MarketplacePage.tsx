import { providerList } from "@api/providers";
import { useList } from "@api/queries";
import { EmptyState } from "@components/EmptyState";
import { Monogram } from "@components/Monogram";
import { options } from "@components/options";
import { PageHeader } from "@components/PageHeader";
import { RequireScope } from "@components/RequireScope";
import { Toolbar } from "@components/Toolbar";
import { Button } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { Integration } from "@sdk/generated/models";
import { marketplace as t } from "@strings/marketplace";
import { providers as words } from "@strings/providers";
import { IconBuildingStore, IconSearchOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { CardGrid } from "./CardGrid";
import { kindOf } from "./kinds";
import { ListingDrawer } from "./ListingDrawer";
import classes from "./marketplace.module.css";
import { Publisher } from "./Publisher";
import { marketplaceList } from "./queries";

const route = getRouteApi("/pages/marketplace");

export function MarketplacePage() {
  return (
    <RequireScope scope="integrations:read" page>
      <Marketplace />
    </RequireScope>
  );
}

function Marketplace() {
  const { q = "", type = "", listing } = route.useSearch();
  const navigate = route.useNavigate();
  const [search] = useDebouncedValue(q.trim(), 250);
  const list = useList(marketplaceList(search, type));
  const templates = useTemplates();
  const isFiltered = q !== "" || type !== "";
  return (
    <>
      <PageHeader title={t.title} text={t.text}>
        <Button variant="default" renderRoot={(props) => <Link to="/integrations" {...props} />}>
          {t.own}
        </Button>
      </PageHeader>
      <Toolbar
        search={q}
        searchLabel={t.search}
        onSearch={(value) => void navigate({ search: (old) => ({ ...old, q: value || undefined }), replace: true })}
        filters={[
          {
            label: t.type,
            value: type,
            options: options(words.types, t.allTypes),
            onChange: (value) => void navigate({ search: (old) => ({ ...old, type: value }) }),
          },
        ]}
      />
      <CardGrid
        label={t.listLabel}
        summary={t.shown}
        list={list}
        render={(item) => <Card item={item} isTemplate={templates.has(item.id)} />}
        empty={
          <EmptyState
            icon={isFiltered ? IconSearchOff : IconBuildingStore}
            title={isFiltered ? t.noMatchTitle : t.emptyTitle}
            text={isFiltered ? t.noMatch : t.empty}
          >
            <RequireScope scope="integrations:write">
              <Button
                variant="default"
                renderRoot={(props) => <Link to="/integrations" search={{ create: true }} {...props} />}
              >
                {t.custom}
              </Button>
            </RequireScope>
          </EmptyState>
        }
      />
      <ListingDrawer
        id={listing ?? null}
        known={list.items.find(({ id }) => id === listing)}
        templates={templates}
        onClose={() => void navigate({ search: (old) => ({ ...old, listing: undefined }) })}
      />
    </>
  );
}

function Card({ item, isTemplate }: { item: Integration; isTemplate: boolean }) {
  return (
    <article className={classes.card}>
      <div className={classes.cardHead}>
        <Monogram name={item.name} />
        <div className={classes.cardTitle}>
          <h2 className={classes.name}>
            <Link to="." search={(old) => ({ ...old, listing: item.id })} className={classes.cover}>
              {item.name}
            </Link>
          </h2>
          <Publisher item={item} />
        </div>
      </div>
      <p className={classes.description}>{item.description}</p>
      <div className={classes.cardFoot}>
        <span className={classes.tag}>{words.types[item.type]}</span>
        <span>{t.kinds[kindOf(item, isTemplate)]}</span>
      </div>
    </article>
  );
}

/** The IDs of the providers' built-in templates. */
function useTemplates(): ReadonlySet<string> {
  const { data = [] } = useQuery(providerList);
  return new Set(data.flatMap(({ templateId }) => templateId ?? []));
}
