import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useMatchRoute } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import type { HomeView } from "../../../src/api/ui-view.ts";
import { isSignedOut } from "../api.ts";
import { LiveFeed } from "../live-feed.ts";
import { homeQuery } from "../queries.ts";
import { Icon, Logo } from "../ui/icon.tsx";
import { Account } from "./account.tsx";
import { LiveDot, StaleNotice } from "./live-dot.tsx";
import { SignIn } from "./sign-in.tsx";
import css from "./shell.module.css";

/** What is around every page: navigation, breadcrumb, freshness, who one is. Without a session: the question for a token. */
export function Shell() {
  const home = useQuery(homeQuery);
  const client = useQueryClient();
  const [feed] = useState(() => new LiveFeed(client));
  const isOut = isSignedOut(home.error);
  const isIn = home.data !== undefined && !isOut;
  useEffect(() => (isIn ? feed.start() : undefined), [isIn, feed]);

  if (isOut) return <SignIn />;
  return (
    <div className={css.app}>
      <a className={css.skip} href="#main">
        Skip to the page
      </a>
      <nav className={css.side} aria-label="Main">
        <Link to="/" className={css.brand}>
          <Logo />
          Evenkeel
        </Link>
        <SideLinks view={home.data} />
        {home.data && (
          <div className={css.foot}>
            <LiveDot feed={feed} tell="word" />
            <Account viewer={home.data.viewer} feed={feed} />
          </div>
        )}
      </nav>
      <div className={css.main}>
        <header className={css.top}>
          <Link to="/" className={css.mark} aria-label="Evenkeel">
            <Logo />
          </Link>
          <Breadcrumb />
          <LiveDot feed={feed} tell="clock" />
        </header>
        <main id="main" className={css.page} tabIndex={-1}>
          <StaleNotice feed={feed} />
          <Outlet />
        </main>
        {home.data && (
          <footer className={css.smallFoot}>
            <Account viewer={home.data.viewer} feed={feed} />
          </footer>
        )}
      </div>
    </div>
  );
}

/** The pages that there are: home, each open incident, data, runs and models. */
function SideLinks({ view }: { view: HomeView | undefined }) {
  const incidents = new Map<number, string>();
  for (const { incident, endpoint } of view?.needsYou ?? []) incidents.set(incident, endpoint);
  for (const { incident, name } of view?.endpoints ?? []) if (incident) incidents.set(incident.n, name);
  return (
    <>
      <Link to="/" className={css.link} activeOptions={{ exact: true }} activeProps={{ className: css.on, "aria-current": "page" }}>
        <Icon name="home" />
        Home
      </Link>
      {incidents.size > 0 && <div className={css.heading}>Open incidents</div>}
      {[...incidents]
        .toSorted(([a], [b]) => b - a)
        .map(([incident, endpoint]) => (
          <Link
            key={incident}
            to="/incidents/$n"
            params={{ n: String(incident) }}
            className={css.link}
            activeProps={{ className: css.on, "aria-current": "page" }}
          >
            <Icon name="triangle" />
            Incident {incident}
            <span className={css.cut} title={endpoint}>
              {endpoint}
            </span>
          </Link>
        ))}
      <div className={css.heading}>Making</div>
      <Link to="/data" className={css.link} activeProps={{ className: css.on, "aria-current": "page" }}>
        <Icon name="data" />
        Data
      </Link>
      <Link to="/runs" className={css.link} activeProps={{ className: css.on, "aria-current": "page" }}>
        <Icon name="run" />
        Runs
      </Link>
      <Link to="/models" className={css.link} activeProps={{ className: css.on, "aria-current": "page" }}>
        <Icon name="model" />
        Models
      </Link>
    </>
  );
}

function Breadcrumb() {
  const matches = useMatchRoute();
  const incident = matches({ to: "/incidents/$n" });
  const metrics = matches({ to: "/endpoints/$endpoint/metrics" });
  const dataset = matches({ to: "/data/$dataset" });
  const run = matches({ to: "/runs/$run" });
  const model = matches({ to: "/models/$model" });
  const lineage = matches({ to: "/lineage/$" });
  if (incident) return <Crumb above={<Link to="/">Endpoints</Link>} here={`Incident ${incident.n}`} />;
  if (metrics) return <Crumb above={<Link to="/">Endpoints</Link>} here={`${metrics.endpoint} metrics`} />;
  if (dataset) return <Crumb above={<Link to="/data">Data</Link>} here={dataset.dataset} />;
  if (run) return <Crumb above={<Link to="/runs">Runs</Link>} here={run.run.slice(0, 8)} />;
  if (model) return <Crumb above={<Link to="/models">Models</Link>} here={model.model} />;
  if (lineage) return <Crumb above={<span>Lineage</span>} here={lineage._splat ?? ""} />;
  const list = matches({ to: "/data" }) ? "Data" : matches({ to: "/runs" }) ? "Runs" : matches({ to: "/models" }) ? "Models" : "Endpoints";
  return (
    <nav className={css.crumb} aria-label="Breadcrumb">
      <b>{list}</b>
    </nav>
  );
}

function Crumb({ above, here }: { above: ReactNode; here: string }) {
  return (
    <nav className={css.crumb} aria-label="Breadcrumb">
      {above}
      <span aria-hidden="true">/</span>
      <b>{here}</b>
    </nav>
  );
}
