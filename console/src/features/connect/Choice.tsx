import { Monogram } from "@components/Monogram";
import type { ConnectableIntegration } from "@sdk/generated/models";
import { connect as t } from "@strings/connect";
import { IconChevronRight } from "@tabler/icons-react";
import classes from "./ConnectPage.module.css";
import { labelOf } from "./session";

interface Props {
  integrations: readonly ConnectableIntegration[];
  onChoose: (chosen: ConnectableIntegration) => void;
}

/** The integrations of a link. The user chooses one to connect. */
export function Choice({ integrations, onChoose }: Props) {
  return (
    <section aria-labelledby="choose">
      <h2 id="choose" className={classes.subtitle}>
        {t.choose}
      </h2>
      <ul className={classes.choices}>
        {integrations.map((integration) => (
          <li key={integration.id}>
            <button
              type="button"
              className={classes.choice}
              disabled={!integration.isActive}
              onClick={() => onChoose(integration)}
            >
              <Monogram name={labelOf(integration)} />
              <span className={classes.choiceText}>
                <strong>{integration.name}</strong>
                <span>{integration.isActive ? integration.description || labelOf(integration) : t.inactive}</span>
              </span>
              <IconChevronRight size={16} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
