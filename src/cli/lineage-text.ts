/** Lineage as a terminal shows it. */
import type { DecidedWithView, DecisionTraceView, LineageView, MadeOfView, MadeWithPageView, RouteAtView } from "../api/index.ts";
import { moment, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

export type Direction = "upstream" | "downstream";
type Node = LineageView["nodes"][number];

const keyOf = ({ kind, id }: { readonly kind: string; readonly id: string }) => `${kind} ${id}`;

/** A tree from the root; what was shown before is named again without what lies behind it. */
export function graphText(io: Io, { root, nodes, edges, isComplete }: LineageView, direction: Direction): string {
  const [near, far] = direction === "upstream" ? (["to", "from"] as const) : (["from", "to"] as const);
  const byNear = Map.groupBy(edges, (edge) => keyOf(edge[near]));
  const byKey = new Map(nodes.map((node) => [keyOf(node), node]));
  const seen = new Set<string>();
  const lines = [styled(io, "dim", direction === "upstream" ? "made of" : "what was made of it")];
  const walk = (key: string, stem: string, branch: string) => {
    const node = byKey.get(key);
    const next = byNear.get(key) ?? [];
    const isRepeated = seen.has(key) && next.length > 0;
    seen.add(key);
    lines.push(`${branch}${node ? nodeText(io, node) : key}${isRepeated ? styled(io, "dim", "  (see above)") : ""}`);
    if (isRepeated) return;
    for (const [i, edge] of next.entries()) {
      const isLast = i === next.length - 1;
      walk(keyOf(edge[far]), `${stem}${isLast ? "   " : "│  "}`, `${stem}${isLast ? "└─ " : "├─ "}`);
    }
  };
  walk(keyOf(root), "", "");
  if (edges.length === 0) lines.push(styled(io, "dim", "nothing is known"));
  if (!isComplete) lines.push(styled(io, "yellow", "there is more: the search ended at its bound"));
  return lines.join("\n");
}

function nodeText(io: Io, { kind, id, name }: Node): string {
  const what = kind.replace(/_version$/, "").replaceAll("_", " ");
  return name === null ? `${what} ${short(id)}` : `${what} ${styled(io, "bold", name)}  ${styled(io, "dim", short(id))}`;
}

/** A content id as far as people compare it. */
const short = (id: string): string => (id.length > 40 ? `${id.slice(0, id.indexOf(":") + 13)}…` : id);

export function traceText(io: Io, { decision, placedBy, madeOf }: DecisionTraceView): string {
  const { id, endpoint, action, decidedAt, arm, because, generation } = decision;
  const asked = because === null ? arm : `${arm}, since ${because}`;
  return [
    `${styled(io, "bold", action)}  ${endpoint}, ${moment(decidedAt)} UTC`,
    styled(io, "dim", id),
    "",
    `answered by ${styled(io, "bold", madeOf.release)} as ${asked}, generation ${generation}`,
    ...(placedBy
      ? [`put there ${moment(placedBy.at)} by ${placedBy.actor}, ${placedBy.kind.replaceAll("-", " ")}: ${placedBy.reason}`]
      : []),
    "",
    madeOfText(io, madeOf),
  ].join("\n");
}

/** One line a part, from the release down to the data and the code. */
function madeOfText(io: Io, made: MadeOfView): string {
  const rows: (readonly [string, string, string])[] = [
    ["release", `${made.endpoint}/${made.release}`, `${made.name}, ${made.scorer}, made ${moment(made.createdAt)} by ${made.createdBy}`],
    ...made.models.map((one) => ["model", one.version, `${short(one.id)}, registered ${moment(one.registeredAt)}`] as const),
    ...made.featureSets.map((one) => ["features", one.version, short(one.id)] as const),
    ...made.runs.flatMap((run) => [
      ["run", run.name, `${run.id}, ${run.experiment}, ${moment(run.startedAt)}`] as const,
      ...parameterRow(run.params),
      ...codeRows(run.code),
    ]),
    ...made.datasets.map((one) => ["data", one.version, `${short(one.id)}, ${plural(one.rows, "row")}, file ${short(one.blob)}`] as const),
  ];
  const gaps = made.unknown.map((sentence) => `${styled(io, "yellow", "not known")}  ${sentence}`);
  return [table(io, ["made of", "which", ""], rows), ...(gaps.length > 0 ? ["", ...gaps] : [])].join("\n");
}

type Run = MadeOfView["runs"][number];

const PARAMETERS_SHOWN = 6;
function parameterRow(params: Run["params"]): (readonly [string, string, string])[] {
  const all = Object.entries(params).map(([key, value]) => `${key} ${String(value)}`);
  if (all.length === 0) return [];
  return [
    [
      "  parameters",
      String(all.length),
      all.length > PARAMETERS_SHOWN ? `${all.slice(0, PARAMETERS_SHOWN).join(", ")}, …` : all.join(", "),
    ],
  ];
}

function codeRows({ commit, source, recipe, steps }: Run["code"]): (readonly [string, string, string])[] {
  return [
    ...(commit === null ? [] : [["  code", commit.slice(0, 12), source ?? ""] as const]),
    ...(recipe === null ? [] : [["  recipe", `${steps.length} steps`, short(recipe)] as const]),
    ...steps.flatMap(({ name, files }) => Object.entries(files).map(([path, blob]) => ["  code", name, `${path} ${short(blob)}`] as const)),
    ...steps.flatMap(({ name, external }) => Object.entries(external).map(([from, pin]) => ["  read", name, `${from} (${pin})`] as const)),
  ];
}

/** Days beyond these are in --json. */
const DAYS_SHOWN = 40;

export function decidedWithText(io: Io, view: DecidedWithView): string {
  const { decisions, shadows, pinned, endpoints, releases } = view;
  const days = releases.flatMap((one) =>
    one.days.map((day) => [one.endpoint, one.release, day.day, day.decisions, day.shadows, day.pinned]),
  );
  const rest = days.length - DAYS_SHOWN;
  const besides = [
    ...(shadows > 0 ? [`${plural(shadows, "answer")} as a shadow`] : []),
    ...(pinned > 0 ? [`${plural(pinned, "trial")} by name`] : []),
  ];
  return [
    `${styled(io, "bold", plural(decisions, "decision"))} made with it${besides.length > 0 ? `; besides ${besides.join(", ")}, that nobody was decided by` : ""}`,
    "",
    table(
      io,
      ["endpoint", "release", "name", "decisions", "from", "to"],
      releases.map((one) => [one.endpoint, one.release, one.name, one.decisions, one.days[0]?.day ?? null, one.days.at(-1)?.day ?? null]),
      "no release made of it has answered",
    ),
    ...(endpoints.length > 1
      ? [
          "",
          table(
            io,
            ["endpoint", "decisions"],
            endpoints.map((one) => [one.endpoint, one.decisions]),
          ),
        ]
      : []),
    ...(days.length > 0 ? ["", table(io, ["endpoint", "release", "day", "decisions", "shadow", "tried"], days.slice(0, DAYS_SHOWN))] : []),
    ...(rest > 0 ? [styled(io, "dim", `and ${rest} more days: --json has all`)] : []),
  ].join("\n");
}

export function madeWithText(io: Io, { decisions }: MadeWithPageView): string {
  const rows = decisions.map((one) => [one.id, one.endpoint, short(one.release), one.arm, moment(one.decidedAt)]);
  return table(io, ["decision", "endpoint", "release", "as", "decided"], rows, "no decision");
}

export function routeAtText(io: Io, { endpoint, at, generation, since, releases, answered }: RouteAtView): string {
  const head = `${styled(io, "bold", endpoint)} at ${moment(at)} UTC`;
  if (generation === null) return `${head}: it did not answer yet`;
  const nameOf = new Map(releases.map(({ madeOf }) => [madeOf.id, madeOf.release]));
  const told = answered.map((one) => `${nameOf.get(one.release) ?? one.release} ${one.decisions} as ${one.arm}`).join(", ");
  return [
    `${head}: generation ${generation}`,
    ...(since ? [`since ${moment(since.at)} by ${since.actor}, ${since.kind.replaceAll("-", " ")}: ${since.reason}`] : []),
    `answered in that minute: ${told || "nobody asked"}`,
    ...releases.flatMap(({ places, madeOf }) => [
      "",
      `${styled(io, "bold", madeOf.release)}  ${places.join(" · ")}`,
      madeOfText(io, madeOf),
    ]),
  ].join("\n");
}
