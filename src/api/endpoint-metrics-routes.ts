/** Metrics of one endpoint, computed from tallies when they are asked for. */
import { mayDo, type Principal } from "../access/index.ts";
import { readTotals, type Arm } from "../decisions/index.ts";
import {
  readAnswers,
  readDriftAnswers,
  readInputAnswers,
  readPublished,
  withoutOdds,
  type MetricAnswer,
  type Window,
} from "../monitoring/index.ts";
import type { Registry } from "../registry/index.ts";
import { metricTerms, placesOf, readInputProfile, type EndpointRoom, type ReleaseInfo, type Releases } from "../releases/index.ts";
import type { Issue } from "../std.ts";
import type { Store } from "../store/index.ts";
import { EndpointParams } from "./command-body.ts";
import { EndpointMetricsView, MetricsQuery, metricsAsked, tablesAsked, windowAsked, withNames } from "./endpoint-metrics-view.ts";
import { iso } from "./iso.ts";
import { ProblemError } from "./problem.ts";
import { trainedOn } from "./trained-on.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn } from "./route-views.ts";
import { tellsOfGroups } from "./protected-inputs.ts";
import { principalOf, type Server } from "./server.ts";

export interface EndpointMetricsParts {
  readonly store: Store;
  readonly registry: Pick<Registry, "datasets">;
  readonly releases: Releases;
}

const MINUTE_MS = 60_000;

export const endpointMetricsRoutes = (parts: EndpointMetricsParts) => (app: Server) => {
  const { roomOf, releaseOf } = routeCommander(parts.releases);
  app.get(
    "/v1/endpoints/:endpoint/metrics",
    {
      config: { right: "read" },
      schema: {
        summary: "Metrics of one release, by group",
        description:
          "Computed from tallies, for one look at one window: to watch all the time, use guardrails. What can't be computed is null with a reason. Readers without protected:read get letters for groups, no small cells, and windows that can't be subtracted from each other: of days that are over, joined until no group is small.",
        tags: ["endpoints"],
        params: EndpointParams,
        querystring: MetricsQuery,
        response: { 200: EndpointMetricsView },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const release = request.query.release === undefined ? liveOf(room) : releaseOf(room, request.query.release);
      return metricsView(parts, { room, release, principal: principalOf(request), query: request.query });
    },
  );
};

interface Asked {
  readonly room: EndpointRoom;
  readonly release: ReleaseInfo;
  readonly principal: Principal;
  readonly query: MetricsQuery;
}

async function metricsView(
  { store, registry }: EndpointMetricsParts,
  { room, release, principal, query }: Asked,
): Promise<EndpointMetricsView> {
  const { spec } = room.definition;
  const declared = spec.groups ?? {};
  const seesGroups = mayDo(principal, "protected:read");
  const nowMs = store.runtime.clock.nowMs();
  const issues: Issue[] = [];
  const terms = metricTerms(spec.metrics, release.bundle.scorer.kind);
  const { metrics, service, inputs, drift } = metricsAsked(query.metric, issues);
  const sets = tablesAsked(query.by, Object.keys(declared), terms.intersections, issues);
  const asked = windowAsked(query, nowMs, !seesGroups, issues);
  if (issues.length > 0) throw new ProblemError("invalid", undefined, issues.slice(0, 20));
  const arm = query.arm ?? armOf(room, release);
  const favourable = Object.keys(spec.actions).filter((action) => spec.actions[action]?.favourable);
  const published = seesGroups
    ? null
    : await readPublished(
        store.db,
        { endpoint: room.name, declared, sets, k: terms.smallCell, favourable: new Set(favourable), period: daysOf(asked, nowMs) },
        [{ release: release.id, arm }],
      );
  const window = published ? published.decisions.window : asked;
  const found = await readAnswers(store.db, {
    endpoint: room.name,
    release: release.id,
    arm,
    ...(window ? { window } : {}),
    declared,
    sets,
    metrics,
    service,
    terms,
    favourable: new Set(favourable),
    published,
  });
  const profile = await readInputProfile(store.db, release.id);
  const against = query.against ?? ((profile?.dataset ?? null) === null ? "launch" : "training");
  const allInputs = await readInputAnswers(store.db, {
    endpoint: room.name,
    release: release.id,
    arm,
    ...(window ? { window } : {}),
    profile,
    against,
    names: inputs,
    nowMs,
  });
  const hidden = published ? published.decisions.hidden : null;
  const ofInputs = allInputs
    .filter(({ answer }) => seesGroups || !tellsOfGroups(room, answer.feature ?? ""))
    .map(({ answer, window: of }) => ({ answer: withoutOdds(answer, hidden), window: of }));
  const moved = await readDriftAnswers(store.db, {
    endpoint: room.name,
    release: release.id,
    arm,
    ...(window ? { window } : {}),
    names: drift,
    declared,
    sets,
    favourable: new Set(favourable),
    against,
    trained: await trainedOn({ store, registry }, { release: release.id, profile, declared }),
    nowMs,
    hidden,
  });
  const names = namesIn(room, principal);
  const inWords = (of: Window | undefined) => ({
    from: of === undefined || of.fromMinute === null ? null : iso(of.fromMinute * MINUTE_MS),
    to: iso(of ? of.toMinute * MINUTE_MS : nowMs),
  });
  return {
    endpoint: room.name,
    release: `r${release.number}`,
    arm,
    arms: await armsOf(store, room, release),
    window: inWords(window),
    favourable,
    labels: terms.labels,
    minimum: terms.minimum,
    against,
    trainedOn: profile?.dataset ?? null,
    answers: [...found, ...ofInputs, ...moved].map(({ answer, window: of }) => ({ ...withNames(answer, names), window: inWords(of) })),
    notices: [...(published ? [BY_STRETCHES] : []), ...new Set(found.flatMap(({ answer }) => noticeOf(withNames(answer, names))))],
  };
}

const DAY_MINUTES = 1440;
const DAYS_MAX = 400;
/** A quarter. */
const DAYS_UNLESS_ASKED = 91;
const BY_STRETCHES =
  "For readers who may not see groups: of days that are over (UTC), as many together as it takes that no group is small, and outcomes of whole months.";

/** Days that are over; their number is bounded, since all of them are read to see whether any has a small group. */
function daysOf(asked: Window | undefined, nowMs: number): { readonly fromDay: number; readonly toDay: number } {
  const today = Math.floor(nowMs / MINUTE_MS / DAY_MINUTES);
  const toDay = Math.min(today, Math.floor((asked?.toMinute ?? today * DAY_MINUTES) / DAY_MINUTES));
  const fromMinute = asked?.fromMinute ?? null;
  const fromDay = fromMinute === null ? toDay - DAYS_UNLESS_ASKED : Math.max(fromMinute / DAY_MINUTES, toDay - DAYS_MAX);
  return { fromDay: Math.min(fromDay, toDay), toDay };
}

function liveOf(room: EndpointRoom): ReleaseInfo {
  const info = room.releases.get(room.table.live);
  if (!info) throw new Error(`the live release of ${room.name} is none of its releases`);
  return info;
}

/** Where the release answers from now; where it answers nobody, from where it did when it was live. */
function armOf({ table }: EndpointRoom, { id }: ReleaseInfo): Arm {
  const places = placesOf(table, id);
  return (["ab", "canary", "shadow"] as const).find((place) => places.includes(place)) ?? "live";
}

async function armsOf(store: Store, room: EndpointRoom, { id }: ReleaseInfo): Promise<EndpointMetricsView["arms"]> {
  const decisions = new Map<string, number>();
  for (const row of await readTotals(store.db, { endpoint: room.name, release: id }))
    decisions.set(row.arm, (decisions.get(row.arm) ?? 0) + row.decisions);
  return [...decisions].map(([arm, count]) => ({ arm, decisions: count }));
}

/** Silence isn't fairness: what keeps a whole attribute from being compared is said aloud. */
function noticeOf({ reason, reference, attributes, bounds }: MetricAnswer): string[] {
  if (reason === "reference_missing" && attributes !== null) {
    const group = reference ? Object.values(reference).join("/") : `of ${attributes.join("/")}`;
    return [`Nobody in the reference group ${group} yet: nothing is compared with it.`];
  }
  // Bounds that meet: the outcome of everybody is known.
  if (reason === "selective_labels" && bounds?.low !== bounds?.high)
    return ["Outcomes exist only for people with a favourable answer: what needs those of others is told as bounds."];
  return [];
}
