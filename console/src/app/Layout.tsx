import { tellParent } from "@api/parent";
import { useSession } from "@api/session";
import { Notices } from "@components/Notices";
import { ActionIcon, CloseButton } from "@mantine/core";
import { common as t } from "@strings/common";
import { IconMenu2 } from "@tabler/icons-react";
import { Link, Outlet, useLocation, useMatches } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { ColorScheme } from "./ColorScheme";
import classes from "./Layout.module.css";
import { isAllowed, NAVIGATION } from "./navigation";

/** The path of `Home`. */
const HOME = "/";

/** The frame of each page: the navigation, which is a drawer on narrow screens, and the notifications. */
export function Layout() {
  const drawer = useRef<HTMLDialogElement>(null);
  const { workspaceId } = useSession();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  // The path of the page that is below any drawer: opening a drawer does not change it.
  const page = useMatches({
    select: (matches) => matches.filter(({ staticData }) => !staticData.isDrawer).at(-1)?.pathname,
  });
  const lastPath = useRef(pathname);
  const lastPage = useRef(page);
  useEffect(() => {
    if (lastPath.current !== pathname) tellParent({ type: "patchbay:navigate", path: pathname });
    lastPath.current = pathname;
  }, [pathname]);
  useEffect(() => {
    const from = lastPage.current;
    lastPage.current = page;
    // The start page only redirects, so the keyboard focus stays at the top.
    if (from === page || from === HOME) return;
    // Moves screen readers to the new page. Links within a page keep the focus.
    main.current?.focus({ preventScroll: true });
  }, [page]);
  return (
    <div className={classes.shell}>
      <button type="button" className={classes.skip} onClick={() => main.current?.focus()}>
        {t.navigation.skip}
      </button>
      <aside className={classes.side} aria-label={t.workspace}>
        <Workspace />
        <Navigation />
        <div className={classes.foot}>
          <ColorScheme />
        </div>
      </aside>
      <header className={classes.top}>
        <ActionIcon size="lg" aria-label={t.navigation.open} onClick={() => drawer.current?.showModal()}>
          <IconMenu2 size={20} aria-hidden />
        </ActionIcon>
        <span className={classes.workspaceName}>{workspaceId}</span>
      </header>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog; this click is on the backdrop */}
      <dialog
        ref={drawer}
        className={classes.drawer}
        aria-label={t.navigation.label}
        onClick={(event) => event.target === drawer.current && drawer.current.close()}
      >
        <div className={classes.drawerBody}>
          <div className={classes.drawerHead}>
            <Workspace />
            <CloseButton aria-label={t.navigation.close} onClick={() => drawer.current?.close()} />
          </div>
          <Navigation onNavigate={() => drawer.current?.close()} />
          <div className={classes.foot}>
            <ColorScheme />
          </div>
        </div>
      </dialog>
      <main id="main" ref={main} className={classes.main} tabIndex={-1}>
        <div className={classes.content}>
          <Outlet />
        </div>
      </main>
      <Notices />
    </div>
  );
}

function Workspace() {
  const { workspaceId, who } = useSession();
  return (
    <div className={classes.workspace}>
      <span className={classes.mark} aria-hidden>
        {workspaceId.slice(0, 1)}
      </span>
      <div style={{ minWidth: 0 }}>
        <div className={classes.workspaceName} title={workspaceId}>
          {workspaceId}
        </div>
        <div className={classes.who} title={t.signedInAs(who)}>
          {who}
        </div>
      </div>
    </div>
  );
}

function Navigation({ onNavigate }: { onNavigate?: () => void }) {
  const { scopes } = useSession();
  return (
    <nav className={classes.nav} aria-label={t.navigation.label}>
      {NAVIGATION.map(({ label, items }) => {
        const allowed = items.filter((item) => isAllowed(item, scopes));
        return (
          allowed.length > 0 && (
            <div key={label}>
              <div className={classes.group}>{label}</div>
              <ul className={classes.items}>
                {allowed.map(({ to, label: text, icon: Icon }) => (
                  <li key={to}>
                    <Link to={to} className={classes.link} onClick={onNavigate}>
                      <Icon size={18} stroke={1.7} aria-hidden />
                      {text}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          )
        );
      })}
    </nav>
  );
}
