import { useAuthorization } from "@api/authorization";
import { AuthorizationProgress } from "@components/AuthorizationProgress";
import { Button } from "@mantine/core";
import type { Patchbay } from "@sdk/client";
import type { ConnectableIntegration, Connection } from "@sdk/generated/models";
import { connect as t } from "@strings/connect";
import { Assurance } from "./Assurance";
import classes from "./ConnectPage.module.css";
import { initiate, labelOf } from "./session";
import { useSettled } from "./useSettled";

interface Props {
  client: Patchbay;
  integration: ConnectableIntegration;
  who: string;
  onDone: (connection: Connection) => void;
}

/** Shows what access will be requested, and leads to the provider's page. */
export function ByProvider({ client, integration, who, onDone }: Props) {
  const { scopes } = integration;
  const providerName = labelOf(integration);
  const isSettled = useSettled();
  const { state, begin, cancel } = useAuthorization({
    start: () => initiate(client, integration),
    complete: (parameters) => client.connections.complete(parameters),
    onDone,
  });
  return (
    <>
      <h2 className={classes.subtitle}>{t.asks(who, providerName)}</h2>
      {scopes.length === 0 ? (
        <p className={classes.text}>{t.defaults(providerName)}</p>
      ) : (
        <ul className={classes.scopes}>
          {scopes.map(({ name, description }) => (
            <li key={name}>
              {description ?? <code>{name}</code>}
              {description && <code className={classes.code}>{name}</code>}
            </li>
          ))}
        </ul>
      )}
      <Assurance integration={integration} who={who} />
      {state.status === "idle" || state.status === "done" ? (
        <>
          <p className={classes.text}>{t.careful(who)}</p>
          <Button fullWidth size="md" disabled={!isSettled} onClick={() => void begin()}>
            {t.proceed(providerName)}
          </Button>
        </>
      ) : (
        <AuthorizationProgress state={state} provider={providerName} onStart={() => void begin()} onCancel={cancel} />
      )}
    </>
  );
}
