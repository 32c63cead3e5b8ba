import type { DrillView, RollbackPreviewView, RolloutView, SwitchView } from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { readYaml } from "./files.ts";
import { milliseconds, moment, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

const pathOf = (endpoint: string, rest: string) => `/v1/endpoints/${encodeURIComponent(endpoint)}/${rest}`;
const STRATEGIES = ["all_at_once", "canary", "shadow_first", "blue_green"];
const ACTS = ["approve", "pause", "continue", "abort"];

export const rollout = verb({
  name: "rollout",
  help: `bring a release to everybody step by step, and see what it waits for

usage: evenkeel rollout <endpoint>                                                              what is under way, and what it waits for
       evenkeel rollout start <endpoint> <release> [--strategy <name> | --plan <file>] --reason <text>
       evenkeel rollout approve|pause|continue|abort <endpoint> --reason <text>

strategies: canary (the default: 5, 25, 50 %) · shadow_first · blue_green · all_at_once; a plan is a YAML file with steps

A rollout goes on by itself once a step has counted enough people for long enough and no guardrail is breached; a breach ends it.
Whoever started it can't approve it.

examples:
  evenkeel rollout start loans r2 --strategy shadow_first --reason "new model of March"
  evenkeel rollout approve loans --reason "looked at the shadow's answers"`,
  words: 3,
  options: { strategy: { type: "string" }, plan: { type: "string" }, reason: { type: "string" } },
  async run({ positionals: [first, second, third], values }, { client, io, cwd }) {
    if (!first) throw new UsageError("which endpoint?");
    if (first !== "start" && !ACTS.includes(first)) {
      if (second) throw new UsageError(`a rollout can start, ${ACTS.join(", ")}; "${first}" is none of it`);
      const { rollout: found } = await client().get<{ readonly rollout: RolloutView | null }>(pathOf(first, "rollout"));
      if (values.json) io.out(JSON.stringify({ rollout: found }));
      else io.out(found ? rolloutText(io, found) : `no rollout of ${first} is under way`);
      return 0;
    }
    if (!second || !values.reason) throw new UsageError(`${first} needs an endpoint and --reason`);
    if (first !== "start") {
      if (third) throw new UsageError(`"${third}" is too much`);
      return told(io, await client().post<SwitchView>(pathOf(second, `rollout/${first}`), { reason: values.reason }), values.json);
    }
    if (!third) throw new UsageError("which release?");
    if (values.strategy !== undefined && values.plan !== undefined) throw new UsageError("either --strategy or --plan");
    if (values.strategy !== undefined && !STRATEGIES.includes(values.strategy))
      throw new UsageError(`--strategy takes ${STRATEGIES.join(", ")}, not "${values.strategy}"`);
    const plan = values.plan === undefined ? (values.strategy ?? "canary") : await readYaml(cwd, values.plan);
    const started = await client().post<SwitchView>(pathOf(second, "rollout"), { release: third, rollout: plan, reason: values.reason });
    return told(io, started, values.json);
  },
});

function told(io: Io, done: SwitchView, isJson: boolean | undefined): number {
  const { route, undo } = done;
  if (isJson) io.out(JSON.stringify(done));
  else {
    const canary = route.canary ? `, ${route.canary.release} ${percent(route.canary.share)}` : "";
    const shadows = route.shadows.length > 0 ? `, shadows ${route.shadows.map(shadowText).join(", ")}` : "";
    io.out(`${styled(io, "bold", route.live)} live${canary}${shadows}, generation ${route.generation}`);
    io.note(`undo: ${undo}`);
  }
  return 0;
}

/** `r3`, or `r3 10 %` where it answers only some. */
export const shadowText = ({ release, share }: SwitchView["route"]["shadows"][number]): string =>
  share < 1 ? `${release} ${percent(share)}` : release;

export function rolloutText(io: Io, { release, step, steps, since, isPaused, waitsFor, startedBy }: RolloutView): string {
  const rows = steps.map(({ place, share, when, minDecisions, bakeSeconds, approval, replay, guardrails }, i) => [
    i + 1 === step ? styled(io, "bold", `${i + 1}`) : `${i + 1}`,
    share === null ? place : `${place} ${percent(share)}`,
    minDecisions || null,
    bakeSeconds > 0 ? `${bakeSeconds / 60} min` : null,
    [
      ...(when === null ? [] : [`where ${when}`]),
      ...guardrails,
      ...(replay > 0 ? [`replay of ${replay}`] : []),
      ...(approval ? ["approval"] : []),
    ].join(", ") || null,
  ]);
  const waits = waitsFor.length > 0 ? waitsFor.map((one) => `  waits for ${one}`) : ["  goes on at the next look"];
  return [
    `${styled(io, "bold", release)} is in step ${step} of ${steps.length} since ${moment(since)}${isPaused ? ", paused" : ""}; started by ${startedBy}`,
    ...waits,
    table(io, ["step", "place", "people", "at least", "also"], rows),
  ].join("\n");
}

/** What `rollback --dry-run` says. */
export async function showPreview(
  client: EvenkeelClient,
  io: Io,
  asked: { readonly endpoint: string; readonly to?: string; readonly isJson: boolean },
): Promise<number> {
  const path = pathOf(asked.endpoint, "rollback/preview");
  const found = await client.get<{ readonly preview: RollbackPreviewView | null; readonly why: string | null }>(path, { to: asked.to });
  if (asked.isJson) io.out(JSON.stringify(found));
  else io.out(found.preview ? previewText(io, found.preview) : (found.why ?? "there is nothing to roll back to"));
  return found.preview ? 0 : 1;
}

function previewText(io: Io, preview: RollbackPreviewView): string {
  const { from, to, isFallback, isWarm, expectedMs, asked, unanswered, better, worse, groups, guardrails } = preview;
  const ready = isWarm ? "loaded and proven" : "not loaded: it would be loaded first";
  const time = expectedMs === null ? "no change was measured since the start" : `about ${milliseconds(expectedMs)}`;
  return [
    `${from} → ${styled(io, "bold", to)}${isFallback ? " (the fallback)" : ""}: ${ready}; ${time}`,
    asked === 0
      ? `${from} has answered nobody yet, so nothing can be compared`
      : `of the latest ${plural(asked, "application")}, ${better} would get a better answer and ${worse} a worse one${unanswered > 0 ? `; ${unanswered} would get none` : ""}`,
    table(
      io,
      ["group", "people", "better", "worse"],
      groups.map(({ group, people, better: up, worse: down }) => [group, people, up, down]),
      "",
    ),
    table(
      io,
      ["guardrail", "group", "ratio", "limit", ""],
      guardrails.map(({ guardrail, group, estimate, limit, wouldBreach }) => [
        guardrail,
        group,
        ratio(estimate),
        ratio(limit),
        wouldBreach ? styled(io, "red", "would be breached") : null,
      ]),
      "",
    ),
    "nothing was changed",
  ]
    .filter(Boolean)
    .join("\n");
}

export const drill = verb({
  name: "drill",
  help: `rehearse a rollback, and see when it was last proven to work

usage: evenkeel drill <endpoint> --reason <text> [--mode replay|live]
       evenkeel drill <endpoint> --list

  --mode replay  the target answers recent applications; nobody notices (the default)
  --mode live    the target answers everybody for two seconds, then what was live comes back

Exits 1 when the drill did not pass.

examples:
  evenkeel drill loans --reason "before the release of March"
  evenkeel drill loans --mode live --reason "monthly rehearsal"
  evenkeel drill loans --list`,
  words: 1,
  options: { mode: { type: "string" }, reason: { type: "string" }, list: { type: "boolean" } },
  async run({ positionals: [endpoint], values }, { client, io }) {
    if (!endpoint) throw new UsageError("which endpoint?");
    if (values.list) {
      const { drills } = await client().get<{ readonly drills: readonly DrillView[] }>(pathOf(endpoint, "drills"));
      if (values.json) io.out(JSON.stringify({ drills }));
      else io.out(drillTable(io, drills, endpoint));
      return 0;
    }
    const mode = values.mode ?? "replay";
    if (mode !== "live" && mode !== "replay") throw new UsageError(`--mode takes replay or live, not "${mode}"`);
    if (!values.reason) throw new UsageError("--reason is needed: it stands in the audit log");
    const done = await client().post<DrillView>(pathOf(endpoint, "drills"), { mode, reason: values.reason });
    if (values.json) io.out(JSON.stringify(done));
    else io.out(drillTable(io, [done], endpoint));
    return done.passed ? 0 : 1;
  },
});

const drillTable = (io: Io, drills: readonly DrillView[], endpoint: string): string =>
  table(
    io,
    ["at", "mode", "from", "to", "there", "back", "answers", "failed", ""],
    drills.map(({ at, mode, live, target, thereMs, backMs, answers, failed, passed }) => [
      moment(at),
      mode,
      live,
      target,
      thereMs === null ? null : milliseconds(thereMs),
      backMs === null ? null : milliseconds(backMs),
      answers,
      failed,
      passed ? styled(io, "green", "passed") : styled(io, "red", "not passed"),
    ]),
    `no rollback of ${endpoint} was ever rehearsed: evenkeel drill ${endpoint} --reason "…"`,
  );
