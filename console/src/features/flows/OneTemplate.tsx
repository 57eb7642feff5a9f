import { EmptyState } from "@components/EmptyState";
import { Loaded } from "@components/Loaded";
import type { FlowTemplate } from "@sdk/generated/models";
import { flows as t } from "@strings/flows";
import { IconSearchOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import classes from "./flows.module.css";
import { templates } from "./queries";

/** Shows the template that the URL names, or a message that there is no such template. */
export function OneTemplate({
  template: key,
  children,
}: {
  template: string;
  children: (template: FlowTemplate) => ReactNode;
}) {
  const query = useQuery(templates);
  return (
    <Loaded query={query}>
      {(all) => {
        const found = all.find((each) => each.key === key);
        return found === undefined ? <Unknown /> : children(found);
      }}
    </Loaded>
  );
}

function Unknown() {
  return (
    <EmptyState heading="h1" icon={IconSearchOff} title={t.install.unknownTitle} text={t.install.unknown}>
      <Link to="/flows/new" className={classes.link}>
        {t.install.all}
      </Link>
    </EmptyState>
  );
}
