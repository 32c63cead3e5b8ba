/** Puts a report together from what the rooms know, for one reader. */
import type { Audit, Principal } from "../../access/index.ts";
import { mayDo } from "../../access/index.ts";
import { armClassOf, readDaily, readOutcomeTotals, readPeriod, type TotalRow } from "../../decisions/index.ts";
import { countCells, readPublished, type ExpectationWatch, type Published } from "../../monitoring/index.ts";
import type { Redress } from "../../redress/index.ts";
import type { Registry } from "../../registry/index.ts";
import { madeOf, metricTerms, placesOf, type Drills, type EndpointRoom, type IncidentHead, type Transition } from "../../releases/index.ts";
import type { ReleaseId } from "../../std.ts";
import type { Store } from "../../store/index.ts";
import { endpointView, type EndpointViewParts } from "../endpoint-routes.ts";
import { warningView } from "../expectation-view.ts";
import { detailView } from "../incident-routes.ts";
import { WITHOUT_FIGURES } from "../guardrail-views.ts";
import { iso } from "../iso.ts";
import { partsView, releaseHead } from "../made-of-view.ts";
import { drillView } from "../rollout-routes.ts";
import { namesIn, transitionView } from "../route-views.ts";
import { decisionsView } from "./decisions-view.ts";
import { driftTables } from "./drift.ts";
import { groupTables } from "./group-tables.ts";
import { limitsOf } from "./limits.ts";
import { DAY_MS, dayText, type ReportPeriod } from "./period.ts";
import { EVERYBODY, type ReportIncidentView, type ReportView } from "./report-view.ts";

export interface ReportParts extends EndpointViewParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly registry: Registry;
  readonly redress: Redress;
  readonly drills: Drills;
  readonly expectations: Pick<ExpectationWatch, "warnings" | "sums">;
}

const MINUTES_A_DAY = 1440;
/** Releases whose groups are shown by themselves, those with the most decisions. */
const RELEASES_BY_GROUP = 4;
const TRANSITIONS_MAX = 200;
const INCIDENTS_MAX = 100;
const DRILLS_MAX = 200;

/** @param madeBy - who asked for it, as the page says */
export async function composeReport(
  parts: ReportParts,
  room: EndpointRoom,
  period: ReportPeriod,
  { reader, madeBy }: { readonly reader: Principal; readonly madeBy: string },
): Promise<ReportView> {
  const { store, expectations } = parts;
  const { spec, budget } = room.definition;
  const seesGroups = mayDo(reader, "protected:read");
  const names = namesIn(room, reader);
  const terms = metricTerms(spec.metrics);
  const favourable = new Set(Object.keys(spec.actions).filter((action) => spec.actions[action]?.favourable));
  const of = { endpoint: room.name, ...period };
  const within = { fromMs: period.fromDay * DAY_MS, toMs: period.toDay * DAY_MS };
  const rows = (await readPeriod(store.db, of)).filter(({ arm }) => arm !== "pinned");
  const serving = rows.filter(({ arm }) => armClassOf(arm) === "serving");
  const outcomes = (
    await readOutcomeTotals(store.db, {
      endpoint: room.name,
      fromMinute: period.fromDay * MINUTES_A_DAY,
      toMinute: period.toDay * MINUTES_A_DAY,
    })
  ).filter(({ arm }) => armClassOf(arm) === "serving");
  const daily = (await readDaily(store.db, of)).filter(({ arm }) => armClassOf(arm) === "serving");
  const nameOf = (release: ReleaseId) => (room.releases.has(release) ? room.nameOf(release) : release);
  const decisions = decisionsView(room, { rows, daily, favourable, nameOf, period, smallCell: seesGroups ? 0 : terms.smallCell });
  const declared = spec.groups ?? {};
  const sets = [...Object.keys(declared).map((attribute) => [attribute]), ...terms.intersections];
  const published = seesGroups
    ? null
    : await readPublished(store.db, { endpoint: room.name, declared, sets, k: terms.smallCell, favourable, period }, placesIn(serving));
  const told = published && (isAllOf(period, published) ? published : NOTHING);
  const question = { declared, terms, names, published: told };
  // By release and by group a reader who may not see groups could subtract one table from another.
  const alone = seesGroups ? mostServing(serving).slice(0, RELEASES_BY_GROUP) : [];
  const groups = [
    ...groupTables(countCells(serving, outcomes, favourable), { ...question, scope: EVERYBODY }),
    ...(alone.length < 2
      ? []
      : alone.flatMap((release) =>
          groupTables(
            countCells(
              serving.filter((row) => row.release === release),
              outcomes.filter((row) => row.release === release),
              favourable,
            ),
            { ...question, scope: nameOf(release) },
          ),
        )),
  ];
  const { guardrails } = await endpointView(parts, room, reader);
  const transitions = await transitionsIn(parts, room, within);
  const head = await parts.audit.head();
  const nowMs = store.runtime.clock.nowMs();
  const report = {
    endpoint: room.name,
    description: spec.description ?? "",
    from: dayText(period.fromDay),
    to: dayText(period.toDay),
    madeAt: iso(nowMs),
    madeBy,
    showsGroups: seesGroups,
    smallCell: terms.smallCell,
    isOver: nowMs >= within.toMs,
    decisions,
    labels: terms.labels,
    groups,
  };
  return {
    ...report,
    budget,
    guardrails: guardrails.map((one) => (seesGroups ? one : { ...one, ...WITHOUT_FIGURES })),
    incidents: await incidentsIn(parts, room, within, reader),
    transitions: transitions.slice(0, TRANSITIONS_MAX).map((one) => transitionView(room, one, names)),
    moreTransitions: Math.max(0, transitions.length - TRANSITIONS_MAX),
    releases: await releasesIn(parts, room, mostServing(rows)),
    drift: await driftTables(parts, room, { period, serving, nowMs, sets, favourable, names, hidden: told && told.decisions.hidden }),
    inputs: await inputsIn(parts, room, within),
    inputWarnings: (await expectations.warnings(room.name, period.fromDay))
      .filter(({ atMs }) => atMs < within.toMs)
      .slice(0, 200)
      .map(warningView),
    drills: (await parts.drills.list(room.name, DRILLS_MAX))
      .filter(({ atMs }) => atMs >= within.fromMs && atMs < within.toMs)
      .map((one) => drillView(room, one)),
    auditHead: head && `${head.seq}:${head.hash}`,
    limits: limitsOf(report),
  };
}

/** Where the days told to such a reader are others than those of the report, whatever it says of groups could be subtracted from them. */
const isAllOf = ({ fromDay, toDay }: ReportPeriod, { decisions: { window } }: Published): boolean =>
  window.fromMinute === fromDay * MINUTES_A_DAY && window.toMinute === toDay * MINUTES_A_DAY;
const nothing = { window: { fromMinute: 0, toMinute: 0 }, hidden: { groups: () => true, total: true }, few: new Set<string>() };
const NOTHING: Published = { decisions: nothing, outcomes: nothing };

/** Releases and where they answered. */
function placesIn(rows: readonly TotalRow[]): readonly Pick<TotalRow, "release" | "arm">[] {
  const places = Map.groupBy(rows, ({ release, arm }) => `${release}\0${arm}`);
  return [...places.values()].flatMap(([first]) => (first ? [first] : []));
}

/** Releases with the most decisions first. */
function mostServing(rows: readonly TotalRow[]): readonly ReleaseId[] {
  const decisions = new Map<ReleaseId, number>();
  for (const row of rows) decisions.set(row.release, (decisions.get(row.release) ?? 0) + row.decisions);
  return [...decisions].toSorted(([, a], [, b]) => b - a).map(([release]) => release);
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Newest first, one more than are shown where there are more. */
async function transitionsIn({ releases }: ReportParts, room: EndpointRoom, { fromMs, toMs }: Span): Promise<readonly Transition[]> {
  const found: Transition[] = [];
  let before: number | undefined;
  for (;;) {
    const page = await releases.history(room.name, { limit: 1000, ...(before === undefined ? {} : { before }) });
    found.push(...page.filter(({ atMs }) => atMs >= fromMs && atMs < toMs));
    const last = page.at(-1);
    if (!last || page.length < 1000 || found.length > 10_000) return found;
    before = last.generation;
  }
}

async function incidentsIn(
  parts: ReportParts,
  room: EndpointRoom,
  { fromMs, toMs }: Span,
  reader: Principal,
): Promise<ReportIncidentView[]> {
  const heads: IncidentHead[] = [];
  let before: number | undefined;
  for (;;) {
    const page = await parts.incidents.list({ endpoint: room.name, limit: 200, ...(before === undefined ? {} : { before }) });
    heads.push(...page.filter(({ openedAtMs }) => openedAtMs >= fromMs && openedAtMs < toMs));
    const last = page.at(-1);
    if (!last || page.length < 200 || heads.length >= INCIDENTS_MAX) break;
    before = last.n;
  }
  const { smallCell } = metricTerms(room.definition.spec.metrics);
  const shown = (count: number) => (mayDo(reader, "protected:read") || count === 0 || count >= smallCell ? count : null);
  const views: ReportIncidentView[] = [];
  for (const { n } of heads.slice(0, INCIDENTS_MAX)) {
    const incident = await parts.incidents.get(n);
    if (!incident) continue;
    const { total, byClass } = await parts.redress.summary(n);
    const people =
      total === 0
        ? null
        : {
            total: shown(total),
            better: shown(byClass.harmed + byClass.worse_terms),
            worse: shown(byClass.benefited),
            notReplayable: shown(byClass.not_replayable),
          };
    views.push({ ...detailView(incident, parts.releases, reader), people });
  }
  return views;
}

async function releasesIn(
  { registry, store }: ReportParts,
  room: EndpointRoom,
  ids: readonly ReleaseId[],
): Promise<ReportView["releases"]> {
  const made: ReportView["releases"] = [];
  for (const id of ids.slice(0, 20)) {
    const info = room.releases.get(id);
    if (!info) continue;
    const of = await madeOf({ registry, blobs: store.blobs }, info);
    made.push({
      ...releaseHead(info),
      scorer: info.bundle.scorer.kind,
      createdAt: iso(info.createdAtMs),
      createdBy: info.createdBy,
      places: [...placesOf(room.table, id)],
      isCondemned: room.table.condemned.has(id),
      ...partsView(of),
      unknown: [...of.unknown],
    });
  }
  return made;
}

async function inputsIn({ expectations }: ReportParts, room: EndpointRoom, span: Span): Promise<ReportView["inputs"]> {
  const byName = new Map(room.definition.compiled.expectations?.list.map(({ name, spec }) => [name, spec.on_breach]));
  return [...(await expectations.sums(room.name, span))].map(([expectation, { checked, breaches }]) => ({
    expectation,
    onBreach: byName.get(expectation) ?? null,
    checked,
    breaches: { ...breaches },
  }));
}
