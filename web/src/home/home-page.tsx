import { useQuery } from "@tanstack/react-query";
import type { HomeView } from "../../../src/api/ui-view.ts";
import { timesOf } from "../format.ts";
import { homeQuery } from "../queries.ts";
import { CopyAsCommand } from "../ui/command.tsx";
import { Icon } from "../ui/icon.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { EndpointTable } from "./endpoint-table.tsx";
import { FirstSteps } from "./first-steps.tsx";
import css from "./home.module.css";
import { NeedsYou } from "./needs-you.tsx";
import { Strip } from "./strip.tsx";

export function HomePage() {
  const home = useQuery(homeQuery);
  return (
    <>
      <title>Endpoints · Evenkeel</title>
      <div className={css.header}>
        <h1>Endpoints</h1>
        <CopyAsCommand command="evenkeel status" />
      </div>
      {home.data ? (
        <Endpoints view={home.data} />
      ) : home.isError ? (
        <Problem error={home.error} onRetry={() => void home.refetch()} />
      ) : (
        <Skeleton label="Loading the endpoints" heights={[62, 20, 56, 56, 56]} />
      )}
    </>
  );
}

function Endpoints({ view }: { view: HomeView }) {
  const times = timesOf(view);
  if (view.endpoints.length === 0) return <FirstSteps />;
  return (
    <>
      <Strip totals={view.totals} times={times} />
      {view.needsYou.map((one) => (
        <NeedsYou key={one.incident} view={one} times={times} />
      ))}
      <section aria-labelledby="all">
        <div className={css.section}>
          <h2 id="all">All endpoints</h2>
          <span>what needs you comes first</span>
        </div>
        <EndpointTable rows={view.endpoints} times={times} />
      </section>
      {!view.viewer.seesGroups && (
        <p className={css.letters}>
          <Icon name="lock" />
          <span>
            Groups are shown as letters. Ask for the right <b>protected:read</b> to see their names.
          </span>
        </p>
      )}
    </>
  );
}
