import type { HomeView } from "../../../src/api/ui-view.ts";
import { count, duration, perMinute, type Times } from "../format.ts";
import css from "./strip.module.css";

/** Five numbers, each of which somebody acts on. */
export function Strip({ totals, times }: { totals: HomeView["totals"]; times: Times }) {
  const { endpoints, withLiveRelease, failed, openIncidents, lastRollback } = totals;
  return (
    <dl className={css.strip}>
      <Figure value={count(endpoints)}>
        {endpoints === 1 ? "endpoint" : "endpoints"}, {count(withLiveRelease)} with a live release
      </Figure>
      <Figure value={perMinute(totals.perMinute)}>decisions a minute</Figure>
      <Figure value={count(failed.requests)}>
        failed {failed.requests === 1 ? "request" : "requests"} of {count(failed.of)}, since {times.short(failed.fromMs)}
      </Figure>
      <Figure value={count(openIncidents)}>open {openIncidents === 1 ? "incident" : "incidents"}</Figure>
      {lastRollback ? (
        <Figure value={duration(lastRollback.switchedUs)}>last rollback, {times.moment(lastRollback.happenedMs)}</Figure>
      ) : (
        <Figure value="none">rollback yet</Figure>
      )}
    </dl>
  );
}

/** The number stands above what it counts; for a screen reader the words come first. */
function Figure({ value, children }: { value: string; children: React.ReactNode }) {
  return (
    <div className={css.figure}>
      <dt>{children}</dt>
      <dd>{value}</dd>
    </div>
  );
}
