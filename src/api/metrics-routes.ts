/** `GET /metrics`: what Prometheus scrapes. Names of declared things only, nothing about groups, nothing about people. */
import { Type } from "typebox";
import { reaches, type Principal } from "../access/index.ts";
import type { DecisionLog, SinkStatus, Sinks } from "../decisions/index.ts";
import { EXPOSITION_CONTENT_TYPE, exposition, type MetricFamily, type MetricSample } from "../monitoring/index.ts";
import { standbyOf, type Drills, type EndpointRoom, type Releases } from "../releases/index.ts";
import type { Gateway } from "../serving/index.ts";
import { principalOf, type Server } from "./server.ts";
import { isVisible } from "./sink-routes.ts";

export interface MetricsParts {
  readonly version: string;
  readonly log: DecisionLog;
  readonly gateway: Gateway;
  readonly releases: Releases;
  readonly drills: Pick<Drills, "latest">;
  readonly sinks: Sinks;
  /** Lines of the server's own log that reached nobody. */
  readonly dropped: () => number;
}

export const metricsRoutes = (parts: MetricsParts) => (app: Server) => {
  app.get(
    "/metrics",
    {
      config: { right: "read" },
      schema: {
        summary: "Counts and states for Prometheus",
        description: "Text format 0.0.4. Counters are those of this process; a token that is limited to some endpoints gets theirs.",
        tags: ["metrics"],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const sinks = (await parts.sinks.list()).filter((sink) => isVisible(principal, sink));
      const families = [
        ...build(parts),
        ...served(parts, principal),
        ...(await rehearsed(parts, principal)),
        ...ofProcess(parts, principal),
        ...delivered(sinks),
      ];
      return reply.type(EXPOSITION_CONTENT_TYPE).send(exposition(families));
    },
  );
};

const build = ({ version }: MetricsParts): readonly MetricFamily[] => [
  {
    name: "evenkeel_build_info",
    help: "Always 1.",
    type: "gauge",
    samples: [{ labels: { version, node: process.versions.node }, value: 1 }],
  },
];

function served({ log, gateway, releases }: MetricsParts, principal: Principal): readonly MetricFamily[] {
  const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
  const byName = new Map(rooms.map((room) => [room.name as string, room]));
  const recorded = log.recorded().flatMap((one) => {
    const room = byName.get(one.endpoint);
    return room ? [{ ...one, release: numberOf(room, one.release) }] : [];
  });
  const fellBack = Map.groupBy(recorded, ({ endpoint }) => endpoint);
  return [
    {
      name: "evenkeel_decisions_total",
      help: "Decisions recorded, by endpoint, release, route and action.",
      type: "counter",
      samples: recorded.map(({ endpoint, release, route, action, count }) => ({
        labels: { endpoint, release, route, action },
        value: count,
      })),
    },
    {
      name: "evenkeel_fallback_decisions_total",
      help: "Decisions that another release answered than the planned one.",
      type: "counter",
      samples: rooms.map(({ name }) => ({
        labels: { endpoint: name },
        value: (fellBack.get(name) ?? []).reduce((sum, one) => sum + one.fellBack, 0),
      })),
    },
    {
      name: "evenkeel_unanswered_requests_total",
      help: "Valid requests that got no answer.",
      type: "counter",
      samples: rooms.map(({ name }) => ({ labels: { endpoint: name }, value: gateway.counts(name).unanswered })),
    },
    {
      name: "evenkeel_route_share",
      help: "Share of people that a release is meant to answer, as a shadow: to answer too; 0 for one that stands by.",
      type: "gauge",
      samples: rooms.flatMap(shares),
    },
    {
      name: "evenkeel_route_generation",
      help: "Grows with each change of the route table.",
      type: "gauge",
      samples: rooms.map(({ name, table }) => ({ labels: { endpoint: name }, value: table.generation })),
    },
    {
      name: "evenkeel_endpoint_ready",
      help: "1 where what answers, and what answers when that can't, are loaded and proven.",
      type: "gauge",
      samples: rooms.map(({ name, isReady }) => ({ labels: { endpoint: name }, value: isReady ? 1 : 0 })),
    },
  ];
}

async function rehearsed({ releases, drills }: MetricsParts, principal: Principal): Promise<readonly MetricFamily[]> {
  const samples: MetricSample[] = [];
  for (const { name } of releases.rooms()) {
    const drill = reaches(principal, name) ? await drills.latest(name) : undefined;
    if (drill) samples.push({ labels: { endpoint: name }, value: drill.passed ? 1 : 0 });
  }
  return [
    {
      name: "evenkeel_drill_passed",
      help: "Whether the last rehearsal of a rollback was passed; none where there never was one.",
      type: "gauge",
      samples,
    },
  ];
}

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

const numberOf = (room: EndpointRoom, release: string): string => {
  for (const [id, { number }] of room.releases) if (id === release) return `r${number}`;
  return release;
};

/** Of the whole process: nothing for whoever reaches only some endpoints. */
function ofProcess({ gateway, log, dropped }: MetricsParts, principal: Principal): readonly MetricFamily[] {
  if (principal.endpoints !== null) return [];
  const { inFlight, shadows } = gateway.stats();
  const { queued, overloaded, lost } = log.metrics();
  const one = (name: string, type: MetricFamily["type"], help: string, value: number): MetricFamily => ({
    name,
    type,
    help,
    samples: [{ value }],
  });
  return [
    one("evenkeel_requests_in_flight", "gauge", "Decisions under way.", inFlight),
    one("evenkeel_shadows_queued", "gauge", "Shadow answers that wait.", shadows.queued),
    one("evenkeel_shadows_shed_total", "counter", "Shadow answers left out because too many waited.", shadows.shed),
    one("evenkeel_log_queued_decisions", "gauge", "Decisions that wait to be recorded.", queued),
    one("evenkeel_log_overloaded_total", "counter", "Decisions refused because too many waited to be recorded.", overloaded),
    one(
      "evenkeel_log_dropped_total",
      "counter",
      "Lines of the server's own log that nobody could be told: its target is full or gone.",
      dropped(),
    ),
    one("evenkeel_log_lost_total", "counter", "Decisions acknowledged from memory and then not recorded.", lost),
  ];
}

function delivered(sinks: readonly SinkStatus[]): readonly MetricFamily[] {
  const each = (value: (sink: SinkStatus) => number): readonly MetricSample[] =>
    sinks.map((sink) => ({ labels: { sink: sink.spec.name }, value: value(sink) }));
  return [
    {
      name: "evenkeel_sink_lag_decisions",
      type: "gauge",
      help: "Decisions recorded and not delivered.",
      samples: each(({ lag }) => lag.decision),
    },
    {
      name: "evenkeel_sink_lag_outcomes",
      type: "gauge",
      help: "Outcomes recorded and not delivered.",
      samples: each(({ lag }) => lag.outcome),
    },
    {
      name: "evenkeel_sink_lag_seconds",
      type: "gauge",
      help: "Age of the oldest entry that isn't delivered; 0 where all are.",
      samples: each(({ lagMs }) => lagMs / 1000),
    },
    {
      name: "evenkeel_sink_delivered_total",
      type: "counter",
      help: "Entries that a sink's target has taken, since the sink was declared; the same from every process.",
      samples: sinks.flatMap(({ spec: { name }, delivered: { decision, outcome } }) => [
        { labels: { sink: name, kind: "decision" }, value: decision },
        { labels: { sink: name, kind: "outcome" }, value: outcome },
      ]),
    },
    {
      name: "evenkeel_sink_failures_total",
      type: "counter",
      help: "Batches that a sink's target didn't take, since the sink was declared; each came again.",
      samples: each(({ failures }) => failures),
    },
    {
      name: "evenkeel_sink_running",
      type: "gauge",
      help: "0 for a sink that was paused, or disabled by its target.",
      samples: each(({ state }) => (state === "running" ? 1 : 0)),
    },
  ];
}
