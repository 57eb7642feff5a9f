import type { Integration } from "@sdk/generated/models";
import { marketplace as t } from "@strings/marketplace";
import { IconRosetteDiscountCheck } from "@tabler/icons-react";
import classes from "./marketplace.module.css";

/** Who publishes a listing; the platform says whether it knows them. */
export function Publisher({ item: { publisher } }: { item: Integration }) {
  if (publisher === null) return null;
  return (
    <span className={classes.publisher}>
      <span className={classes.publisherName}>{t.by(publisher.name ?? publisher.workspaceId)}</span>
      {publisher.verified && (
        <IconRosetteDiscountCheck size={14} className={classes.verified} role="img" aria-label={t.verified} />
      )}
    </span>
  );
}
