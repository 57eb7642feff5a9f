import { common as t } from "@strings/common";
import { IconRosetteDiscountCheck } from "@tabler/icons-react";
import classes from "./PublisherName.module.css";

/** Who publishes an integration, with a mark if the platform has verified them. */
export function PublisherName({ name, verified }: { name: string; verified: boolean }) {
  return (
    <span className={classes.publisher}>
      <span className={classes.name}>{name}</span>
      {verified && (
        <IconRosetteDiscountCheck size={14} className={classes.verified} role="img" aria-label={t.verifiedPublisher} />
      )}
    </span>
  );
}
