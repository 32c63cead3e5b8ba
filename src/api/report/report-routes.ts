/** Reports on an endpoint and a period, for those who have to answer for it. */
import { Type, type Static } from "typebox";
import { actorOf, mayDo, type Principal } from "../../access/index.ts";
import { edgeBefore, isEdge } from "../../monitoring/index.ts";
import { err, ok, type Issue, type Result } from "../../std.ts";
import { EndpointParams } from "../command-body.ts";
import { iso } from "../iso.ts";
import { ProblemError } from "../problem.ts";
import { routeCommander } from "../route-commander.ts";
import { notFound, principalOf, type Server } from "../server.ts";
import { DAY_MS, dayText, type ReportPeriod } from "./period.ts";
import { reportPage } from "./page.ts";
import { ReportView } from "./report-view.ts";
import type { Reports, ReportsParts } from "./reports.ts";
import { REPORT_POLICY } from "./style.ts";

const DAYS_MAX = 400;
const DEFAULT_DAYS = 30;

const ReportQuery = Type.Object({
  from: Type.Optional(
    Type.String({
      maxLength: 40,
      description:
        "First day, YYYY-MM-DD (UTC); 30 days before the end when left out. Without protected:read a Monday or the first of a month, as is `to`",
    }),
  ),
  to: Type.Optional(
    Type.String({
      maxLength: 40,
      description:
        "First day that isn't in it; tomorrow when left out, for readers without protected:read the last Monday or first of a month",
    }),
  ),
  id: Type.Optional(Type.String({ maxLength: 100, description: "A kept report, instead of a period" })),
});

export const KeptReportView = Type.Object(
  {
    id: Type.String(),
    schedule: Type.Enum(["week", "month"]),
    from: Type.String(),
    to: Type.String({ description: "The first day that isn't in it" }),
    bytes: Type.Integer(),
    madeAt: Type.String(),
  },
  { title: "KeptReport" },
);
export type KeptReportView = Static<typeof KeptReportView>;

export interface ReportRouteParts extends Pick<ReportsParts, "releases" | "store"> {
  readonly reports: Reports;
}

export const reportRoutes =
  ({ releases, reports, store }: ReportRouteParts) =>
  (app: Server) => {
    const { roomOf } = routeCommander(releases);
    const composed = async (endpoint: string, query: Static<typeof ReportQuery>, principal: Principal): Promise<ReportView> => {
      const room = roomOf(endpoint);
      const period = periodAsked(query, store.runtime.clock.nowMs(), mayDo(principal, "protected:read"));
      if (!period.ok) throw new ProblemError("invalid", undefined, period.error);
      return reports.compose(room, period.value, principal, actorOf(principal));
    };
    /** One that was kept, where an id is asked for. */
    const kept = async (endpoint: string, { id, from, to }: Static<typeof ReportQuery>, principal: Principal) => {
      if (id === undefined) return undefined;
      if (from !== undefined || to !== undefined)
        throw new ProblemError("invalid", undefined, [{ path: "/id", expected: "a kept report, or from and to", got: "both" }]);
      const text = await reports.get(roomOf(endpoint).name, id, mayDo(principal, "protected:read"));
      if (!text) throw notFound(`report ${id} of "${endpoint}"`);
      return text;
    };
    const about = { tags: ["endpoints"], params: EndpointParams, querystring: ReportQuery };
    app.get(
      "/v1/endpoints/:endpoint/report",
      {
        config: { right: "read", needsMemory: true },
        schema: {
          summary: "A report on whole days: decisions, groups, outcomes, guardrails, incidents, changes, lineage, limits",
          description: "Readers without protected:read get letters for groups, no small cells and no groups of single releases.",
          ...about,
          response: { 200: ReportView },
        },
      },
      async (request, reply) => {
        const text = await kept(request.params.endpoint, request.query, principalOf(request));
        if (!text) return composed(request.params.endpoint, request.query, principalOf(request));
        // As it was made, whatever this version would make of it.
        return reply.type("application/json; charset=utf-8").send(asView(text.json));
      },
    );
    app.get(
      "/v1/endpoints/:endpoint/report/page",
      {
        config: { right: "read", needsMemory: true },
        schema: { summary: "The same as one HTML page that needs nothing else", ...about, response: { 200: Type.String() } },
      },
      async (request, reply) => {
        const { endpoint } = request.params;
        const text = await kept(endpoint, request.query, principalOf(request));
        const page = text?.page ?? reportPage(await composed(endpoint, request.query, principalOf(request)));
        const policy = `${REPORT_POLICY}; frame-ancestors 'none'`;
        return reply.type("text/html; charset=utf-8").header("content-security-policy", policy).send(page);
      },
    );
    app.get(
      "/v1/endpoints/:endpoint/reports",
      {
        config: { right: "read" },
        schema: {
          summary: "Reports that were made by schedule and kept, newest first",
          tags: ["endpoints"],
          params: EndpointParams,
          response: { 200: Type.Object({ schedule: Type.Union([Type.String(), Type.Null()]), reports: Type.Array(KeptReportView) }) },
        },
      },
      async (request) => {
        const room = roomOf(request.params.endpoint);
        const all = await reports.list(room.name);
        return {
          schedule: room.definition.spec.reports?.every ?? null,
          reports: all.map(({ id, schedule, fromMs, toMs, bytes, madeAtMs }) => ({
            id,
            schedule: schedule === "week" ? ("week" as const) : ("month" as const),
            from: iso(fromMs).slice(0, 10),
            to: iso(toMs).slice(0, 10),
            bytes,
            madeAt: iso(madeAtMs),
          })),
        };
      },
    );
  };

/** A text is sent as it is, though the route's other answers are made of views. */
const asView = (json: string) => json as unknown as ReportView;

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Whole days, so that no two reports can be subtracted to find out about a minute.
 * @param seesGroups - otherwise today isn't over yet, and grows person by person
 */
export function periodAsked(
  { from, to }: { readonly from?: string; readonly to?: string },
  nowMs: number,
  seesGroups: boolean,
): Result<ReportPeriod, readonly Issue[]> {
  const last = Math.floor(nowMs / DAY_MS) + (seesGroups ? 1 : 0);
  const issues: Issue[] = [];
  const day = (text: string | undefined, path: string, otherwise: (() => number) | number): number => {
    if (text === undefined) return typeof otherwise === "number" ? otherwise : otherwise();
    const at = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) / DAY_MS : Number.NaN;
    if (Number.isInteger(at) && at >= 0 && dayText(at) === text) return at;
    issues.push({ path, expected: "a day (UTC), such as 2026-11-01", got: text });
    return 0;
  };
  // Whoever may not see groups gets whole weeks and months: other periods could be subtracted from each other.
  const whole = (at: number) => (seesGroups ? at : edgeBefore(at));
  const toDay = day(to, "/to", whole(last));
  const fromDay = day(from, "/from", () => whole(toDay - DEFAULT_DAYS));
  if (issues.length > 0) return err(issues);
  if (toDay > last)
    return err([
      {
        path: "/to",
        expected: `${dayText(last)} at the latest${seesGroups ? "" : ": this token may not see groups, so the day must be over"}`,
        got: to ?? "",
      },
    ]);
  if (fromDay >= toDay) return err([{ path: "/from", expected: `a day before ${dayText(toDay)}`, got: from ?? "" }]);
  const edge = [
    { at: fromDay, path: "/from", got: from },
    { at: toDay, path: "/to", got: to },
  ].find(({ at }) => !seesGroups && !isEdge(at));
  if (edge)
    return err([
      {
        path: edge.path,
        expected: "a Monday or the first of a month (UTC), as this token may not see groups",
        got: edge.got ?? dayText(edge.at),
      },
    ]);
  if (toDay - fromDay > DAYS_MAX) return err([{ path: "/from", expected: `at most ${DAYS_MAX} days`, got: `${toDay - fromDay} days` }]);
  return ok({ fromDay, toDay });
}
