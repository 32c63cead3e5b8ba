/** Incidents: what was found, why, and who was touched. */
import { Type } from "typebox";
import { iso } from "./iso.ts";
import { mayDo, reaches, type Principal, type ProtectedReads } from "../access/index.ts";
import type { Blame, StoredBlame } from "../diagnosis/index.ts";
import type { Breach } from "../monitoring/index.ts";
import { breachIn, findingOf, movesFrom, type Incident, type IncidentHead, type Incidents, type Releases } from "../releases/index.ts";
import type { Redress } from "../redress/index.ts";
import type { ReleaseId } from "../std.ts";
import { GroupNames, SMALL_CELL } from "./group-names.ts";
import { incidentMoves } from "./incident-moves.ts";
import { AffectedView, BlameReportView, IncidentDetailView, IncidentHeadView, type ProofView } from "./incident-view.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";

export interface IncidentRouteParts {
  readonly incidents: Incidents;
  readonly releases: Releases;
  readonly blame: Blame;
  readonly redress: Redress;
  readonly reads: ProtectedReads;
}

const Params = Type.Object({ n: Type.Integer({ minimum: 1 }) });

export const incidentRoutes = (parts: IncidentRouteParts) => (app: Server) => {
  const find = async (n: number, principal: Principal): Promise<Incident> => {
    const incident = await parts.incidents.get(n);
    if (!incident || !reaches(principal, incident.endpoint)) throw notFound(`incident ${n}`);
    return incident;
  };
  app.get(
    "/v1/incidents",
    {
      config: { right: "read" },
      schema: {
        summary: "Incidents, newest first",
        tags: ["incidents"],
        querystring: Type.Object({ endpoint: Type.Optional(Type.String()), before: Type.Optional(Type.Integer()) }),
        response: { 200: Type.Object({ incidents: Type.Array(IncidentHeadView) }) },
      },
    },
    async (request) => {
      const { endpoint, before } = request.query;
      const principal = principalOf(request);
      const room = endpoint === undefined ? undefined : parts.releases.room(endpoint);
      if (room && !(room.ok && reaches(principal, room.value.name))) throw notFound(`endpoint "${endpoint}"`);
      const all = await parts.incidents.list({
        ...(room?.ok ? { endpoint: room.value.name } : {}),
        ...(before === undefined ? {} : { before }),
      });
      return { incidents: all.filter((one) => reaches(principal, one.endpoint)).map((one) => headView(one, parts.releases, principal)) };
    },
  );
  app.get(
    "/v1/incidents/:n",
    {
      config: { right: "read" },
      schema: { summary: "One incident with its timeline", tags: ["incidents"], params: Params, response: { 200: IncidentDetailView } },
    },
    async (request) => detailView(await find(request.params.n, principalOf(request)), parts.releases, principalOf(request)),
  );
  incidentMoves(app, { incidents: parts.incidents, find, view: (one, principal) => detailView(one, parts.releases, principal) });
  app.get(
    "/v1/incidents/:n/blame",
    {
      config: { right: "read" },
      schema: {
        summary: "Which step moved the harm, the most thorough report first",
        tags: ["incidents"],
        params: Params,
        response: { 200: Type.Object({ reports: Type.Array(BlameReportView) }) },
      },
    },
    async (request) => {
      const incident = await find(request.params.n, principalOf(request));
      const names = namesFor(parts.releases, incident.endpoint, principalOf(request));
      return { reports: (await parts.blame.reports(incident.n)).map((report) => blameView(report, names)) };
    },
  );
  app.post(
    "/v1/incidents/:n/blame",
    {
      config: { right: "route:write", needsMemory: true },
      bodyLimit: 4 * 1024 * 1024,
      schema: {
        summary: "Judge mixtures of the two releases that were trained elsewhere",
        description: "The server never runs a pipeline's commands.",
        tags: ["incidents"],
        params: Params,
        body: Type.Record(Type.String(), Type.Unknown()),
        response: { 200: BlameReportView },
      },
    },
    async (request) => {
      const incident = await find(request.params.n, principalOf(request));
      const made = await parts.blame.tierOne(incident.n, request.body);
      if (!made.ok) {
        if (made.error.kind === "invalid") throw new ProblemError("invalid", undefined, made.error.issues);
        throw new ProblemError("conflict", made.error.kind === "cannot-blame" ? `${made.error.why}.` : "There is no such incident.");
      }
      return blameView(made.value, namesFor(parts.releases, incident.endpoint, principalOf(request)));
    },
  );
  app.get(
    "/v1/incidents/:n/affected",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "The people whose answer the restored release would change",
        tags: ["incidents"],
        params: Params,
        querystring: Type.Object({
          after: Type.Optional(Type.String()),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: AffectedView },
      },
    },
    async (request) => {
      const incident = await find(request.params.n, principalOf(request));
      const { after, limit = 50 } = request.query;
      const names = namesFor(parts.releases, incident.endpoint, principalOf(request));
      const [{ total, byClass }, page] = [
        await parts.redress.summary(incident.n),
        await parts.redress.list(incident.n, { limit, ...(after === undefined ? {} : { after }) }),
      ];
      if (!page) throw noSuchCursor("/after", after);
      const shown = names.areVisible ? page.people.length : 0;
      await parts.reads.note(principalOf(request), {
        object: `incident/${incident.n}`,
        asked: { view: "affected", ...request.query },
        shown,
      });
      return {
        incident: incident.n,
        total,
        better: byClass.harmed + byClass.worse_terms,
        worse: byClass.benefited,
        unchanged: byClass.unchanged + byClass.reason_changed,
        notReplayable: byClass.not_replayable,
        people: page.people.map(({ decision, class: found, groups, decidedAtMs, before, after: now }) => ({
          decision,
          class: found,
          group: names.areVisible ? names.label(groups) : "hidden",
          decidedAt: iso(decidedAtMs),
          before: { ...before },
          after: now && { ...now },
        })),
        next: page.next,
      };
    },
  );
};

/** Beginning again from the first page would look like more people. */
export const noSuchCursor = (path: string, got = "nothing") =>
  new ProblemError("invalid", undefined, [
    { path, expected: "what the page before gave as the next one, while its people are still listed", got },
  ]);

export function namesFor(releases: Releases, endpoint: string, principal: Principal): GroupNames {
  const room = releases.room(endpoint);
  return new GroupNames(room.ok ? (room.value.definition.spec.groups ?? {}) : {}, mayDo(principal, "protected:read"));
}

export function releaseName(releases: Releases, endpoint: string, id: ReleaseId): string {
  const room = releases.room(endpoint);
  const number = room.ok ? room.value.releases.get(id)?.number : undefined;
  return number === undefined ? id : `r${number}`;
}

/** The finding without its full stop, in words that this reader may see. */
export function findingFor(incident: IncidentHead, releases: Releases, names: GroupNames): string {
  const breach = breachIn(incident);
  if (!breach || names.areVisible) return incident.body.title;
  return findingOf(breach.metric, releaseName(releases, incident.endpoint, incident.release), names.people(breach.group));
}

function headView(incident: IncidentHead, releases: Releases, principal: Principal) {
  const { n, endpoint, kind, state, release, restored, openedAtMs, body } = incident;
  return {
    n,
    endpoint,
    kind,
    state,
    title: findingFor(incident, releases, namesFor(releases, endpoint, principal)),
    release: releaseName(releases, endpoint, release),
    restored: restored && releaseName(releases, endpoint, restored),
    openedAt: iso(openedAtMs),
    openedBy: body.openedBy.name,
  };
}

export function detailView(incident: Incident, releases: Releases, principal: Principal): IncidentDetailView {
  const { endpoint, body, events } = incident;
  const names = namesFor(releases, endpoint, principal);
  const breach = breachIn(incident);
  const { rollback } = body;
  const shown = (text: string) => (names.areVisible || !breach ? text : "shown to those who may see groups");
  return {
    ...headView(incident, releases, principal),
    next: [...movesFrom(incident.state)],
    reason: shown(body.reason),
    notRolledBack: body.notRolledBack,
    proof: breach && proofView(breach, names),
    candidates: body.candidates.map(({ number, passes, why, figures }) => ({
      release: `r${number}`,
      passes,
      why,
      asked: figures?.asked ?? null,
    })),
    rollback: rollback && {
      from: releaseName(releases, endpoint, rollback.from),
      to: releaseName(releases, endpoint, rollback.to),
      automatic: rollback.automatic,
      generation: rollback.generation,
      switchedMs: rollback.switchedUs / 1000,
      drainedMs: rollback.drainedUs === null ? null : rollback.drainedUs / 1000,
      failedRequests: rollback.failedRequests,
    },
    timeline: events.map(({ atMs, sinceProofUs, kind, actor, text }) => ({
      at: iso(atMs),
      sinceProofMs: sinceProofUs === null ? null : sinceProofUs / 1000,
      kind,
      actor,
      text: kind === "proven" ? shown(text) : text,
    })),
  };
}

/** Whether a side of a proof is so small that its counts would tell of single people, to somebody who may not see groups. */
export const isTooSmallFor = (names: GroupNames, { reference, groupN, referenceN }: Breach): boolean =>
  !names.areVisible && (groupN < SMALL_CELL || (reference !== null && referenceN < SMALL_CELL));

function proofView(breach: Breach, names: GroupNames): ProofView {
  const counts = isTooSmallFor(names, breach)
    ? { groupDecisions: null, groupFavourable: null, referenceDecisions: null, referenceFavourable: null }
    : {
        groupDecisions: breach.groupN,
        groupFavourable: breach.groupK,
        referenceDecisions: breach.referenceN,
        referenceFavourable: breach.referenceK,
      };
  return {
    guardrail: breach.guardrail,
    group: names.label(breach.group),
    reference: names.reference(breach.group, breach.reference),
    limit: breach.limit,
    ...counts,
    decisions: breach.decisions,
    evidence: Math.exp(Math.min(breach.logE, 700)),
    threshold: Math.exp(breach.threshold),
    provenAt: iso(breach.provenAtMs),
    sources: breach.sources.map((one) => ({ ...one })),
  };
}

function blameView(report: StoredBlame, names: GroupNames): BlameReportView {
  const { tier, group, reference, harm, parts, unexplained, verdict, sentence, notes, madeAtMs } = report;
  return {
    tier,
    group: names.areVisible ? group : "hidden",
    reference: names.areVisible ? reference : "hidden",
    harm,
    parts: parts.map(({ step, share, low, high }) => ({ step, share, low, high })),
    unexplained: unexplained?.share ?? null,
    verdict: names.areVisible ? sentence : `${verdict.word}: ${verdict.steps.join(", ")}`,
    culprits: [...verdict.steps],
    notes: [...notes],
    madeAt: iso(madeAtMs),
  };
}
