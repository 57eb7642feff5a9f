import { CopyButton } from "@components/CopyButton";
import { RequireScope } from "@components/RequireScope";
import { Button } from "@mantine/core";
import { type Platform, automations as t } from "@strings/automations";
import { Link } from "@tanstack/react-router";
import classes from "./AutomationsPage.module.css";

/** The steps to connect a platform: a key, the app, and the first automation. */
export function ConnectSteps({ platform }: { platform: Platform }) {
  const steps = t.connect.steps[platform];
  return (
    <section className={classes.connect} aria-label={t.connect.title(t.platforms[platform])}>
      <h2 className={classes.heading}>{t.connect.title(t.platforms[platform])}</h2>
      <ol className={classes.steps}>
        {steps.map(({ title, text }, at) => (
          <li key={title} className={classes.step}>
            <h3>{title}</h3>
            <p>{text}</p>
            {at === 0 && (
              <RequireScope scope={["api-keys:read", "api-keys:write"]}>
                <Button
                  variant="default"
                  size="xs"
                  renderRoot={(props) => <Link to="/api-keys" search={{ create: "automations" }} {...props} />}
                >
                  {t.connect.createKey}
                </Button>
              </RequireScope>
            )}
            {at === 1 && platform === "n8n" && (
              <div className={classes.address}>
                <code title={t.connect.api}>{location.origin}</code>
                <CopyButton value={location.origin} what={t.connect.api} />
              </div>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
