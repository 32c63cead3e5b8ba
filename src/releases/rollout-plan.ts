/** How a release is to reach everybody: steps as people declare them, and as they are kept with the rollout. Pure. */
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";
import { Duration, millisecondsOf } from "../duration.ts";
import { err, ok, type Issue, type Result } from "../std.ts";

const StepSpec = Type.Object(
  {
    place: Type.Enum(["none", "shadow", "canary"], { description: "Where the release answers in this step; none: it only waits, warm" }),
    share: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: "Of the subjects; for a canary (below 1), or a shadow that answers only some",
      }),
    ),
    when: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: "A canary's condition over the inputs, in CEL, blind to groups; the share is of those whom it holds for",
      }),
    ),
    min_decisions: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9, description: "People counted in this step before it can end" })),
    bake: Type.Optional(Duration),
    guardrails: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 50,
        description: "Must have data and hold; whatever is breached ends the rollout in any case",
      }),
    ),
    replay: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: "Answers so many of the latest applications first, and must breach nothing there",
      }),
    ),
    approval: Type.Optional(Type.Boolean({ description: "Goes on only once somebody else than who started the rollout has approved" })),
  },
  { additionalProperties: false },
);

const Named = Type.Enum(["all_at_once", "canary", "shadow_first", "blue_green"]);
const Steps = Type.Object({ steps: Type.Array(StepSpec, { minItems: 1, maxItems: 20 }) }, { additionalProperties: false });

/** A step with everything said. After the last one the release is live. */
export const RolloutStep = object({
  place: Type.Union([Type.Literal("none"), Type.Literal("shadow"), Type.Literal("canary")]),
  /** Null in no place, and for a shadow of everybody. */
  share: Type.Union([Type.Number(), Type.Null()]),
  /** A canary's condition; for everybody when left out. */
  when: Type.Optional(Type.String()),
  minDecisions: Type.Integer(),
  bakeMs: Type.Integer(),
  guardrails: Type.Array(Type.String()),
  /** Applications to be replayed; 0 for none. */
  replay: Type.Integer(),
  approval: Type.Boolean(),
});
export type RolloutStep = Readonly<Static<typeof RolloutStep>>;

const step = (changes: Partial<RolloutStep> & Pick<RolloutStep, "place">): RolloutStep => ({
  share: null,
  minDecisions: 0,
  bakeMs: 0,
  guardrails: [],
  replay: 0,
  approval: false,
  ...changes,
});
const MINUTE_MS = 60_000;
const canary: readonly RolloutStep[] = [
  step({ place: "canary", share: 0.05, minDecisions: 200, bakeMs: 10 * MINUTE_MS }),
  step({ place: "canary", share: 0.25, minDecisions: 500, bakeMs: 10 * MINUTE_MS }),
  step({ place: "canary", share: 0.5, minDecisions: 1000, bakeMs: 10 * MINUTE_MS }),
];
/** What the names mean. `blue_green`: the new release stands beside the old one, proves itself on recent applications, then takes all at once. */
const NAMED = {
  all_at_once: [],
  canary,
  shadow_first: [step({ place: "shadow", minDecisions: 500, bakeMs: 10 * MINUTE_MS }), ...canary],
  blue_green: [step({ place: "none", replay: 300 })],
} as const satisfies Record<string, readonly RolloutStep[]>;

/** A canary's people can't be taken back into a shadow, nor may its share shrink: that would be another rollout. */
const RANK = { none: 0, shadow: 1, canary: 2 } as const;
const MIN_DECISIONS = { none: 0, shadow: 200, canary: 200 } as const;

const parseNamed = checked(Named);
const parseSteps = checked(Steps);

/**
 * @param guardrails - names that the endpoint declares
 * @param needsApproval - the endpoint asks for a second person: somebody else approves before anybody is answered by the release
 * @returns the steps; none for a release that is to be live at once. Issues have paths into `value`
 */
export function parsePlan(
  value: unknown,
  guardrails: readonly string[],
  needsApproval: boolean,
): Result<readonly RolloutStep[], readonly Issue[]> {
  if (typeof value === "string") {
    const named = parseNamed(value);
    return named.ok ? ok(needsApproval ? approved(NAMED[named.value]) : NAMED[named.value]) : named;
  }
  const parsed = parseSteps(value);
  if (!parsed.ok) return parsed;
  const spec = parsed.value;
  const issues: Issue[] = [];
  let before: RolloutStep | undefined;
  const steps = spec.steps.map((one, i) => {
    const made = step({
      place: one.place,
      share: one.share ?? null,
      ...(one.when === undefined ? {} : { when: one.when }),
      minDecisions: one.min_decisions ?? MIN_DECISIONS[one.place],
      bakeMs: one.bake === undefined ? 0 : millisecondsOf(one.bake),
      guardrails: one.guardrails ?? [],
      replay: one.replay ?? 0,
      approval: one.approval ?? false,
    });
    const at = `/steps/${i}`;
    if (one.place === "canary" && (one.share === undefined || one.share === 1))
      issues.push({ path: `${at}/share`, expected: "a canary's share, above 0 and below 1", got: String(one.share ?? "nothing") });
    if (one.place === "none" && one.share !== undefined)
      issues.push({ path: `${at}/share`, expected: "no share: nobody is answered in this step", got: String(one.share) });
    if (one.place !== "canary" && one.when !== undefined)
      issues.push({ path: `${at}/when`, expected: "no condition: only a canary has one", got: one.when });
    // Whom the canary answers it goes on answering: a condition may fall away, and may not change or come.
    if (before?.place === "canary" && made.when !== undefined && made.when !== before.when)
      issues.push({ path: `${at}/when`, expected: before.when ?? "no condition, as in the step before", got: made.when });
    if (one.place === "none" && made.minDecisions > 0)
      issues.push({ path: `${at}/min_decisions`, expected: "0: nobody is answered in this step", got: String(made.minDecisions) });
    for (const [j, name] of made.guardrails.entries())
      if (!guardrails.includes(name))
        issues.push({
          path: `${at}/guardrails/${j}`,
          expected:
            guardrails.length > 0 ? `a guardrail of the endpoint: ${guardrails.join(", ")}` : "nothing: the endpoint has no guardrail",
          got: name,
        });
    if (before && RANK[made.place] < RANK[before.place])
      issues.push({
        path: `${at}/place`,
        expected: `${before.place} or further on`,
        got: made.place,
        hint: "steps go none, shadow, canary",
      });
    if (before?.place === made.place && before.share && made.share !== null && made.share < before.share)
      issues.push({ path: `${at}/share`, expected: `${before.share} or more, as in the step before`, got: String(made.share) });
    before = made;
    return made;
  });
  if (issues.length > 0) return err(issues);
  return ok(needsApproval ? approved(steps) : steps);
}

/** Puts the approval where it must be at the latest: before the first step in which people are answered by the release. */
function approved(steps: readonly RolloutStep[]): readonly RolloutStep[] {
  if (isApprovedFirst(steps)) return steps;
  const canaryAt = steps.findIndex(({ place }) => place === "canary");
  const before = canaryAt < 0 ? steps : steps.slice(0, canaryAt);
  const last = before.at(-1);
  return [...before.slice(0, -1), { ...(last ?? step({ place: "none" })), approval: true }, ...steps.slice(before.length)];
}

/** Whether somebody must approve before anybody is answered by the release. */
export function isApprovedFirst(steps: readonly RolloutStep[]): boolean {
  const approvalAt = steps.findIndex(({ approval }) => approval);
  const canaryAt = steps.findIndex(({ place }) => place === "canary");
  return approvalAt >= 0 && (canaryAt < 0 || approvalAt < canaryAt);
}
