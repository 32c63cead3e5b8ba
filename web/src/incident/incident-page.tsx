import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { IncidentView } from "../../../src/api/ui-view.ts";
import { ApiError } from "../api.ts";
import { timesOf } from "../format.ts";
import { incidentQuery } from "../queries.ts";
import { NoSuchPage } from "../shell/lost.tsx";
import { CopyAsCommand } from "../ui/command.tsx";
import { Icon } from "../ui/icon.tsx";
import { Problem } from "../ui/notice.tsx";
import { StateWord } from "../ui/said.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { Time } from "../ui/time.tsx";
import { incidentSaid } from "../words.ts";
import { Evidence } from "./evidence.tsx";
import { Facts } from "./facts.tsx";
import { Happened } from "./happened.tsx";
import css from "./incident.module.css";
import { Part } from "./part.tsx";
import { Settle } from "./settle.tsx";
import { Told } from "./told.tsx";
import { Who } from "./who.tsx";
import { Why } from "./why.tsx";

/** The story of one incident, top to bottom; to read and to print. */
export function IncidentPage() {
  const { n } = useParams({ from: "/incidents/$n" });
  return /^[1-9]\d{0,8}$/.test(n) ? <Incident n={Number(n)} /> : <NoSuchPage />;
}

function Incident({ n }: { n: number }) {
  const incident = useQuery(incidentQuery(n));
  if (incident.data) return <Story view={incident.data} />;
  if (!incident.isError) return <Skeleton label={`Loading incident ${n}`} heights={[28, 20, 120, 20, 120]} />;
  if (incident.error instanceof ApiError && incident.error.problem.status === 404) return <NoSuchPage />;
  return <Problem error={incident.error} onRetry={() => void incident.refetch()} />;
}

function Story({ view }: { view: IncidentView }) {
  const times = timesOf(view);
  const said = incidentSaid(view.state);
  return (
    <>
      <title>{`${view.finding} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <div className={css.title}>
            <h1>{view.finding}</h1>
            <StateWord said={said} pill />
          </div>
          <p className={css.sub}>
            Incident {view.n} on {view.endpoint}, opened by{" "}
            {view.kind !== "breach" ? (
              view.openedBy
            ) : (
              <>
                guardrail <code>{view.openedBy}</code>
              </>
            )}
            , <Time ms={view.openedMs}>{`${times.moment(view.openedMs)} ${times.zone}`}</Time>
          </p>
        </div>
        <CopyAsCommand command={`evenkeel incidents ${view.n}`} />
      </div>
      <div className={css.columns}>
        <div className={css.story}>
          <Part number={1} id="what" title="What happened">
            <Happened view={view} times={times} />
          </Part>
          <Part number={2} id="evidence" title="Evidence">
            <Evidence view={view} />
          </Part>
          <Part number={3} id="why" title="Why">
            <Why view={view} />
          </Part>
          <Part number={4} id="who" title="Who">
            <Who view={view} times={times} />
          </Part>
          <Part number={5} id="told" title="Told">
            <Told view={view} times={times} />
          </Part>
          {view.moves.length > 0 && (
            <Part number={6} id="settle" title="What becomes of it">
              <Settle n={view.n} moves={view.moves} />
            </Part>
          )}
          {!view.viewer.seesGroups && (
            <p className={css.letters}>
              <Icon name="lock" />
              <span>
                Groups are shown as letters. Ask for the right <b>protected:read</b> to see their names.
              </span>
            </p>
          )}
        </div>
        <Facts view={view} times={times} />
      </div>
    </>
  );
}
