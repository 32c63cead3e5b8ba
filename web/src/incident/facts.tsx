import type { ReactNode } from "react";
import type { IncidentView } from "../../../src/api/ui-view.ts";
import { count, duration, people, type Times } from "../format.ts";
import { ReleaseRole } from "../ui/said.tsx";
import { capital, causeSaid, incidentSaid } from "../words.ts";
import css from "./facts.module.css";

/** The incident in a glance; first on a phone. */
export function Facts({ view, times }: { view: IncidentView; times: Times }) {
  const { rollback, who, served } = view;
  const after = rollback?.automatic ? "after proof" : "after the command";
  const cause = view.blame[0]?.verdict;
  return (
    <aside className={css.facts} aria-label="Facts">
      <dl>
        <Fact term="State">{capital(incidentSaid(view.state).word)}</Fact>
        <Fact term="Release">{view.isCondemned ? <ReleaseRole as="condemned">{view.release}, condemned</ReleaseRole> : view.release}</Fact>
        <Fact term="Restored">{view.restored ? <ReleaseRole as="live">{view.restored}</ReleaseRole> : "nothing"}</Fact>
        {rollback && (
          <Fact term="Switched">
            {duration(rollback.switchedUs)} {after}
          </Fact>
        )}
        {rollback && rollback.drainedUs !== null && (
          <Fact term="Last answer">
            {duration(rollback.drainedUs)} {after}
          </Fact>
        )}
        {rollback && rollback.failedRequests !== null && (
          <Fact term="Failed">
            {count(rollback.failedRequests)} {rollback.failedRequests === 1 ? "request" : "requests"}
          </Fact>
        )}
        <Fact term="Answered">
          {count(served.decisions)} {served.decisions === 1 ? "decision" : "decisions"}
        </Fact>
        <Fact term="Affected">{who && who.better !== null ? people(who.better) : "not looked for yet"}</Fact>
        <Fact term="Cause">{cause ? causeSaid(cause) : "not looked for yet"}</Fact>
        <Fact term="Times">{times.zone}</Fact>
      </dl>
    </aside>
  );
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </>
  );
}
