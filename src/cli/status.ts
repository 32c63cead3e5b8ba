import type { AbView, DrillView, EndpointView, GuardrailStateView, RolloutView } from "../api/index.ts";
import { abText } from "./ab.ts";
import { evidence, moment, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { rolloutText, shadowText } from "./rollout.ts";
import { verb } from "./verb.ts";

export const status = verb({
  name: "status",
  help: `show which releases answer, and how their guardrails stand

usage: evenkeel status [<endpoint>]

With an endpoint, every guardrail and group, and when its rollback was last rehearsed. Exits 3 when a guardrail is breached, an incident is
open, or the endpoint's last rehearsal wasn't passed.

examples:
  evenkeel status
  evenkeel status loans --json`,
  words: 1,
  options: {},
  async run({ positionals: [name], values }, { client, io }) {
    const endpoints = name
      ? [await client().get<EndpointView>(`/v1/endpoints/${encodeURIComponent(name)}`)]
      : (await client().get<{ readonly endpoints: readonly EndpointView[] }>("/v1/endpoints")).endpoints;
    let isProven = true;
    if (values.json) io.out(JSON.stringify(name ? endpoints[0] : endpoints));
    else if (name && endpoints[0]) {
      const path = `/v1/endpoints/${encodeURIComponent(name)}`;
      const { rollout } = await client().get<{ readonly rollout: RolloutView | null }>(`${path}/rollout`);
      const { drills, due } = await client().get<{ readonly drills: readonly DrillView[]; readonly due: string | null }>(`${path}/drills`, {
        limit: 1,
      });
      isProven = drills[0]?.passed !== false;
      const ab = endpoints[0].route.ab ? (await client().get<{ readonly ab: AbView | null }>(`${path}/ab`)).ab : null;
      const parts = [
        ...(rollout ? [rolloutText(io, rollout)] : []),
        ...(ab ? [abText(io, ab)] : []),
        provenText(io, name, drills[0]),
        ...dueText(io, due),
      ];
      io.out([detail(io, endpoints[0]), ...parts].join("\n\n"));
    } else
      io.out(
        table(
          io,
          ["endpoint", "live", "since", "canary", "shadows", "standby", "fallback", "guardrails", "incidents"],
          endpoints.map((one) => row(io, one)),
          "no endpoint yet: evenkeel apply -f <file>",
        ),
      );
    if (!isProven) return 3;
    return endpoints.some(
      ({ guardrails, openIncidents }) => openIncidents.length > 0 || guardrails.some(({ state }) => state === "breached"),
    )
      ? 3
      : 0;
  },
});

/** A way back that nobody has tried is a hope; one that was tried and failed isn't even that. */
function provenText(io: Io, endpoint: string, drill: DrillView | undefined): string {
  if (!drill) return `rollback was never rehearsed: evenkeel drill ${endpoint} --reason "…"`;
  const { at, mode, passed, target, answers, failed } = drill;
  const why = failed + answers > 0 ? `${target} had no answer to ${failed} of ${failed + answers}` : `there was nothing to ask ${target}`;
  const outcome = passed ? "passed" : `${styled(io, "red", "not passed")}, ${why}`;
  return `rollback last rehearsed ${moment(at)} (${mode}): ${outcome}`;
}

function dueText(io: Io, due: string | null): readonly string[] {
  if (due === null) return [];
  const isOverdue = Date.parse(due) < Date.parse(new Date().toISOString());
  return [
    isOverdue ? styled(io, "yellow", `the next rehearsal is overdue since ${moment(due)}`) : `the next rehearsal is due ${moment(due)}`,
  ];
}

function row(io: Io, { name, route, guardrails, openIncidents }: EndpointView): (string | number | null)[] {
  const canary = route.canary ? `${route.canary.release} ${percent(route.canary.share)}` : null;
  return [
    name,
    route.live,
    moment(route.liveSince),
    canary ?? (route.ab ? `A/B ${route.ab.arms.map(({ release }) => release).join(", ")}` : null),
    route.shadows.map(shadowText).join(", ") || null,
    route.standby,
    route.fallback,
    word(io, guardrails),
    openIncidents.join(", ") || null,
  ];
}

function word(io: Io, guardrails: readonly GuardrailStateView[]): string {
  const serving = guardrails.filter(({ arm }) => arm === "serving");
  const count = (state: GuardrailStateView["state"]) => serving.filter((one) => one.state === state).length;
  if (serving.length === 0) return styled(io, "dim", "not watched");
  if (count("breached") > 0) return styled(io, "red", `${count("breached")} breached`);
  if (count("watched") > 0) return styled(io, "yellow", `${count("watched")} watched`);
  if (count("ok") > 0) return styled(io, "green", `${count("ok")} hold`);
  return styled(io, "dim", `${count("no-data")} of ${serving.length} wait`);
}

/** What the loaded models take, each and all together. */
function memoryText({ budgetBytes, usedBytes, loaded }: EndpointView["memory"]): readonly string[] {
  if (loaded.length === 0) return [];
  const each = loaded.map(({ release, ownBytes, isAtRest }) => `${release} ${megabytes(ownBytes)}${isAtRest ? " (at rest)" : ""}`);
  const of = budgetBytes === null ? "" : ` of ${megabytes(budgetBytes)}`;
  return [`memory of models: ${each.join(", ")}; all endpoints ${megabytes(usedBytes)}${of}`];
}
const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;

function detail(io: Io, { name, description, route, guardrails, openIncidents, inputWarnings, memory }: EndpointView): string {
  const held = route.held ? [styled(io, "yellow", `automatic rollouts are held (${route.held.by}: ${route.held.reason})`)] : [];
  const open =
    openIncidents.length > 0
      ? [
          styled(
            io,
            "red",
            `${plural(openIncidents.length, "open incident")}: ${openIncidents.map((n) => `evenkeel incidents ${n}`).join(", ")}`,
          ),
        ]
      : [];
  const unexpected =
    inputWarnings.length > 0
      ? [
          styled(
            io,
            "yellow",
            `inputs are not as expected today: ${[...new Set(inputWarnings.map(({ expectation }) => expectation))].join(", ")} (evenkeel expectations show ${name})`,
          ),
        ]
      : [];
  const places = [
    ["live", route.live, `since ${moment(route.liveSince)}`],
    ...(route.canary
      ? [["canary", route.canary.release, percent(route.canary.share) + (route.canary.when === null ? "" : ` where ${route.canary.when}`)]]
      : []),
    ...(route.ab?.arms ?? []).map(({ release, share }) => ["A/B arm", release, percent(share)]),
    ...route.shadows.map(({ release, share }) => ["shadow", release, share < 1 ? percent(share) : ""]),
    ["standby", route.standby, ""],
    ["fallback", route.fallback, ""],
    ...route.condemned.map((release) => ["condemned", release, ""]),
  ];
  const states = guardrails.map((one) => [
    one.release,
    one.arm,
    one.guardrail,
    one.group,
    one.state,
    one.groupDecisions,
    ratio(one.estimate),
    one.band ? `${ratio(one.band.low)} to ${ratio(one.band.high)}` : null,
    ratio(one.limit),
    `${evidence(one.evidence)} of ${evidence(one.threshold)}`,
  ]);
  return [
    `${styled(io, "bold", name)}  ${description}`,
    `generation ${route.generation}`,
    table(io, ["place", "release", ""], places),
    ...memoryText(memory),
    ...held,
    ...open,
    ...unexpected,
    "",
    table(
      io,
      ["release", "arm", "guardrail", "group", "state", "n", "estimate", "band", "limit", "evidence"],
      states,
      "no guardrail watches this endpoint",
    ),
  ].join("\n");
}
