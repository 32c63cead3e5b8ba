/** A body that each writing route would take, with every field that it knows: what tests over all routes spoil, one place at a time. */
import type { LendingServer } from "./lending-server.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Body {
  readonly value: Json;
  /** Pointers of what may be left out. */
  readonly optional?: readonly string[];
  /** Pointers of what may be null. */
  readonly nullable?: readonly string[];
  /** Pointers of what may be a text, a number or a flag. */
  readonly loose?: readonly string[];
  /** Pointers of objects that take any key. */
  readonly open?: readonly string[];
}

const command = { reason: "because", commandId: "command-1", generation: 1 };
const optionalOfCommand = ["/commandId", "/generation"];
const shapes = ["inputs", "outputs"].flatMap((side) => [0, 1].map((axis) => `/signature/${side}/0/shape/${axis}`));
/** Of an example: whatever a feature may be, and null where it is missing. */
const cells = ["/examples/rows/0/0", "/examples/rows/0/1"];
const node = { kind: "run", id: "x" };

/** By the operation's name. */
export function bodiesFor({ known }: LendingServer): Readonly<Record<string, Body>> {
  const blob = known["blobs/id"] ?? "";
  const release: Body = { value: { release: "r2", ...command }, optional: optionalOfCommand };
  return {
    "POST /v1/session": { value: { token: "ek_viewer_000000000000" } },
    "POST /v1/tokens": {
      value: { name: "ana", role: "analyst", endpoints: ["loans"], grants: ["protected:read"], expiresInDays: 30 },
      optional: ["/endpoints", "/endpoints/0", "/grants", "/grants/0", "/expiresInDays"],
    },
    "POST /v1/endpoints/{endpoint}/decisions": {
      value: { inputs: { income: 40, education: "university" }, groups: { education: "university" }, subject: "p-1" },
      optional: ["/groups", "/groups/education", "/subject"],
      nullable: ["/groups/education", "/subject"],
    },
    "POST /v1/endpoints/{endpoint}/decisions/batch": {
      value: {
        applications: [
          { inputs: { income: 40, education: "university" }, groups: { education: "university" }, subject: "p-1", key: "row-1" },
        ],
      },
      optional: [
        "/applications/0",
        "/applications/0/groups",
        "/applications/0/groups/education",
        "/applications/0/subject",
        "/applications/0/key",
      ],
      nullable: ["/applications/0/groups/education", "/applications/0/subject", "/applications/0/key"],
    },
    "POST /v1/endpoints/{endpoint}/outcomes": {
      value: { outcomes: [{ decision: known["decisions/id"] ?? "", value: "repaid", at: "2026-01-02T03:04:05Z" }] },
      optional: ["/outcomes/0/at"],
    },
    "POST /v1/endpoints/{endpoint}/guardrails/simulation": {
      value: { guardrails: [], budget: 0.01, release: "r1", from: "2026-01-02T00:00:00Z", to: "2026-01-03T00:00:00Z" },
      optional: ["/guardrails", "/budget", "/release", "/from", "/to"],
    },
    "POST /v1/apply": { value: { yaml: "kind: endpoint", dryRun: false }, optional: ["/dryRun"] },
    "POST /v1/endpoints/{endpoint}/releases": {
      value: {
        kind: "release",
        endpoint: "loans",
        name: "new",
        description: "a new one",
        scorer: { kind: "rules", rules: [{ when: "income > 1", score: 1, reason: "income" }], otherwise: { score: 0, reason: "none" } },
        features: {
          name: "loans",
          features: [{ name: "income", from: "income", text: "what they earn", reason: "The income is low", code: "R1" }],
        },
        policy: {
          bands: [
            { action: "deny", from: 0, to: 0.5, reason: "too little" },
            { action: "approve", from: 0.5, to: 1, reason: "enough" },
          ],
        },
        origin: { run: "x", pipeline: "loans", commit: "0" },
      },
      optional: [
        "/kind",
        "/endpoint",
        "/name",
        "/description",
        "/features",
        "/origin",
        "/origin/run",
        "/origin/pipeline",
        "/origin/commit",
        "/scorer/rules/0",
        "/scorer/rules/0/reason",
        "/scorer/otherwise/reason",
        "/features/features/0/text",
        "/features/features/0/reason",
        "/features/features/0/code",

        "/policy/bands/0",
        "/policy/bands/1",
        "/policy/bands/0/to",
        "/policy/bands/1/to",
        "/policy/bands/0/reason",
        "/policy/bands/1/reason",
      ],
    },
    "POST /v1/endpoints/{endpoint}/shadow": {
      value: { release: "r2", share: 0.5, ...command },
      optional: ["/share", ...optionalOfCommand],
    },
    "POST /v1/endpoints/{endpoint}/promote": release,
    "POST /v1/endpoints/{endpoint}/stop": release,
    "POST /v1/endpoints/{endpoint}/reinstate": release,
    "POST /v1/endpoints/{endpoint}/ab": {
      value: {
        arms: [
          { release: "r2", weight: 1 },
          { release: "r1", weight: 1 },
        ],
        answers: 100,
        for: "7d",
        ...command,
      },
      optional: ["/arms/0/weight", "/arms/1/weight", "/answers", "/for", ...optionalOfCommand],
    },
    "POST /v1/endpoints/{endpoint}/ab/end": { value: command, optional: optionalOfCommand },
    "POST /v1/endpoints/{endpoint}/canary": {
      value: { release: "r2", share: 0.1, when: "income < 50", ...command },
      optional: ["/when", ...optionalOfCommand],
    },
    "POST /v1/endpoints/{endpoint}/rollback": {
      value: { to: "r1", condemn: true, ...command },
      optional: ["/to", "/condemn", ...optionalOfCommand],
    },
    "POST /v1/endpoints/{endpoint}/rollout": {
      value: { release: "r2", rollout: { steps: [{ place: "canary", share: 0.1 }] }, ...command },
      optional: ["/rollout", "/rollout/steps/0", ...optionalOfCommand],
    },
    ...Object.fromEntries(
      ["approve", "pause", "continue", "abort"].map((act) => [
        `POST /v1/endpoints/{endpoint}/rollout/${act}`,
        { value: command, optional: optionalOfCommand },
      ]),
    ),
    "POST /v1/endpoints/{endpoint}/drills": { value: { mode: "replay", reason: "because" } },
    "POST /v1/endpoints/{endpoint}/resume": { value: command, optional: optionalOfCommand },
    "POST /v1/incidents/{n}/state": { value: { to: "in_review", reason: "because" } },
    "POST /v1/incidents/{n}/blame": {
      value: {
        groups: [{ members: ["data"], mergedBecause: null }],
        hybrids: [
          { mask: 0, seed: 1, model: blob, featureSet: blob },
          { mask: 1, seed: 1, model: blob, featureSet: blob },
        ],
      },
      optional: ["/hybrids/0/featureSet", "/hybrids/1/featureSet"],
      nullable: ["/groups/0/mergedBecause"],
    },
    "POST /v1/datasets/{dataset}/tags": {
      value: { tag: "clean", number: 1, reason: "because", expected: 1 },
      optional: ["/expected"],
      nullable: ["/number", "/expected"],
    },
    "POST /v1/datasets/{dataset}/pins": { value: { number: 1, isPinned: true, reason: "because" } },
    "POST /v1/datasets/{dataset}/protected-tags": { value: { tag: "clean", isProtected: true, reason: "because" } },
    "POST /v1/dataset-sweep": { value: { isTrial: true, olderThanDays: 30 }, optional: ["/olderThanDays"] },
    "POST /v1/dataset-redactions": {
      value: { subject: "p-1", reference: "R-1", dataset: "people", column: "id" },
      optional: ["/dataset", "/column"],
    },
    "POST /v1/feature-sets": {
      value: {
        name: "loans",
        features: [
          { name: "income", from: "income", text: "what they earn", reason: "The income is low", code: "R1" },
          { name: "rich", cel: "income > 50.0", text: "whether that is much" },
        ],
      },
      optional: ["/features/0", "/features/1", "/features/0/text", "/features/0/reason", "/features/0/code", "/features/1/text"],
    },
    "POST /v1/runs": {
      value: { experiment: "loans", name: "second", params: { depth: 3 }, tags: { by: "ana" }, inputs: [node] },
      optional: ["/params", "/params/depth", "/tags", "/tags/by", "/inputs", "/inputs/0"],
      loose: ["/params/depth"],
      open: ["/params", "/tags"],
    },
    "POST /v1/runs/{run}/log": {
      value: {
        params: { depth: 3 },
        tags: { by: "ana" },
        metrics: [{ key: "auc", value: 0.7, step: 1, atMs: 1 }],
        artifacts: [{ path: "plots/roc.svg", blob }],
      },
      optional: [
        "/params",
        "/params/depth",
        "/tags",
        "/tags/by",
        "/metrics",
        "/metrics/0",
        "/artifacts",
        "/artifacts/0",
        "/metrics/0/step",
        "/metrics/0/atMs",
      ],
      loose: ["/params/depth"],
      open: ["/params", "/tags"],
    },
    "POST /v1/runs/{run}/links": {
      value: { inputs: [node], outputs: [node] },
      optional: ["/inputs", "/inputs/0", "/outputs", "/outputs/0"],
    },
    "POST /v1/runs/{run}/finish": { value: { status: "finished" } },
    "POST /v1/models/{model}/versions": {
      value: {
        blob,
        signature: {
          inputs: [{ name: "x", type: "float32", shape: ["N", 2] }],
          outputs: [{ name: "score", type: "float32", shape: ["N", 1] }],
          features: ["income", "zero"],
          scoreOutput: "score",
        },
        features: ["income", "zero"],
        featureSet: "loans/1",
        run: known["run"] ?? "",
        output: "score",
        examples: { rows: [[1, 0]], tolerance: 0.1 },
      },
      optional: [
        "/output",
        "/examples",
        "/examples/tolerance",
        "/signature",
        "/features",
        "/featureSet",
        "/run",
        "/features/0",
        "/features/1",
        "/signature/features/0",
        "/signature/features/1",
        "/signature/inputs/0",
        "/signature/outputs/0",
        ...shapes,
      ],
      loose: [...shapes, ...cells],
      nullable: [...shapes, ...cells],
    },
    "POST /v1/models/{model}/aliases": {
      value: { alias: "champion", number: 1, reason: "because", expected: 1 },
      optional: ["/expected"],
      nullable: ["/number", "/expected"],
    },
    "POST /v1/models/{model}/protected-aliases": { value: { alias: "champion", isProtected: true, reason: "because" } },
    "POST /v1/sinks/{sink}/pause": { value: { reason: "because" } },
    "POST /v1/sinks/{sink}/resume": { value: { reason: "because" } },
    "POST /v1/alerts/{alert}/acknowledge": { value: { reason: "because" } },
    "POST /v1/alert-silences": {
      value: { alert: "incident/1", endpoint: "loans", kind: "incident", guardrail: "parity", for: "1h", reason: "because" },
      optional: ["/alert", "/endpoint", "/kind", "/guardrail"],
    },
    "POST /v1/alert-silences/{silence}/end": { value: { reason: "because" } },
    "POST /v1/alert-tests": { value: { channel: "nobody" }, optional: ["/channel"] },
    "POST /v1/alert-notices/{notice}/resend": { value: { reason: "because" } },
    "POST /v1/steps": {
      value: {
        key: `step:${"1".repeat(64)}`,
        pipeline: "loans",
        step: "train",
        outs: { model: blob },
        metrics: { auc: 0.7 },
        log: "done",
        durationMs: 1,
        facts: blob,
      },
      optional: ["/outs/model", "/metrics/auc", "/facts"],
      open: ["/outs", "/metrics"],
    },
    "POST /v1/steps/{key}/repeats": {
      value: { outs: { model: blob }, metrics: { auc: 0.7 }, durationMs: 1 },
      optional: ["/outs/model", "/metrics/auc"],
      open: ["/outs", "/metrics"],
    },
  };
}

/** Every place in a value, with its pointer; the value itself is the first, at `""`. */
export function placesIn(value: Json, pointer = ""): readonly { readonly pointer: string; readonly value: Json }[] {
  const inner =
    typeof value === "object" && value !== null ? Object.entries(value).flatMap(([key, item]) => placesIn(item, `${pointer}/${key}`)) : [];
  return [{ pointer, value }, ...inner];
}

/** The value with another one at a pointer; without it, for undefined. */
export function spoiled(value: Json, pointer: string, other: Json | undefined): Json {
  const [key, ...rest] = pointer.split("/").slice(1);
  if (key === undefined || typeof value !== "object" || value === null) return other ?? null;
  const below = rest.length > 0 ? `/${rest.join("/")}` : "";
  if (isList(value))
    return value.flatMap((item, i) => (String(i) === key ? (below || other !== undefined ? [spoiled(item, below, other)] : []) : [item]));
  const { [key]: item = null, ...others } = value;
  return below || other !== undefined ? { ...others, [key]: spoiled(item, below, other) } : others;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
