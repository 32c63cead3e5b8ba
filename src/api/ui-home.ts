/** The home page: every endpoint in a row, what needs somebody first. */
import { reaches, type Principal } from "../access/index.ts";
import { minuteOf, readMinutes } from "../decisions/index.ts";
import { DECISIONS_TO_SAY, guardrailState, type GuardrailState } from "../monitoring/index.ts";
import {
  besideLive,
  placesOf,
  subjectOf,
  type EndpointRoom,
  type GuardrailControl,
  type IncidentHead,
  type Releases,
  type Transition,
} from "../releases/index.ts";
import type { ReleaseId } from "../std.ts";
import type { GroupNames } from "./group-names.ts";
import { shareIn } from "./route-views.ts";
import { reasonFor } from "./shown-reason.ts";
import { findingFor, namesFor, releaseName } from "./incident-routes.ts";
import { actorName, metricLabel, metricUnit, viewerView, wealth, ZONE, type UiParts } from "./ui-parts.ts";
import type { ClosestView, EndpointRowView, GuardrailsView, HomeView, NeedsYouView, TransitionView } from "./ui-view.ts";

const UNSETTLED = ["open", "contained", "in_review"] as const;

export async function homeView(parts: UiParts, principal: Principal): Promise<HomeView> {
  const { store, releases, incidents, gateway, startedMs } = parts;
  const nowMs = store.runtime.clock.nowMs();
  const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
  const open = (await incidents.list({ states: UNSETTLED, limit: 200 })).filter(({ endpoint }) => reaches(principal, endpoint));
  const rows: EndpointRowView[] = [];
  for (const room of rooms)
    rows.push(await rowView(parts, room, { principal, nowMs, incident: open.find(({ endpoint }) => endpoint === room.name) }));
  const counts = rooms.map(({ name }) => gateway.counts(name));
  const answered = counts.reduce((sum, one) => sum + one.answered, 0);
  const unanswered = counts.reduce((sum, one) => sum + one.unanswered, 0);
  const newest = await incidents.list({ limit: 200 });
  const last = newest.find(({ endpoint, body }) => body.rollback !== null && reaches(principal, endpoint));
  const needsYou: NeedsYouView[] = [];
  for (const one of open) needsYou.push(await needsYouView(parts, one, principal));
  return {
    nowMs,
    zone: ZONE,
    viewer: viewerView(principal),
    totals: {
      endpoints: rows.length,
      withLiveRelease: rows.filter(({ live }) => live !== null && !live.isFallback).length,
      perMinute: rows.reduce((sum, { perMinute }) => sum + perMinute, 0),
      failed: { requests: unanswered, of: answered + unanswered, fromMs: startedMs },
      openIncidents: open.length,
      lastRollback: last?.body.rollback ? { switchedUs: Math.round(last.body.rollback.switchedUs), happenedMs: last.openedAtMs } : null,
    },
    needsYou,
    endpoints: rows.toSorted((a, b) => urgency(a) - urgency(b) || (a.name < b.name ? -1 : 1)),
  };
}

function urgency({ incident, guardrails, failedDrill }: EndpointRowView): number {
  if (incident) return 0;
  if (failedDrill && guardrails.kind !== "breached") return 2;
  const order = { breached: 1, watched: 2, "on-fallback": 3, waits: 4, holds: 5, "not-watched": 6 } as const satisfies Record<
    GuardrailsView["kind"],
    number
  >;
  return order[guardrails.kind];
}

async function needsYouView({ releases, redress }: UiParts, incident: IncidentHead, principal: Principal): Promise<NeedsYouView> {
  const { byClass, total } = await redress.summary(incident.n);
  return {
    incident: incident.n,
    endpoint: incident.endpoint,
    rolledBackMs: incident.body.rollback ? incident.openedAtMs : null,
    openedMs: incident.openedAtMs,
    finding: findingFor(incident, releases, namesFor(releases, incident.endpoint, principal)),
    failedRequests: incident.body.rollback?.failedRequests ?? null,
    affected: total === 0 ? null : byClass.harmed + byClass.worse_terms,
  };
}

async function rowView(
  parts: UiParts,
  room: EndpointRoom,
  at: { readonly principal: Principal; readonly nowMs: number; readonly incident: IncidentHead | undefined },
): Promise<EndpointRowView> {
  const { store, releases, control, redress, drills } = parts;
  const { table } = room;
  const names = namesFor(releases, room.name, at.principal);
  const name = (id: ReleaseId) => releaseName(releases, room.name, id);
  const toMinute = minuteOf(at.nowMs);
  const counts = new Map<number, number>();
  for (const row of await readMinutes(store.db, { endpoint: room.name, fromMinute: toMinute - 60, toMinute: toMinute + 1 })) {
    if (row.arm !== "shadow") counts.set(row.minute, (counts.get(row.minute) ?? 0) + row.decisions);
  }
  const minutes = Array.from({ length: 60 }, (_, i) => counts.get(toMinute - 60 + i) ?? 0);
  const present = counts.get(toMinute) ?? 0;
  const isFallback = table.live === table.fallback;
  const drill = await drills.latest(room.name);
  const summary = at.incident ? await redress.summary(at.incident.n) : undefined;
  return {
    name: room.name,
    description: room.definition.spec.description ?? "",
    live: { release: name(table.live), isFallback, sinceMs: room.liveSinceMs },
    canary: table.canary && { release: name(table.canary.release), share: table.canary.share },
    ab: table.ab ? table.ab.arms.map(({ release }) => name(release)) : null,
    shadows: table.shadows.map(({ release, share }) => ({ release: name(release), share })),
    perMinute: Math.max(minutes.at(-1) ?? 0, present),
    minutes,
    guardrails: await guardrailsView(room, { control, releases, names }),
    lastTransition: transitionView(room.last, name, names),
    failedDrill: drill && !drill.passed ? { target: name(drill.target), failed: drill.failed, happenedMs: drill.atMs } : null,
    incident: at.incident
      ? {
          n: at.incident.n,
          state: at.incident.state,
          affected: summary && summary.total > 0 ? summary.byClass.harmed + summary.byClass.worse_terms : null,
        }
      : null,
  };
}

interface GuardrailParts {
  readonly control: GuardrailControl;
  readonly releases: Releases;
  readonly names: GroupNames;
}

async function guardrailsView(room: EndpointRoom, { control, releases, names }: GuardrailParts): Promise<GuardrailsView> {
  if (room.definition.guardrails.length === 0) return { kind: "not-watched", because: "no-guardrails" };
  const { table } = room;
  // With a history it has answered by something else before: the fallback is what it was put back to.
  if (table.live === table.fallback && (table.history.length > 0 || table.condemned.size > 0)) {
    const past = await releases.history(room.name, { limit: 200 });
    const back = past.find(({ change }) => change.kind === "rolled-back");
    if (back) return { kind: "on-fallback", sinceMs: room.liveSinceMs, because: becauseOf(back) };
  }
  const placed = new Set([table.live, ...besideLive(table)]);
  const tests = (await control.tests(room)).filter((test) => test.armClass === "serving" && placed.has(test.release));
  const states = tests.map((test) => ({ release: test.release, state: guardrailState(test) }));
  const [top] = states.toSorted((a, b) => b.state.meter - a.state.meter || (a.state.estimate ?? 9) - (b.state.estimate ?? 9));
  const closest = top
    ? closestView(top.state, {
        release: room.nameOf(top.release),
        place: placesOf(table, top.release)[0] ?? "live",
        group: names.inWords(top.state.group),
      })
    : null;
  const count = (word: GuardrailState["word"]) => states.filter(({ state }) => state.word === word).length;
  if (count("breached") > 0) return { kind: "breached", breached: count("breached"), closest };
  if (count("watched") > 0) return { kind: "watched", watched: count("watched"), closest };
  const waiting = count("no-data");
  if (waiting > 0 || states.length === 0) return { kind: "waits", waiting, of: states.length, closest };
  return { kind: "holds", hold: states.length, closest };
}

const becauseOf = ({ actor, reason }: Transition) =>
  actor.kind === "system" ? `guardrail ${actorName(actor)}` : `${actorName(actor)}, ${reason}`;

function closestView(state: GuardrailState, at: Pick<ClosestView, "release" | "place" | "group">): ClosestView {
  return {
    ...at,
    guardrail: state.guardrail,
    metric: metricLabel(state.metric),
    unit: metricUnit(state.metric),
    estimate: state.estimate,
    limit: state.limit,
    evidence: wealth(state.logE),
    threshold: wealth(state.threshold),
    decisions: state.groupN + state.referenceN,
    needed: state.word === "no-data" ? DECISIONS_TO_SAY : null,
  };
}

function transitionView(transition: Transition, name: (id: ReleaseId) => string, names: GroupNames): TransitionView {
  const { change, actor, atMs } = transition;
  const subject = subjectOf(change);
  return {
    kind: change.kind,
    release: subject && name(subject),
    share: shareIn(change),
    actor: actorName(actor),
    reason: reasonFor(transition, names),
    happenedMs: atMs,
  };
}
