import type { List } from "@api/queries";
import { Panel } from "@components/Panel";
import { RowSkeletons } from "@components/Skeletons";
import { StatusBadge } from "@components/StatusBadge";
import { TimeAgo } from "@components/TimeAgo";
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { HealthItem } from "@sdk/generated/models";
import { overview as t } from "@strings/overview";
import { IconCircleCheck } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import classes from "./overview.module.css";
import { type Problem, problemsOf } from "./problems";

/** The number of problems that are shown at first. */
const SHOWN = 5;

/** Lists the problems that need attention, worst first, each with a link to where to act. */
export function Attention({ list }: { list: List<HealthItem> }) {
  const problems = useMemo(() => problemsOf(list.items), [list.items]);
  const [isOpen, all] = useDisclosure(false);
  const isLong = problems.length > SHOWN + 1;
  const shown = isLong && !isOpen ? problems.slice(0, SHOWN) : problems;
  const more = isLong && (
    <Button variant="subtle" size="compact-sm" onClick={all.toggle} aria-expanded={isOpen}>
      {isOpen ? t.attention.fewer : t.attention.all(problems.length)}
    </Button>
  );
  return (
    <Panel title={t.attention.title} actions={more}>
      {list.isPending ? (
        <RowSkeletons rows={4} height={52} />
      ) : problems.length === 0 ? (
        <p className={classes.fine}>
          <IconCircleCheck size={20} aria-hidden />
          {list.hasMore ? t.attention.noneSoFar : t.attention.none}
        </p>
      ) : (
        <ul className={classes.problems}>
          {shown.map((problem) => (
            <Entry key={problem.key} problem={problem} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Entry({ problem }: { problem: Problem }) {
  const { kind, isSevere, sentence, advice, lastError, since, path, search = {} } = problem;
  return (
    <li className={classes.problem}>
      <StatusBadge tone={isSevere ? "danger" : "warning"}>
        {isSevere ? t.attention.severe : t.attention.mild}
      </StatusBadge>
      <div className={classes.sentence}>
        <p>
          {sentence} <span className={classes.muted}>{advice}</span>
        </p>
        {(since || lastError) && (
          <p className={classes.small}>
            {since && (
              <span>
                {t.attention.since} <TimeAgo at={since} />
              </span>
            )}
            {lastError && <span>{lastError}</span>}
          </p>
        )}
      </div>
      <Link to={path} search={search} className={classes.act} aria-label={`${t.attention.open[kind]}: ${sentence}`}>
        {t.attention.open[kind]}
      </Link>
    </li>
  );
}
