/** What is stored of a running test, and the evidence that it hands over when it breaches. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { contentId, type Schema } from "../store/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { ArmClass } from "../decisions/index.ts";
import type { Cumulative } from "./blocks.ts";
import type { PlannedTest } from "./guardrail.ts";
import { TEST_VERSION, type TestState } from "./sequential-test.ts";

const Numbers = Type.Array(Type.Number());
const StoredState = Type.Object({
  /** Added to a release that was watched already: paid from the reserve. */
  isLate: Type.Boolean(),
  test: Type.Unsafe<TestState>(
    Type.Object({
      v: Type.Literal(TEST_VERSION),
      logR: Numbers,
      info: Numbers,
      memory: Type.Array(Type.Object({ n: Type.Number(), k: Type.Number() })),
      blocks: Type.Number(),
      logE: Type.Number(),
      maxLogE: Type.Number(),
    }),
  ),
  likeForLike: Type.Object({ r: Type.Number(), s: Type.Number(), p: Type.Number() }),
  /** The latest blocks: decisions of both sides, and the evidence after them. For forecasts. */
  recent: Type.Array(Type.Object({ decisions: Type.Number(), logE: Type.Number() })),
});
/** State of one test, as it is stored. */
export type StoredState = Static<typeof StoredState>;
const parseState = checked(StoredState);
const parseConsumed = checked(Type.Object({ n: Numbers, k: Numbers }));

/** Proof that a guardrail is not kept: latched, stored before anything acts on it, never taken back. */
export const Breach = Type.Object(
  {
    endpoint: Type.Unsafe<EndpointName>(Type.String()),
    release: Type.Unsafe<ReleaseId>(Type.String()),
    armClass: Type.Unsafe<ArmClass>(Type.String()),
    guardrail: Type.String(),
    metric: Type.String(),
    action: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("roll_back"), Type.Literal("fall_back")]),
    limit: Type.Number(),
    /** The harmed group, by attribute. */
    group: Type.Record(Type.String(), Type.String()),
    groupLabel: Type.String(),
    /** `rest`, or the value that the group was compared with. */
    reference: Type.String(),
    /** Counted decisions and favourable ones, of the group and of its reference. */
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
  },
  { title: "Breach" },
);
export type Breach = Static<typeof Breach>;
const parseBreach = checked(Breach);

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

/**
 * Content id of a test: another limit, group or reference is another test, and so is a new life of the release.
 * @param epoch - how often the release was reinstated
 */
export function testId(
  key: { readonly endpoint: string; readonly release: string; readonly armClass: ArmClass; readonly epoch: number },
  plan: PlannedTest,
): string {
  const { guardrail, metric, group, reference, definition } = plan;
  return contentId("test", { ...key, guardrail, metric, group, reference, definition });
}

type Row = Schema["guardrail_test"];

/** Reads what was stored of a test. @throws Error when another version wrote it: it is not continued, and must not be forgotten silently */
export function stateOf(
  row: Pick<Row, "id" | "state_json" | "consumed_json" | "breach_json">,
): Pick<RunningTest, "state" | "consumed" | "breach"> {
  const state = parseState(JSON.parse(row.state_json));
  const consumed = parseConsumed(JSON.parse(row.consumed_json));
  const breach = row.breach_json === null ? null : parseBreach(JSON.parse(row.breach_json));
  if (!state.ok || !consumed.ok || (breach && !breach.ok))
    throw new Error(`the state of test ${row.id} was written by another version and can't be continued`);
  return { state: state.value, consumed: consumed.value, breach: breach ? breach.value : null };
}
