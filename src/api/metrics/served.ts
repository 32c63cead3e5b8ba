/** What was decided, how fast, and by which place of the route table. */
import { DURATION_BOUNDS, SCORE_BOUNDS, addDurations, addScores, type DecisionLog, type DurationCounts } from "../../decisions/index.ts";
import type { HistogramSample, MetricSample } from "../../monitoring/index.ts";
import { standbyOf, type EndpointRoom } from "../../releases/index.ts";
import type { Gateway } from "../../serving/index.ts";
import type { Collected } from "./families.ts";

type Served =
  | "evenkeel_decisions_total"
  | "evenkeel_fallback_decisions_total"
  | "evenkeel_release_requests_total"
  | "evenkeel_release_errors_total"
  | "evenkeel_unanswered_requests_total"
  | "evenkeel_route_share"
  | "evenkeel_route_generation"
  | "evenkeel_route_last_switch_seconds"
  | "evenkeel_endpoint_ready"
  | "evenkeel_decision_score"
  | "evenkeel_decision_duration_seconds"
  | "evenkeel_request_duration_seconds";

export interface ServedParts {
  readonly log: Pick<DecisionLog, "recorded">;
  readonly gateway: Pick<Gateway, "counts" | "durations" | "planned">;
}

export function served({ log, gateway }: ServedParts, rooms: readonly EndpointRoom[]): Pick<Collected, Served> {
  const byName = new Map(rooms.map((room) => [room.name as string, room]));
  const recorded = log.recorded().flatMap((one) => {
    const room = byName.get(one.endpoint);
    return room ? [{ ...one, release: numberOf(room, one.release) }] : [];
  });
  const ofRelease = [...Map.groupBy(recorded, ({ endpoint, release }) => `${endpoint}\0${release}`).values()].flatMap((all) => {
    const [first] = all;
    return first ? [{ labels: { endpoint: first.endpoint, release: first.release }, all }] : [];
  });
  const planned = gateway.planned().flatMap(({ endpoint, release, arm, asked, failed }) => {
    const room = byName.get(endpoint);
    return room ? [{ labels: { endpoint, release: numberOf(room, release), route: arm }, asked, failed }] : [];
  });
  const ofEndpoint = Map.groupBy(recorded, ({ endpoint }) => endpoint);
  return {
    evenkeel_decisions_total: recorded.map(({ endpoint, release, route, action, count }) => ({
      labels: { endpoint, release, route, action },
      value: count,
    })),
    evenkeel_fallback_decisions_total: perEndpoint(rooms, ({ name }) =>
      (ofEndpoint.get(name) ?? []).reduce((sum, { fellBack }) => sum + fellBack, 0),
    ),
    evenkeel_release_requests_total: planned.map(({ labels, asked }) => ({ labels, value: asked })),
    // From 0 on, so that the first one is an increase.
    evenkeel_release_errors_total: planned.map(({ labels, failed }) => ({ labels, value: failed })),
    evenkeel_unanswered_requests_total: perEndpoint(rooms, ({ name }) => gateway.counts(name).unanswered),
    evenkeel_route_share: rooms.flatMap(shares),
    evenkeel_route_generation: perEndpoint(rooms, ({ table }) => table.generation),
    evenkeel_route_last_switch_seconds: perEndpoint(rooms, ({ switchesUs }) => {
      const us = switchesUs.at(-1);
      return us === undefined ? undefined : us / 1e6;
    }),
    evenkeel_endpoint_ready: perEndpoint(rooms, ({ isReady }) => (isReady ? 1 : 0)),
    evenkeel_decision_score: ofRelease.map(({ labels, all }) => {
      const { bins, sum } = all.map(({ scores }) => scores).reduce(addScores);
      return { labels, bounds: SCORE_BOUNDS, buckets: [...bins, 0], sum };
    }),
    evenkeel_decision_duration_seconds: ofRelease.map(({ labels, all }) =>
      histogram(labels, all.map(({ latency }) => latency).reduce(addDurations)),
    ),
    evenkeel_request_duration_seconds: rooms.flatMap(({ name }) => {
      const durations = gateway.durations(name);
      return durations ? [histogram({ endpoint: name }, durations)] : [];
    }),
  };
}

export const histogram = (labels: Readonly<Record<string, string>>, { buckets, sumSeconds }: DurationCounts): HistogramSample => ({
  labels,
  bounds: DURATION_BOUNDS,
  buckets,
  sum: sumSeconds,
});

/** One sample for each endpoint that has a value. */
export const perEndpoint = (rooms: readonly EndpointRoom[], value: (room: EndpointRoom) => number | undefined): readonly MetricSample[] =>
  rooms.flatMap((room) => {
    const known = value(room);
    return known === undefined ? [] : [{ labels: { endpoint: room.name }, value: known }];
  });

function shares(room: EndpointRoom): readonly MetricSample[] {
  const { name: endpoint, table } = room;
  const standby = standbyOf(table);
  const canary = table.canary?.share ?? 0;
  const arms = table.ab?.arms ?? [];
  const weights = arms.reduce((sum, { weight }) => sum + weight, 0);
  const of = (route: string, id: Parameters<EndpointRoom["nameOf"]>[0], value: number) => ({
    labels: { endpoint, release: room.nameOf(id), route },
    value,
  });
  return [
    ...(arms.length > 0 ? arms.map(({ release, weight }) => of("ab", release, weight / weights)) : [of("live", table.live, 1 - canary)]),
    ...(table.canary ? [of("canary", table.canary.release, canary)] : []),
    ...table.shadows.map(({ release, share }) => of("shadow", release, share)),
    ...(standby ? [of("standby", standby, 0)] : []),
    of("fallback", table.fallback, 0),
  ];
}

/** A release that is no longer known keeps its id: its counts stay apart. */
export const numberOf = (room: EndpointRoom, release: string): string => {
  for (const [id, { number }] of room.releases) if (id === release) return `r${number}`;
  return release;
};
