/** What was done to route tables, what is under way, and what waits for a person. */
import { millisecondsOf } from "../../duration.ts";
import type { MetricSample } from "../../monitoring/index.ts";
import {
  rollbackTriggers,
  type Drill,
  type Drills,
  type EndpointRoom,
  type Incidents,
  type TransitionCounts,
} from "../../releases/index.ts";
import type { Collected } from "./families.ts";
import { perEndpoint } from "./served.ts";

type Controlled =
  | "evenkeel_transitions_total"
  | "evenkeel_rollbacks_total"
  | "evenkeel_rollout_step"
  | "evenkeel_rollout_steps"
  | "evenkeel_rollout_paused"
  | "evenkeel_rollouts_held"
  | "evenkeel_incidents_open"
  | "evenkeel_drill_passed"
  | "evenkeel_drill_timestamp_seconds"
  | "evenkeel_drill_duration_seconds"
  | "evenkeel_drill_due_timestamp_seconds";

export interface ControlParts {
  readonly transitions: TransitionCounts;
  readonly incidents: Pick<Incidents, "unsettledCounts">;
  readonly drills: Pick<Drills, "latest">;
}

const UNSETTLED = ["open", "contained", "in_review"] as const;

export async function controlled(parts: ControlParts, rooms: readonly EndpointRoom[]): Promise<Pick<Collected, Controlled>> {
  const rollouts = rooms.flatMap((room) => {
    const { rollout } = room.table;
    return rollout ? [{ rollout, labels: { endpoint: room.name, release: room.nameOf(rollout.release) } }] : [];
  });
  return {
    ...(await counted(parts.transitions, rooms)),
    evenkeel_rollout_step: rollouts.map(({ labels, rollout }) => ({ labels, value: rollout.step + 1 })),
    evenkeel_rollout_steps: rollouts.map(({ labels, rollout }) => ({ labels, value: rollout.plan.length })),
    evenkeel_rollout_paused: rollouts.map(({ labels, rollout }) => ({ labels, value: rollout.isPaused ? 1 : 0 })),
    evenkeel_rollouts_held: perEndpoint(rooms, ({ table }) => (table.hold ? 1 : 0)),
    evenkeel_incidents_open: await unsettled(parts.incidents, rooms),
    ...(await rehearsed(parts.drills, rooms)),
  };
}

async function counted(transitions: TransitionCounts, rooms: readonly EndpointRoom[]) {
  const kinds: MetricSample[] = [];
  const rollbacks: MetricSample[] = [];
  for (const room of rooms) {
    const { name: endpoint } = room;
    const totals = await transitions.of(room);
    for (const [kind, value] of totals.kinds) kinds.push({ labels: { endpoint, kind }, value });
    // From 0 on, so that the first one is an increase.
    for (const trigger of rollbackTriggers) rollbacks.push({ labels: { endpoint, trigger }, value: totals.rollbacks.get(trigger) ?? 0 });
  }
  return { evenkeel_transitions_total: kinds, evenkeel_rollbacks_total: rollbacks };
}

async function unsettled(incidents: ControlParts["incidents"], rooms: readonly EndpointRoom[]): Promise<readonly MetricSample[]> {
  const counts = new Map((await incidents.unsettledCounts()).map(({ endpoint, state, count }) => [`${endpoint}/${state}`, count]));
  return rooms.flatMap(({ name: endpoint }) =>
    UNSETTLED.map((state) => ({ labels: { endpoint, state }, value: counts.get(`${endpoint}/${state}`) ?? 0 })),
  );
}

async function rehearsed(drills: ControlParts["drills"], rooms: readonly EndpointRoom[]) {
  const latest = new Map<EndpointRoom, Drill>();
  for (const room of rooms) {
    const drill = await drills.latest(room.name);
    if (drill) latest.set(room, drill);
  }
  const of = (value: (drill: Drill) => number | undefined) =>
    perEndpoint(rooms, (room) => {
      const drill = latest.get(room);
      return drill && value(drill);
    });
  return {
    evenkeel_drill_passed: of(({ passed }) => (passed ? 1 : 0)),
    evenkeel_drill_timestamp_seconds: of(({ atMs }) => atMs / 1000),
    evenkeel_drill_duration_seconds: of(({ thereUs, backUs }) =>
      thereUs === null || backUs === null ? undefined : Math.max(thereUs, backUs) / 1e6,
    ),
    evenkeel_drill_due_timestamp_seconds: perEndpoint(rooms, (room) => dueSeconds(room, latest.get(room))),
  };
}

/** As `GET /v1/endpoints/:endpoint/drills` says it: the first one from the moment on that there is a release to take out. */
function dueSeconds({ definition, liveSinceMs }: EndpointRoom, latest: Drill | undefined): number | undefined {
  const { drills } = definition.spec;
  return drills && Math.max(latest ? latest.atMs + millisecondsOf(drills.every) : 0, liveSinceMs) / 1000;
}
