/** Guardrails of an endpoint in full: how they stand, who feeds them, and how others would have done. */
import { Type, type Static } from "typebox";
import { mayDo } from "../access/index.ts";
import { orNull } from "../checked.ts";
import { armClassOf, readSpansBySource, readTotals, type SpanBySource } from "../decisions/index.ts";
import { groupCoverage, writerDrifts, type WriterCells, type WriterDrift } from "../monitoring/index.ts";
import { simulateGuardrails, simulationQuestion, type EndpointRoom, type GuardrailControl, type Releases } from "../releases/index.ts";
import type { ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import { EndpointParams } from "./command-body.ts";
import { GuardrailStateView } from "./endpoint-view.ts";
import { WITHOUT_FIGURES, guardrailStateView, guardrailViews } from "./guardrail-views.ts";
import { iso } from "./iso.ts";
import { ProblemError } from "./problem.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn } from "./route-views.ts";
import { principalOf, type Server } from "./server.ts";

export interface GuardrailRouteParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly control: GuardrailControl;
}

const Share = Type.Number({ minimum: 0, maximum: 1 });
const Count = Type.Integer({ minimum: 0 });

const CoverageView = Type.Object({
  release: Type.String(),
  arm: Type.Enum(["serving", "shadow"]),
  decisions: Count,
  repeats: Type.Integer({ minimum: 0, description: "Further answers to the same person within 24 hours: no evidence" }),
  attributes: Type.Array(
    Type.Object({
      attribute: Type.String(),
      unknown: Type.Integer({ minimum: 0, description: "Counted people whose group isn't known: they are on no side" }),
      unknownOfFavourable: orNull(Share),
      unknownOfOthers: orNull(Share),
      dependsOnAnswer: Type.Boolean({
        description: "The two are more than five points apart: telling one's group may depend on the answer",
      }),
    }),
  ),
});
const WriterView = Type.Object({
  writer: Type.String({ description: "Id of the token" }),
  shareBefore: Share,
  shareNow: Share,
  rateBefore: orNull(Share),
  rateNow: orNull(Share),
  mix: orNull(Type.Number({ description: "Population stability index of its mix of groups" })),
  found: Type.Array(Type.Enum(["new", "share", "rate", "mix"]), { description: "What has changed enough to be looked at" }),
});
const GuardrailsView = Type.Object(
  {
    guardrails: Type.Array(GuardrailStateView),
    coverage: Type.Array(CoverageView),
    writers: Type.Array(WriterView, { description: "Who sent the live release's decisions: the last day beside the seven days before" }),
  },
  { title: "Guardrails" },
);
export type GuardrailsView = Static<typeof GuardrailsView>;

const SimulatedView = Type.Object({
  ...GuardrailStateView.properties,
  proven: orNull(
    Type.Object({ at: Type.String({ format: "date-time" }), decisions: Count }, { description: "Where its proof would have been" }),
  ),
});
const SimulationView = Type.Object(
  {
    tests: Type.Array(SimulatedView),
    leftOut: Type.Array(Type.Object({ guardrail: Type.String(), why: Type.String() })),
  },
  { title: "GuardrailSimulation" },
);
export type SimulationView = Static<typeof SimulationView>;

const Moment = Type.String({ maxLength: 40, description: "ISO 8601; whole days in UTC for readers without protected:read" });
const SimulationBody = Type.Object(
  {
    /** The endpoint's own schema checks them, with paths of its own. */
    guardrails: Type.Optional(Type.Unknown({ description: "As an endpoint declares them; its own when left out" })),
    budget: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.2 })),
    release: Type.Optional(Type.String({ description: "r12; all when left out" })),
    from: Type.Optional(Moment),
    to: Type.Optional(Moment),
  },
  { additionalProperties: false },
);

const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

export const guardrailRoutes = (parts: GuardrailRouteParts) => (app: Server) => {
  const { store, releases, control } = parts;
  const { roomOf, releaseOf } = routeCommander(releases);

  app.get(
    "/v1/endpoints/:endpoint/guardrails",
    {
      config: { right: "read" },
      schema: {
        summary: "How guardrails stand, whose group isn't known, and who feeds them",
        tags: ["endpoints"],
        params: EndpointParams,
        response: { 200: GuardrailsView },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const names = namesIn(room, principalOf(request));
      return {
        guardrails: guardrailViews(room, await control.tests(room), names),
        coverage: await coverageOf(parts, room),
        writers: await writersOf(store, room),
      };
    },
  );

  app.post(
    "/v1/endpoints/:endpoint/guardrails/simulation",
    {
      config: { right: "read" },
      schema: {
        summary: "How guardrails would have done on recorded decisions",
        description: "The minutes of the tallies in their order, a block each. Changes nothing.",
        tags: ["endpoints"],
        params: EndpointParams,
        body: SimulationBody,
        response: { 200: SimulationView },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const principal = principalOf(request);
      const { guardrails, budget, release, from, to } = request.body;
      const isExact = mayDo(principal, "protected:read");
      const question = simulationQuestion(
        room.definition,
        release === undefined ? [...room.releases.keys()] : [releaseOf(room, release).id],
        {
          ...(guardrails === undefined ? {} : { guardrails }),
          ...(budget === undefined ? {} : { budget }),
          ...(from === undefined ? {} : { fromMs: momentOf("/from", from, isExact) }),
          ...(to === undefined ? {} : { toMs: momentOf("/to", to, isExact) }),
        },
      );
      if (!question.ok) throw new ProblemError("invalid", "These guardrails could not be declared.", question.error);
      const { tests, leftOut } = await simulateGuardrails(store.db, question.value);
      const names = namesIn(room, principal);
      return {
        tests: tests.map((test) => ({
          ...guardrailStateView(room, test, test.state, names),
          ...(isExact ? {} : WITHOUT_FIGURES),
          proven: test.proven && { at: iso(test.proven.atMs), decisions: test.proven.decisions },
        })),
        leftOut: [...leftOut],
      };
    },
  );
};

/** Two spans that differ by a minute would tell one person's answer: only who may see groups chooses edges. */
function momentOf(path: string, text: string, isExact: boolean): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs))
    throw new ProblemError("invalid", undefined, [{ path, expected: "a time in ISO 8601, 2026-12-20T00:00:00Z", got: text }]);
  if (!isExact && atMs % DAY_MS !== 0)
    throw new ProblemError("invalid", undefined, [
      { path, expected: "the beginning of a day in UTC, as you may not see groups (protected:read)", got: text },
    ]);
  return atMs;
}

async function coverageOf({ store, control }: GuardrailRouteParts, room: EndpointRoom): Promise<Static<typeof CoverageView>[]> {
  const { groups, favourable, releases, endpoint } = control.watched(room);
  const views: Static<typeof CoverageView>[] = [];
  for (const { release, armClass } of releases) {
    const rows = (await readTotals(store.db, { endpoint, release })).filter((row) => armClassOf(row.arm) === armClass);
    const decisions = rows.reduce((sum, row) => sum + row.decisions, 0);
    if (decisions === 0) continue;
    views.push({
      release: room.nameOf(release),
      arm: armClass,
      decisions,
      repeats: decisions - rows.reduce((sum, row) => sum + row.counted, 0),
      attributes: Object.keys(groups).map((attribute) => {
        const { unknown, unknownOfFavourable, unknownOfOthers, dependsOnAnswer } = groupCoverage(rows, favourable, attribute);
        return { attribute, unknown, unknownOfFavourable, unknownOfOthers, dependsOnAnswer };
      }),
    });
  }
  return views;
}

/** The last 24 hours of the live release beside the seven days before, token by token. */
async function writersOf(store: Store, room: EndpointRoom): Promise<Static<typeof WriterView>[]> {
  const nowMs = store.runtime.clock.nowMs();
  const spans = (fromMs: number) => cellsSince(store, room, room.table.live, fromMs);
  const [now, all] = [await spans(nowMs - DAY_MS), await spans(nowMs - (WEEK_DAYS + 1) * DAY_MS)];
  return writerDrifts(without(all, now), now).map(({ found, ...drift }: WriterDrift) => ({ ...drift, found: [...found] }));
}

async function cellsSince(
  store: Store,
  room: EndpointRoom,
  release: ReleaseId,
  fromMs: number,
): Promise<Map<string, Map<string, { n: number; k: number }>>> {
  const favourable = new Set(Object.entries(room.definition.spec.actions).flatMap(([action, one]) => (one.favourable ? [action] : [])));
  const spans: readonly SpanBySource[] = await readSpansBySource(store.db, {
    endpoint: room.name,
    release,
    armClass: "serving",
    fromMs,
    minutes: (WEEK_DAYS + 2) * 24 * 60,
  });
  const writers = new Map<string, Map<string, { n: number; k: number }>>();
  for (const span of spans)
    for (const [writer, rows] of span) {
      const cells = writers.get(writer) ?? new Map<string, { n: number; k: number }>();
      writers.set(writer, cells);
      for (const { cell, action, counted } of rows) {
        const before = cells.get(cell) ?? { n: 0, k: 0 };
        cells.set(cell, { n: before.n + counted, k: before.k + (favourable.has(action) ? counted : 0) });
      }
    }
  return writers;
}

/** Counts that are in one and not in the other, which is a part of it. */
function without(all: ReadonlyMap<string, WriterCells>, part: ReadonlyMap<string, WriterCells>): ReadonlyMap<string, WriterCells> {
  return new Map(
    [...all].flatMap(([writer, cells]) => {
      const left = [...cells].flatMap(([cell, { n, k }]) => {
        const gone = part.get(writer)?.get(cell) ?? { n: 0, k: 0 };
        return n > gone.n ? [[cell, { n: n - gone.n, k: k - gone.k }] as const] : [];
      });
      return left.length > 0 ? [[writer, new Map(left)] as const] : [];
    }),
  );
}
