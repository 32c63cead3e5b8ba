/** The page of one incident: its story, its proof, its cause and its people in one view. */
import { mayDo, type Principal } from "../access/index.ts";
import { breachFigures, metricOf, planTests, type Breach } from "../monitoring/index.ts";
import { breachIn, decisionsOf, movesFrom, type EndpointRoom, type Incident } from "../releases/index.ts";
import type { GroupNames } from "./group-names.ts";
import { reasonFor } from "./shown-reason.ts";
import { findingFor, isTooSmallFor, namesFor, releaseName } from "./incident-routes.ts";
import { blameView, changesBetween } from "./ui-blame.ts";
import { happeningsOf } from "./ui-happenings.ts";
import { actorName, metricLabel, metricUnit, viewerView, wealth, ZONE, type UiParts } from "./ui-parts.ts";
import { whoView } from "./ui-people.ts";
import type { EvidenceView, IncidentView } from "./ui-view.ts";

export async function incidentView(parts: UiParts, incident: Incident, principal: Principal): Promise<IncidentView> {
  const { store, releases, blame, registry } = parts;
  const { endpoint, body, release, restored } = incident;
  const names = namesFor(releases, endpoint, principal);
  const room = releases.room(endpoint);
  const name = (id: typeof release) => releaseName(releases, endpoint, id);
  const breach = breachIn(incident);
  const { rollback } = body;
  const changes =
    room.ok && restored !== null
      ? await changesBetween(registry, room.value.info(restored), room.value.info(release))
      : new Map<string, string>();
  return {
    nowMs: store.runtime.clock.nowMs(),
    zone: ZONE,
    viewer: viewerView(principal),
    n: incident.n,
    endpoint,
    state: incident.state,
    moves: mayDo(principal, "route:write") ? [...movesFrom(incident.state)] : [],
    openedMs: incident.openedAtMs,
    openedBy: actorName(body.openedBy),
    kind: incident.kind,
    finding: findingFor(incident, releases, names),
    reason: reasonFor({ actor: body.openedBy, reason: body.reason }, names),
    release: name(release),
    isCondemned: room.ok && room.value.table.condemned.has(release),
    restored: restored && name(restored),
    served: { fromMs: body.served.fromMs, toMs: body.served.toMs, decisions: await decisionsOf(store, incident.endpoint, release) },
    rollback: rollback && {
      automatic: rollback.automatic,
      happenedMs: incident.openedAtMs,
      switchedUs: Math.round(rollback.switchedUs),
      drainedUs: rollback.drainedUs === null ? null : Math.round(rollback.drainedUs),
      failedRequests: rollback.failedRequests,
    },
    notRolledBack: body.notRolledBack,
    happenings: await happeningsOf(incident, releases, names, name(release)),
    evidence: breach && room.ok ? await evidenceView(breach, room.value, names, parts) : null,
    blame: (await blame.reports(incident.n)).map((report) => blameView(report, changes, names.areVisible)),
    who: await whoView(parts, incident, principal),
    told: (await parts.alerts.tellings(`incident/${incident.n}`)).map(({ channel, news, state, attempts, createdAtMs, settledAtMs }) => ({
      channel,
      news,
      state,
      attempts,
      atMs: settledAtMs ?? createdAtMs,
    })),
  };
}

async function evidenceView(breach: Breach, room: EndpointRoom, names: GroupNames, { tokens }: UiParts): Promise<EvidenceView> {
  const { definition } = room;
  const tests = planTests(definition.guardrails, definition.spec.groups ?? {}, definition.budget, breach.armClass).length;
  const { estimate, band } = breachFigures(breach);
  const isHidden = isTooSmallFor(names, breach);
  const countsOf = (favourable: number, of: number) => (isHidden ? { favourable: null, of: null } : { favourable, of });
  const nameByToken = new Map((await tokens.list()).map(({ id, name }) => [id, name]));
  return {
    guardrail: breach.guardrail,
    metric: metricLabel(breach.metric),
    unit: metricUnit(breach.metric),
    estimate: isHidden ? null : estimate,
    band,
    counts: metricOf(breach.metric).counts,
    limit: breach.limit,
    evidence: wealth(breach.logE),
    threshold: wealth(breach.threshold),
    budget: definition.budget,
    tests,
    decisions: breach.decisions,
    harmed: { group: names.inWords(breach.group) ?? "everybody", ...countsOf(breach.groupK, breach.groupN) },
    reference:
      breach.reference === null
        ? null
        : {
            group: breach.reference === "rest" ? null : names.reference(breach.group, breach.reference),
            ...countsOf(breach.referenceK, breach.referenceN),
          },
    sources: breach.sources.map(({ source, share }) => ({ name: nameByToken.get(source) ?? source, share })),
  };
}
