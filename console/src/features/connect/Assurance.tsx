import type { ConnectableIntegration } from "@sdk/generated/models";
import { connect as t } from "@strings/connect";
import { IconAlertTriangle, IconShieldCheck } from "@tabler/icons-react";
import classes from "./ConnectPage.module.css";
import { labelOf } from "./session";

/** Where users sign in, and who vouches for it: Patchbay for a provider that it knows, otherwise the workspace. */
export function Assurance({ integration, who }: { integration: ConnectableIntegration; who: string }) {
  const { isKnown, authorizationOrigin } = integration;
  return (
    <p className={classes.assurance} data-unknown={isKnown ? undefined : true}>
      {isKnown ? <IconShieldCheck size={18} aria-hidden /> : <IconAlertTriangle size={18} aria-hidden />}
      <span>
        {isKnown ? t.consent(labelOf(integration)) : t.unknown(who)}
        {!isKnown && authorizationOrigin && (
          <>
            {" "}
            {t.signInAt} <code>{authorizationOrigin}</code>
          </>
        )}
      </span>
    </p>
  );
}
