/** What something was made of, what was made of it, and which decisions were made with it. */
import type { DecidedWithView, DecisionTraceView, EndpointView, LineageView, MadeWithPageView, RouteAtView } from "../api/index.ts";
import { nearest } from "../checked.ts";
import type { EvenkeelClient } from "../client.ts";
import type { Io } from "./io.ts";
import { decidedWithText, graphText, madeWithText, routeAtText, traceText, type Direction } from "./lineage-text.ts";
import { PAGE, UsageError, verb, wholeNumber } from "./verb.ts";

/** Words for a command line, by the kind in the API. */
const KINDS: Readonly<Record<string, LineageView["root"]["kind"]>> = {
  dataset: "dataset_version",
  step: "step_run",
  features: "feature_set",
  run: "run",
  model: "model_version",
  policy: "policy_version",
  release: "release",
  deployment: "deployment",
  alert: "alert",
  rollback: "rollback",
  blame: "blame_report",
  case: "remediation_case",
};

export const lineage = verb({
  name: "lineage",
  help: `show what something was made of, what was made of it, and which decisions were made with it

usage: evenkeel lineage dec:<id>
       evenkeel lineage <kind> <id> [--upstream | --downstream]
       evenkeel lineage <kind> <id> --decisions
       evenkeel lineage <kind> <id> --ids [--endpoint <name> [--release <r12>]] [--day <2026-11-30>] [--limit <n>] [--after <text>]
       evenkeel lineage --at <time> [--endpoint <name>]

  dec:<id>     a decision: which release answered, and its model, run, features, data and code
  --decisions  how many decisions were made with it, by endpoint, release and day
  --ids        which ones
  --at         which release answered then (2026-11-30T12:00:00Z), and what it was made of

kinds: ${Object.keys(KINDS).join(", ")}
ids: content ids, or references such as credit/3, credit@clean, credit-basic/1, loans/r3

What nobody knows is said as not known. Both directions are shown when none is named.

examples:
  evenkeel lineage model credit/1 --upstream
  evenkeel lineage dataset loans/1 --downstream --json
  evenkeel lineage dataset loans/1 --decisions`,
  words: 2,
  options: {
    upstream: { type: "boolean" },
    downstream: { type: "boolean" },
    decisions: { type: "boolean" },
    ids: { type: "boolean" },
    at: { type: "string" },
    endpoint: { type: "string" },
    release: { type: "string" },
    day: { type: "string" },
    limit: { type: "string" },
    after: { type: "string" },
  },
  async run({ positionals: [word, id], values }, { client, io }) {
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    if (values.at !== undefined) {
      if (word) throw new UsageError("--at stands alone, or with --endpoint");
      show(await routesAt(client(), values.at, values.endpoint), (all) => all.map((one) => routeAtText(io, one)).join("\n\n"));
      return 0;
    }
    const decision = decisionNamed(word, id);
    if (decision !== undefined) {
      show(await client().get<DecisionTraceView>(`/v1/lineage/decisions/${encodeURIComponent(decision)}`), (view) => traceText(io, view));
      return 0;
    }
    const node = { kind: kindNamed(word), id: id ?? "" };
    if (!id) throw new UsageError("a kind and an id are needed");
    if (values.decisions) {
      show(await client().get<DecidedWithView>("/v1/lineage/decided-with", node), (view) => decidedWithText(io, view));
      return 0;
    }
    if (values.ids) {
      const { endpoint, release, day, after } = values;
      const limit = wholeNumber("--limit", values.limit ?? "100", PAGE);
      const page = await client().get<MadeWithPageView>("/v1/lineage/decided-with/decisions", {
        ...node,
        endpoint,
        release,
        day,
        after,
        limit,
      });
      show(page, (view) => madeWithText(io, view));
      if (page.next !== null && !values.json) io.note(`more: --after ${page.next}`);
      return 0;
    }
    await showGraphs(io, client(), node, values);
    return 0;
  },
});

/** The id of a decision, where one is named: `dec:…`, or `decision …`. */
function decisionNamed(word: string | undefined, id: string | undefined): string | undefined {
  if (word?.startsWith("dec:")) {
    if (id !== undefined) throw new UsageError(`"${id}" is too much`);
    return word.slice("dec:".length);
  }
  return word === "decision" ? id?.replace(/^dec:/, "") : undefined;
}

function kindNamed(word: string | undefined): LineageView["root"]["kind"] {
  if (!word) throw new UsageError("a kind and an id are needed");
  const kind = KINDS[word] ?? Object.values(KINDS).find((known) => known === word);
  if (kind) return kind;
  const near = nearest(word, [...Object.keys(KINDS), "decision"]);
  throw new UsageError(`there is no kind "${word}"${near ? `; did you mean ${near}?` : ""}`);
}

async function routesAt(client: EvenkeelClient, at: string, endpoint: string | undefined): Promise<RouteAtView[]> {
  const names =
    endpoint === undefined
      ? (await client.get<{ readonly endpoints: readonly EndpointView[] }>("/v1/endpoints")).endpoints.map(({ name }) => name)
      : [endpoint];
  const routes: RouteAtView[] = [];
  for (const name of names) routes.push(await client.get<RouteAtView>(`/v1/endpoints/${encodeURIComponent(name)}/lineage`, { at }));
  return routes;
}

const directions = ["upstream", "downstream"] as const satisfies readonly Direction[];

async function showGraphs(
  io: Io,
  client: EvenkeelClient,
  node: { readonly kind: string; readonly id: string },
  values: { readonly upstream?: boolean; readonly downstream?: boolean; readonly json?: boolean },
): Promise<void> {
  const isBoth = values.upstream === values.downstream;
  const graphs: Partial<Record<Direction, LineageView>> = {};
  for (const direction of directions)
    if (isBoth || values[direction]) graphs[direction] = await client.get<LineageView>("/v1/lineage", { ...node, direction });
  if (values.json) return io.out(JSON.stringify(graphs));
  const texts = directions.flatMap((direction) => (graphs[direction] ? [graphText(io, graphs[direction], direction)] : []));
  return io.out(texts.join("\n\n"));
}
