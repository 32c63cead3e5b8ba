/** A running test, and how it is stored: with the counts that it has consumed, its plan, and its breach if it has one. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import type { ArmClass } from "../decisions/index.ts";
import { canonicalJson, contentId, sha256Hex, type Schema } from "../store/index.ts";
import { err, ok, type EndpointName, type ReleaseId, type Result } from "../std.ts";
import type { Cumulative } from "./blocks.ts";
import { isMean, startAny, widthOf, type AnyDefinition, type AnyState } from "./any-test.ts";
import { isMetric, metricOf, type Direction, type MetricName } from "./metrics.ts";
import type { Counted, PlannedTest } from "./plan.ts";
import { TEST_VERSION } from "./sequential-test.ts";

const Numbers = Type.Array(Type.Number());
const Bettors = {
  v: Type.Literal(TEST_VERSION),
  logR: Numbers,
  info: Numbers,
  blocks: Type.Number(),
  logE: Type.Number(),
  maxLogE: Type.Number(),
};
const Memory = Type.Array(Type.Object({ n: Type.Number(), k: Type.Number() }));

/** Why a test can't say anything of its counts for now: what it would bet on isn't what its guardrail is about. */
export const Obstacle = Type.Object({
  word: Type.Union([Type.Literal("not-comparable"), Type.Literal("not-identifiable")]),
  why: Type.String(),
});
export type Obstacle = Static<typeof Obstacle>;

const StoredState = Type.Object({
  /** 0: planned when the release started. Else the number of the change that added it, which is paid from the reserve. */
  addition: Type.Integer(),
  /** Its guardrail is no longer declared so. It doesn't go on; declared again, another one starts. */
  hasEnded: Type.Boolean(),
  /** What the counts consumed can be compared with (`substitutions` in counting.ts); null: with nothing. */
  context: Type.Union([Type.String(), Type.Null()]),
  test: Type.Unsafe<AnyState>(
    Type.Union([Type.Object({ ...Bettors, memory: Memory }), Type.Object({ ...Bettors, n: Type.Number(), q: Type.Number() })]),
  ),
  likeForLike: Type.Object({ r: Type.Number(), s: Type.Number(), p: Type.Number() }),
  /** While there is one, what comes in is not bet on. */
  obstacle: Type.Optional(Type.Union([Obstacle, Type.Null()])),
  /** When it began to count; left out by earlier versions. */
  sinceMs: Type.Optional(Type.Number()),
  /** After the latest blocks. For forecasts. */
  recent: Type.Array(Type.Object({ decisions: Type.Number(), logE: Type.Number() })),
});
/** What a test has come to. */
export type StoredState = Static<typeof StoredState>;

/** Proof that a guardrail is not kept. Latched: stored before anything acts on it, and never taken back. */
export const Breach = Type.Object(
  {
    /** Id of the test: acting on the same breach twice can be told by it. */
    test: Type.String(),
    endpoint: Type.Unsafe<EndpointName>(Type.String()),
    release: Type.Unsafe<ReleaseId>(Type.String()),
    armClass: Type.Unsafe<ArmClass>(Type.String()),
    guardrail: Type.String(),
    metric: Type.Unsafe<MetricName>(Type.String()),
    action: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("roll_back"), Type.Literal("fall_back")]),
    limit: Type.Number(),
    /** The harmed group, by attribute; empty for everybody. */
    group: Type.Record(Type.String(), Type.String()),
    groupLabel: Type.String(),
    /** `rest`, or the value that the group was compared with; null for a metric that compares with nothing. */
    reference: Type.Union([Type.String(), Type.Null()]),
    /**
     * Counted decisions and favourable ones, of the group and of its reference (0 where there is nothing to compare with).
     * `fallback_rate`: requests and those that somebody else answered. `flips_to_worse`: flips and those to the worse.
     */
    groupN: Type.Number(),
    groupK: Type.Number(),
    referenceN: Type.Number(),
    referenceK: Type.Number(),
    /** Both sides together. */
    decisions: Type.Number(),
    /** Logarithm of the evidence: the bettor's wealth from one coin. */
    logE: Type.Number(),
    /** Logarithm of the evidence that was needed: 1/α. */
    threshold: Type.Number(),
    alpha: Type.Number(),
    block: Type.Number(),
    provenAtMs: Type.Number(),
    /** Share of the group's decisions by the token that sent them, the largest first. */
    sources: Type.Array(Type.Object({ source: Type.String(), share: Type.Number() })),
    /** The token without whose requests the others' would bring less than half of what their share should; null: none. */
    restsOn: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    /** Evidence (its logarithm) without each token, where several sent decisions. */
    without: Type.Optional(Type.Array(Type.Object({ source: Type.String(), share: Type.Number(), logE: Type.Number() }))),
    direction: Type.Optional(Type.Unsafe<Direction>(Type.String())),
    /** The pooled estimate, and its band for all times, where the counts above don't say it. */
    figures: Type.Optional(
      Type.Object({
        estimate: Type.Union([Type.Number(), Type.Null()]),
        band: Type.Object({ low: Type.Number(), high: Type.Union([Type.Number(), Type.Null()]) }),
      }),
    ),
  },
  { title: "Breach" },
);
export type Breach = Static<typeof Breach>;

const StoredPlan = Type.Object({
  guardrail: Type.String(),
  metric: Type.Unsafe<MetricName>(Type.String()),
  action: Breach.properties.action,
  group: Type.Record(Type.String(), Type.String()),
  groupLabel: Type.String(),
  reference: Type.Union([Type.String(), Type.Null()]),
  /** These three were the metric's own where they are left out. */
  counted: Type.Optional(Type.Unsafe<Counted>(Type.Object({ kind: Type.String() }))),
  direction: Type.Optional(Type.Unsafe<Direction>(Type.String())),
  limit: Type.Optional(Type.Number()),
  definition: Type.Unsafe<AnyDefinition>(
    Type.Object({
      kind: Type.String(),
      limit: Type.Number(),
      dependence: Type.Number(),
      prior: Type.Union([Numbers, Type.Null()]),
      priorN: Type.Number(),
      edges: Type.Optional(Numbers),
    }),
  ),
});
const parseState = checked(Type.Object({ plan: StoredPlan, state: StoredState }));
const parseConsumed = checked(Type.Object({ n: Numbers, k: Numbers }));
const parseBreach = checked(Breach);
const parseBegun = checked(
  Type.Object({
    plan: StoredPlan,
    alpha: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
    addition: Type.Integer({ minimum: 0 }),
    sinceMs: Type.Number(),
  }),
);

/** A test as the evaluator holds it. */
export interface RunningTest {
  readonly id: string;
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  readonly epoch: number;
  readonly plan: PlannedTest;
  readonly state: StoredState;
  readonly consumed: Cumulative;
  readonly breach: Breach | null;
  /** Why it is paused; null while it runs. */
  readonly paused: string | null;
}

/** The life of a release that tests belong to. */
export interface TestOwner {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  /** How often the release was reinstated. */
  readonly epoch: number;
}

const NOT_ABOUT_FAVOURABLE: ReadonlySet<Counted["kind"]> = new Set(["substitutions", "actions", "slow", "scores"]);

/**
 * Content id of what a test claims: another limit, group, reference or favourable action is another claim, and so is a new life of
 * the release.
 */
export function claimOf({ endpoint, release, armClass, epoch }: TestOwner, plan: PlannedTest, favourable: ReadonlySet<string>): string {
  const { guardrail, metric, group, reference, definition, direction, counted } = plan;
  const isAboutFavourable = !NOT_ABOUT_FAVOURABLE.has(counted.kind);
  // What goes without saying isn't said: claims of earlier versions are the same ones.
  const more = {
    ...(direction === metricOf(metric).unlessSaid ? {} : { direction }),
    ...(counted.kind === "actions" || counted.kind === "outcomes" || counted.kind === "slow" ? { counted } : {}),
  };
  const named = isAboutFavourable ? [...favourable].toSorted() : [];
  return contentId("test", {
    endpoint,
    release,
    armClass,
    epoch,
    guardrail,
    metric,
    group,
    reference,
    definition,
    favourable: named,
    ...more,
  });
}

/** Id of a test. A claim that was dropped and is made again is another test of the same. */
export const testId = (claim: string, restart: number): string => (restart === 0 ? claim : `${claim}.${restart}`);

/** The claim that a test is about, and how often it had been made before. */
export function readTestId(id: string): { readonly claim: string; readonly restart: number } {
  const [claim = id, restart = "0"] = id.split(".");
  return { claim, restart: Number(restart) };
}

type Row = Schema["guardrail_test"];
type BegunRow = Schema["guardrail_begun"];

/** What a row's own check is made of; of a state that was changed by anything but the evaluator it is another one. */
export const digestOf = (row: Pick<Row, "id" | "alpha" | "state_json" | "consumed_json" | "breach_json" | "paused">): string =>
  sha256Hex([row.id, row.alpha, row.state_json, row.consumed_json, row.breach_json, row.paused].map((part) => JSON.stringify(part)).join());
export const begunDigestOf = ({ id, begun_json }: Pick<BegunRow, "id" | "begun_json">): string => sha256Hex(`${id} ${begun_json}`);

/** The test, or why it can't be continued: it must not be forgotten silently then. */
export function testOf({ digest, ...row }: Row): Result<RunningTest, string> {
  if (digest !== null && digest !== digestOf(row)) return err("its stored state fails its check");
  const stored = parseState(parsed(row.state_json));
  const consumed = parseConsumed(parsed(row.consumed_json));
  const breach = row.breach_json === null ? null : parseBreach(parsed(row.breach_json));
  if (!stored.ok || !consumed.ok || (breach && !breach.ok)) return err("its stored state was written by another version");
  const plan = planOf(stored.value.plan, row.alpha);
  if (plan === null || !isWhole(plan, stored.value.state, consumed.value)) return err("its stored state makes no sense");
  return ok({
    ...whoseOf(row),
    plan,
    state: stored.value.state,
    consumed: consumed.value,
    breach: breach ? breach.value : null,
    paused: row.paused,
  });
}

/** A proof that was latched in a row whose state can't be continued: it is never taken back. */
export function breachIn({ id, breach_json }: Pick<Row, "id" | "breach_json">): Breach | null {
  const breach = breach_json === null ? null : parseBreach(parsed(breach_json));
  return breach?.ok && breach.value.test === id && breach.value.logE >= breach.value.threshold ? breach.value : null;
}

/** How a test began, as it is stored. */
export const begunJsonOf = ({ plan: { alpha, ...plan }, state: { addition, sinceMs } }: RunningTest, nowMs: number): string =>
  canonicalJson({ plan, alpha, addition, sinceMs: sinceMs ?? nowMs });

/** The test as it was when it began; undefined where that can't be told. */
export function begunTestOf({ begun_json, digest, ...row }: BegunRow): RunningTest | undefined {
  const begun = digest === begunDigestOf({ id: row.id, begun_json }) ? parseBegun(parsed(begun_json)) : undefined;
  const plan = begun?.ok ? planOf(begun.value.plan, begun.value.alpha) : null;
  if (!begun?.ok || plan === null) return undefined;
  const { addition, sinceMs } = begun.value;
  const nothing = Array.from({ length: widthOf(plan.definition) }, () => 0);
  const test = startAny(plan.definition);
  const state = { addition, hasEnded: false, context: "", sinceMs, test, likeForLike: { r: 0, s: 0, p: 0 }, recent: [] };
  return { ...whoseOf(row), plan, state, consumed: { n: nothing, k: nothing }, breach: null, paused: null };
}

const whoseOf = ({ id, release, arm_class, epoch }: Pick<Row, "id" | "release" | "arm_class" | "epoch">) => ({
  id,
  release: asReleaseId(release),
  armClass: asArmClass(arm_class),
  epoch,
});

/** Whether there are as many numbers as the test needs. */
function isWhole({ definition }: PlannedTest, { test }: StoredState, { n, k }: Cumulative): boolean {
  const width = widthOf(definition);
  const isOfItsKind = "memory" in test ? !isMean(definition) && test.memory.length === width : isMean(definition);
  const { logR, info } = startAny(definition);
  return isOfItsKind && n.length === width && k.length === width && test.logR.length === logR.length && test.info.length === info.length;
}

/** Undefined where it isn't JSON; no schema takes that. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Earlier versions had one direction and one thing to count a metric, and its limit in the definition only. Null where it says too little. */
function planOf({ counted, direction, limit, ...plan }: Static<typeof StoredPlan>, alpha: number): PlannedTest | null {
  if (!isMetric(plan.metric)) return null;
  const { counts, unlessSaid } = metricOf(plan.metric);
  const known = counts === "selections" || counts === "substitutions" || counts === "flips" ? ({ kind: counts } as const) : undefined;
  const what = counted ?? known;
  if (!what) return null;
  return { ...plan, counted: what, direction: direction ?? unlessSaid, limit: limit ?? plan.definition.limit, alpha };
}

/** The table holds nothing but what running tests had. */
const asReleaseId = (text: string): ReleaseId => text as ReleaseId;
const asArmClass = (text: string): ArmClass => text as ArmClass;
