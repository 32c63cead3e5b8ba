/** What the pages of the browser application show, composed in one request a page (`ui-view.ts` says what each number means). */
import { Type } from "typebox";
import { mayDo, reaches, type Principal, type ProtectedReads } from "../access/index.ts";
import { minuteOf, readMinutes } from "../decisions/index.ts";
import type { Blame, StoredBlame } from "../diagnosis/index.ts";
import { guardrailState, planTests, type GuardrailState } from "../monitoring/index.ts";
import type { Redress, AffectedPerson } from "../redress/index.ts";
import {
  decisionsOf,
  subjectOf,
  type EndpointRoom,
  type GuardrailControl,
  type Incident,
  type IncidentHead,
  type Incidents,
  type Releases,
  type Transition,
} from "../releases/index.ts";
import type { Gateway } from "../serving/index.ts";
import type { Store } from "../store/index.ts";
import { breachIn, findingFor, namesFor, noSuchCursor, releaseName } from "./incident-routes.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import {
  AffectedPage,
  HomeView,
  IncidentView,
  type AffectedPersonView,
  type BlameView,
  type ClosestView,
  type EndpointRowView,
  type EvidenceView,
  type GuardrailsView,
  type HappeningView,
  type NeedsYouView,
  type TransitionView,
  type ViewerView,
  type WhoView,
} from "./ui-view.ts";
import { shownReason } from "./shown-reason.ts";

export interface UiParts {
  readonly store: Store;
  readonly reads: ProtectedReads;
  readonly gateway: Gateway;
  readonly releases: Releases;
  readonly control: GuardrailControl;
  readonly incidents: Incidents;
  readonly blame: Blame;
  readonly redress: Redress;
  readonly startedMs: number;
}

const UNSETTLED = ["open", "contained", "in_review"] as const;
const ZONE = "UTC";

export const uiRoutes = (parts: UiParts) => (app: Server) => {
  app.get(
    "/v1/ui/home",
    { config: { right: "read" }, schema: { summary: "The home page", tags: ["ui"], response: { 200: HomeView } } },
    (request) => homeView(parts, principalOf(request)),
  );
  app.get(
    "/v1/ui/incidents/:n",
    {
      config: { right: "read" },
      schema: {
        summary: "The page of an incident",
        tags: ["ui"],
        params: Type.Object({ n: Type.Integer({ minimum: 1 }) }),
        response: { 200: IncidentView },
      },
    },
    async (request) => incidentView(parts, await incidentOf(parts, request.params.n, principalOf(request)), principalOf(request)),
  );
  app.get(
    "/v1/ui/incidents/:n/affected",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "People of an incident, 50 at a time",
        tags: ["ui"],
        params: Type.Object({ n: Type.Integer({ minimum: 1 }) }),
        querystring: Type.Object({ cursor: Type.Optional(Type.String()) }),
        response: { 200: AffectedPage },
      },
    },
    async (request) => {
      const incident = await incidentOf(parts, request.params.n, principalOf(request));
      const names = namesFor(parts.releases, incident.endpoint, principalOf(request));
      const { cursor } = request.query;
      const page = await parts.redress.list(incident.n, { limit: 50, ...(cursor === undefined ? {} : { after: cursor }) });
      if (!page) throw noSuchCursor("/cursor", cursor);
      const people = page.people.flatMap((person) => personView(person, names.areVisible) ?? []);
      const shown = names.areVisible ? people.length : 0;
      await parts.reads.note(principalOf(request), {
        object: `incident/${incident.n}`,
        asked: { view: "affected", ...request.query },
        shown,
      });
      return { people, nextCursor: page.next };
    },
  );
};

async function incidentOf(parts: UiParts, n: number, principal: Principal): Promise<Incident> {
  const incident = await parts.incidents.get(n);
  if (!incident || !reaches(principal, incident.endpoint)) throw notFound(`incident ${n}`);
  return incident;
}

const viewerView = (principal: Principal): ViewerView => ({
  name: principal.name,
  role: principal.role,
  seesGroups: mayDo(principal, "protected:read"),
});

export async function homeView(parts: UiParts, principal: Principal): Promise<HomeView> {
  const { store, releases, incidents, gateway, startedMs } = parts;
  const nowMs = store.runtime.clock.nowMs();
  const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
  const open = (await incidents.list({ states: UNSETTLED, limit: 200 })).filter(({ endpoint }) => reaches(principal, endpoint));
  const rows: EndpointRowView[] = [];
  for (const room of rooms)
    rows.push(await rowView(parts, room, { principal, nowMs, incident: open.find(({ endpoint }) => endpoint === room.name) }));
  const stats = gateway.stats();
  const settled = await incidents.list({ limit: 50 });
  const last = settled.find(({ endpoint, body }) => body.rollback !== null && reaches(principal, endpoint));
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
      failed: { requests: stats.refused, of: stats.decided + stats.refused, fromMs: Math.max(startedMs, nowMs - 86_400_000) },
      openIncidents: open.length,
      lastRollback: last?.body.rollback
        ? { kind: "rollback", switchedUs: Math.round(last.body.rollback.switchedUs), happenedMs: last.openedAtMs }
        : null,
    },
    needsYou,
    endpoints: rows.toSorted((a, b) => urgency(a) - urgency(b) || (a.name < b.name ? -1 : 1)),
  };
}

function urgency({ incident, guardrails }: EndpointRowView): number {
  if (incident) return 0;
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
    failedRequests: null,
    affected: total === 0 ? null : byClass.harmed + byClass.worse_terms,
    progress: null,
  };
}

async function rowView(
  parts: UiParts,
  room: EndpointRoom,
  at: { readonly principal: Principal; readonly nowMs: number; readonly incident: IncidentHead | undefined },
): Promise<EndpointRowView> {
  const { store, releases, control, redress } = parts;
  const { table } = room;
  const name = (id: (typeof table)["live"]) => releaseName(releases, room.name, id);
  const toMinute = minuteOf(at.nowMs);
  const counts = new Map<number, number>();
  for (const row of await readMinutes(store.db, { endpoint: room.name, fromMinute: toMinute - 60, toMinute: toMinute + 1 })) {
    if (row.arm !== "shadow") counts.set(row.minute, (counts.get(row.minute) ?? 0) + row.decisions);
  }
  const minutes = Array.from({ length: 60 }, (_, i) => counts.get(toMinute - 60 + i) ?? 0);
  const present = counts.get(toMinute) ?? 0;
  const isFallback = table.live === table.fallback;
  const summary = at.incident ? await redress.summary(at.incident.n) : undefined;
  return {
    name: room.name,
    description: room.definition.spec.description ?? "",
    live: { release: name(table.live), isFallback, sinceMs: room.liveSinceMs },
    canary: table.canary && { release: name(table.canary.release), share: table.canary.share },
    shadows: table.shadows.map(name),
    perMinute: Math.max(minutes.at(-1) ?? 0, present),
    minutes,
    guardrails: await guardrailsView(control, room, releases, at.principal),
    lastTransition: transitionView(room.last, name, mayDo(at.principal, "protected:read")),
    incident: at.incident
      ? {
          n: at.incident.n,
          state: at.incident.state,
          progress: null,
          affected: summary && summary.total > 0 ? summary.byClass.harmed + summary.byClass.worse_terms : null,
        }
      : null,
  };
}

async function guardrailsView(
  control: GuardrailControl,
  room: EndpointRoom,
  releases: Releases,
  principal: Principal,
): Promise<GuardrailsView> {
  if (room.definition.guardrails.length === 0) return { kind: "not-watched", because: "no-guardrails" };
  const { table } = room;
  const placed = new Set([table.live, ...(table.canary ? [table.canary.release] : [])]);
  const tests = (await control.tests(room)).filter((test) => test.armClass === "serving" && placed.has(test.release));
  const states = tests.map((test) => ({ test, state: guardrailState(test) }));
  const ranked = states.toSorted((a, b) => b.state.meter - a.state.meter || (a.state.estimate ?? 9) - (b.state.estimate ?? 9));
  const names = namesFor(releases, room.name, principal);
  const [top] = ranked;
  const closest: ClosestView | null = top
    ? {
        guardrail: top.state.guardrail,
        metric: metricName(top.state),
        unit: top.state.metric === "adverse_impact_ratio" ? "ratio" : "rate",
        release: releaseName(releases, room.name, top.test.release),
        place: top.test.release === table.live ? "live" : "canary",
        group: names.label(top.state.group),
        estimate: top.state.estimate,
        limit: top.state.limit,
        evidence: bounded(top.state.logE),
        threshold: bounded(top.state.threshold),
        decisions: top.state.groupN + top.state.referenceN,
        needed: null,
      }
    : null;
  const count = (word: GuardrailState["word"]) => states.filter(({ state }) => state.word === word).length;
  if (table.live === table.fallback && room.last.change.kind === "rolled-back")
    return {
      kind: "on-fallback",
      sinceMs: room.liveSinceMs,
      because: shownReason(room.last.actor.name, room.last.reason, names.areVisible).slice(0, 200),
    };
  if (count("breached") > 0) return { kind: "breached", breached: count("breached"), closest };
  if (count("watched") > 0) return { kind: "watched", watched: count("watched"), closest };
  const waiting = count("no-data");
  if (waiting > 0 || states.length === 0) return { kind: "waits", waiting, of: states.length, closest };
  return { kind: "holds", hold: states.length, closest };
}

const metricName = ({ metric }: Pick<GuardrailState, "metric">) =>
  metric === "adverse_impact_ratio" ? "AIR" : metric.replaceAll("_", " ");
/** Evidence as the bettor's wealth; beyond any double it is just very much. */
const bounded = (logE: number) => Math.exp(Math.min(logE, 300));

function transitionView(
  { change, actor, reason, atMs }: Transition,
  name: (id: Extract<Transition["change"], { live: unknown }>["live"] & string) => string,
  seesGroups: boolean,
): TransitionView {
  const subject = subjectOf(change);
  return {
    kind: change.kind,
    release: subject && name(subject),
    share: "share" in change ? change.share : null,
    actor: actor.name,
    reason: shownReason(actor.name, reason, seesGroups),
    happenedMs: atMs,
  };
}

async function incidentView(parts: UiParts, incident: Incident, principal: Principal): Promise<IncidentView> {
  const { store, releases, blame } = parts;
  const { endpoint, body, release, restored } = incident;
  const names = namesFor(releases, endpoint, principal);
  const room = releases.room(endpoint);
  const name = (id: typeof release) => releaseName(releases, endpoint, id);
  const breach = breachIn(incident);
  const { rollback } = body;
  return {
    nowMs: store.runtime.clock.nowMs(),
    zone: ZONE,
    viewer: viewerView(principal),
    n: incident.n,
    endpoint,
    state: incident.state,
    openedMs: incident.openedAtMs,
    openedBy: body.openedBy.name,
    finding: findingFor(incident, releases, names),
    reason: names.areVisible || !breach ? body.reason : "The figures by group are shown to those who may see them.",
    release: name(release),
    isCondemned: room.ok && room.value.table.condemned.has(release),
    restored: restored && name(restored),
    served: { fromMs: body.served.fromMs, toMs: body.served.toMs, decisions: await decisionsOf(store, incident.endpoint, release) },
    rollback: rollback && {
      automatic: rollback.automatic,
      happenedMs: incident.openedAtMs,
      switchedUs: Math.round(rollback.switchedUs),
      drainedUs: rollback.drainedUs === null ? null : Math.round(rollback.drainedUs),
      failedRequests: null,
    },
    notRolledBack: body.notRolledBack,
    happenings: incident.events.map((event): HappeningView => ({
      happenedMs: event.atMs,
      sinceProofUs: event.sinceProofUs === null ? null : Math.round(event.sinceProofUs),
      mark: MARKS[event.kind] ?? "person",
      text: event.kind === "proven" && !names.areVisible ? "the guardrail has its proof" : event.text,
      detail: null,
    })),
    evidence: breach && room.ok ? evidenceView(breach, room.value, principal, releases) : null,
    blame: (await blame.reports(incident.n)).map((report) => blameView(report, names.areVisible)),
    who: await whoView(parts, incident, principal),
  };
}

const MARKS: Readonly<Record<string, HappeningView["mark"]>> = {
  proven: "breach",
  checked: "check",
  "rolled-back": "rollback",
  drained: "decision",
  "not-rolled-back": "breach",
};

function evidenceView(
  breach: NonNullable<ReturnType<typeof breachIn>>,
  room: EndpointRoom,
  principal: Principal,
  releases: Releases,
): EvidenceView {
  const names = namesFor(releases, room.name, principal);
  const { definition } = room;
  const tests = planTests(definition.guardrails, definition.spec.groups ?? {}, definition.budget, breach.armClass).length;
  const isRatio = breach.metric === "adverse_impact_ratio";
  const estimate =
    breach.groupN === 0 || breach.referenceN === 0 || (isRatio && breach.referenceK === 0)
      ? null
      : isRatio
        ? (breach.groupK * breach.referenceN) / (breach.groupN * breach.referenceK)
        : breach.groupK / breach.groupN - breach.referenceK / breach.referenceN;
  return {
    guardrail: breach.guardrail,
    metric: metricName(breach),
    unit: isRatio ? "ratio" : "rate",
    estimate,
    band: null,
    limit: breach.limit,
    evidence: bounded(breach.logE),
    threshold: bounded(breach.threshold),
    budget: definition.budget,
    tests,
    decisions: breach.decisions,
    harmed: { group: names.label(breach.group), favourable: breach.groupK, of: breach.groupN },
    reference:
      breach.reference === null
        ? null
        : {
            group: breach.reference === "rest" ? "everybody else" : names.reference(breach.group, breach.reference),
            favourable: breach.referenceK,
            of: breach.referenceN,
          },
    sources: breach.sources.map(({ source, share }) => ({ name: source, share })),
  };
}

const LABELS: Readonly<Record<string, string>> = {
  model: "Model",
  threshold: "Threshold",
  population: "Who applies",
  data: "Data",
  features: "Features",
  algorithm: "Algorithm",
  hyperparameters: "Hyperparameters",
};
const labelOf = (step: string) => LABELS[step] ?? step.charAt(0).toUpperCase() + step.slice(1);

function blameView(report: StoredBlame, seesGroups: boolean): BlameView {
  const { tier, madeAtMs, verdict, harm, parts, unexplained, people, seeds } = report;
  return {
    tier,
    madeMs: madeAtMs,
    verdict: {
      word: verdict.word,
      steps: verdict.steps.map((step) => `the ${labelOf(step).toLowerCase()}`),
      because: seesGroups ? verdict.because : "",
    },
    harm,
    parts: parts
      .toSorted((a, b) => b.share - a.share)
      .map(({ step, share, low, high }) => ({
        step,
        label: labelOf(step),
        change: null,
        share,
        low,
        high,
        isNamed: verdict.steps.includes(step),
      })),
    unexplained,
    method:
      tier === 0
        ? `Both releases answered the same ${people.good + people.bad} recorded applications again; shares are Shapley values.`
        : `Every mixture of the two releases was trained again with ${seeds.length} seeds and answered the recorded applications; shares are Owen values.`,
  };
}

async function whoView(parts: UiParts, incident: Incident, principal: Principal): Promise<WhoView | null> {
  const cases = await parts.redress.cases(incident.n);
  if (cases.length === 0) return null;
  const names = namesFor(parts.releases, incident.endpoint, principal);
  const breach = breachIn(incident);
  const isBetter = (one: (typeof cases)[number]) => one.class === "harmed" || one.class === "worse_terms";
  const counts = (some: typeof cases) => {
    const isHidden = !names.areVisible && some.length < 10;
    return {
      people: isHidden ? null : some.length,
      better: isHidden ? null : some.filter(isBetter).length,
      worse: isHidden ? null : some.filter((one) => one.class === "benefited").length,
    };
  };
  const room = parts.releases.room(incident.endpoint);
  const declared = room.ok ? (room.value.definition.spec.groups ?? {}) : {};
  const groups = Object.entries(declared).flatMap(([attribute, values]) =>
    values.map((value) => ({
      attribute,
      group: names.word(attribute, value),
      ...counts(cases.filter((one) => one.groups[attribute] === value)),
      isHarmed: breach?.group[attribute] === value,
    })),
  );
  const policy = room.ok
    ? room.value
        .info(incident.release)
        .bundle.policy.bands.toSorted((a, b) => b.from - a.from)
        .map(({ action }) => action)
    : [];
  const actions = [...new Set([...policy, ...cases.flatMap(({ before, after }) => (after === null ? [before] : [before, after]))])];
  const flips = actions.map((before) => actions.map((after) => cases.filter((one) => one.before === before && one.after === after).length));
  return {
    ...counts(cases),
    reasonChanged: cases.filter((one) => one.class === "reason_changed").length,
    notReplayable: cases.filter((one) => one.class === "not_replayable").length,
    groups,
    actions,
    flips,
  };
}

function personView(
  { decision, decidedAtMs, class: found, groups, before, after, reason }: AffectedPerson,
  seesGroups: boolean,
): AffectedPersonView | undefined {
  if (found === "unchanged") return undefined;
  return {
    decision,
    decidedMs: decidedAtMs,
    class: found,
    groups: seesGroups ? Object.values(groups).map((value) => value.replaceAll("_", " ")) : [],
    before: { ...before },
    after: after && { ...after },
    note: reason,
  };
}
