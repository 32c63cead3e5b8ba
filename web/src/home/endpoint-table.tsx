import { Link } from "@tanstack/react-router";
import type { EndpointRowView } from "../../../src/api/ui-view.ts";
import { Spark } from "../charts/spark.tsx";
import { people, perMinute, share, type Times } from "../format.ts";
import { Icon } from "../ui/icon.tsx";
import { ReleaseRole, StateWord } from "../ui/said.tsx";
import { Time } from "../ui/time.tsx";
import { failedDrillSaid, guardrailsSaid, incidentSaid, transitionSaid } from "../words.ts";
import css from "./endpoint-table.module.css";

/** One row an endpoint; a list of blocks under 760 px. Roles are said again, as such a list is no table to a screen reader. */
export function EndpointTable({ rows, times }: { rows: readonly EndpointRowView[]; times: Times }) {
  return (
    <table className={css.table}>
      <colgroup>
        <col className={css.nameCol} />
        <col className={css.liveCol} />
        <col className={css.sinceCol} />
        <col className={css.sparkCol} />
        <col className={css.rateCol} />
        <col />
        <col className={css.lastCol} />
        <col className={css.incidentCol} />
      </colgroup>
      <thead>
        <tr>
          <th scope="col">Endpoint</th>
          <th scope="col">Live</th>
          <th scope="col" className={css.since}>
            Since
          </th>
          <th scope="col" colSpan={2}>
            Decisions a minute, last hour
          </th>
          <th scope="col">Guardrails</th>
          <th scope="col" className={css.last}>
            Last transition
          </th>
          <th scope="col">Incident</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <EndpointRow key={row.name} row={row} times={times} />
        ))}
      </tbody>
    </table>
  );
}

function EndpointRow({ row, times }: { row: EndpointRowView; times: Times }) {
  const guardrails = guardrailsSaid(row.guardrails, times);
  return (
    <tr>
      <th scope="row" className={css.name}>
        <Link to="/endpoints/$endpoint/metrics" params={{ endpoint: row.name }}>
          <b title={row.name}>{row.name}</b>
        </Link>
        <div className={css.second} title={row.description}>
          {row.description}
        </div>
      </th>
      <td className={css.live}>
        <Releases row={row} />
        {row.failedDrill && <FailedDrill drill={row.failedDrill} times={times} />}
      </td>
      <td className={css.since}>{row.live ? <Time ms={row.live.sinceMs}>{times.short(row.live.sinceMs)}</Time> : "never live"}</td>
      <td className={css.spark}>
        <Spark values={row.minutes} label="Decisions in each minute of the last hour" />
      </td>
      <td className={css.rate}>
        {perMinute(row.perMinute)}
        <span className={css.unit}> /min</span>
      </td>
      <td className={css.guardrails}>
        <StateWord said={guardrails} />
        <div className={css.second} title={guardrails.line}>
          {guardrails.line}
        </div>
      </td>
      <td className={css.last}>{row.lastTransition && <LastTransition view={row.lastTransition} times={times} />}</td>
      <td className={css.incident}>{row.incident && <IncidentCell incident={row.incident} />}</td>
    </tr>
  );
}

function Releases({ row: { live, canary, ab, shadows } }: { row: EndpointRowView }) {
  return (
    <>
      {live ? (
        <ReleaseRole as={live.isFallback ? "fallback" : "live"}>
          <b>{live.release}</b>
        </ReleaseRole>
      ) : (
        <span className={css.none}>none</span>
      )}
      {canary && (
        <span className={css.beside}>
          <ReleaseRole as="canary">
            {canary.release} {share(canary.share)}
          </ReleaseRole>
        </span>
      )}
      {ab && (
        <span className={css.beside}>
          <ReleaseRole as="canary">A/B test: {ab.join(", ")}</ReleaseRole>
        </span>
      )}
      {shadows.map(({ release, share: part }) => (
        <span key={release} className={css.beside}>
          <ReleaseRole as="shadow">
            {release} shadow{part < 1 && ` ${share(part)}`}
          </ReleaseRole>
        </span>
      ))}
    </>
  );
}

function FailedDrill({ drill, times }: { drill: NonNullable<EndpointRowView["failedDrill"]>; times: Times }) {
  return (
    <span className={css.beside} title={`${times.short(drill.happenedMs)}: ${failedDrillSaid(drill).line}`}>
      <StateWord said={failedDrillSaid(drill)} />
    </span>
  );
}

function LastTransition({ view, times }: { view: NonNullable<EndpointRowView["lastTransition"]>; times: Times }) {
  const { icon, text } = transitionSaid(view);
  const actor = `${times.short(view.happenedMs)} · ${view.actor}`;
  return (
    <>
      <span className={css.transition} title={view.reason}>
        <Icon name={icon} />
        {text}
      </span>
      <div className={css.second} title={`${actor}: ${view.reason}`}>
        <Time ms={view.happenedMs}>{times.short(view.happenedMs)}</Time> · {view.actor}
      </div>
    </>
  );
}

function IncidentCell({ incident: { n, state, affected } }: { incident: NonNullable<EndpointRowView["incident"]> }) {
  const said = incidentSaid(state);
  const line = affected ? `${people(affected)} affected` : "";
  return (
    <>
      <Link to="/incidents/$n" params={{ n: String(n) }} className={css.open}>
        <StateWord said={{ ...said, word: `${n} ${said.word}` }} />
      </Link>
      <div className={css.second}>{line}</div>
    </>
  );
}
