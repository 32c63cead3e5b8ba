/** Decisions for tests: like what a gateway records, of a small world so that things meet. */
import type { DecisionRecord, ShadowAnswer } from "../src/decisions/index.ts";
import type { CellKey, DecisionId, EndpointName, ReleaseId } from "../src/std.ts";
import type { Runtime } from "../src/store/index.ts";

export const endpointName = (name: string): EndpointName => name as EndpointName;
/** `releaseId("a")` is `rel:aaa…`. */
export const releaseId = (digit: string): ReleaseId => `rel:${digit.repeat(64)}` as ReleaseId;
export const cell = (key: string): CellKey => key as CellKey;

export const LOANS = endpointName("loans");

/** An approval of a woman with a high-school education by release a, now. */
export function decisionRecord(runtime: Runtime, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    id: runtime.ids.decision(),
    endpoint: LOANS,
    release: releaseId("a"),
    arm: "live",
    generation: 1,
    cell: cell("education=high_school,sex=female"),
    subject: null,
    payload: '{"inputs":{"age":34},"groups":{"sex":"female","education":"high_school"}}',
    salt: runtime.random.bytes(16),
    score: 0.75,
    action: "approve",
    favourable: true,
    reasons: ["income"],
    answeredBy: "live",
    because: null,
    decidedAtMs: runtime.clock.nowMs(),
    latencyUs: 1200,
    idempotencyKey: null,
    bodyHash: null,
    source: "token-1",
    ...changes,
  };
}

/** Shadow release f denies. */
export function shadowAnswer(runtime: Runtime, decision: DecisionId, changes: Partial<ShadowAnswer> = {}): ShadowAnswer {
  return {
    decision,
    release: releaseId("f"),
    score: 0.25,
    action: "deny",
    favourable: false,
    because: null,
    answeredAtMs: runtime.clock.nowMs(),
    latencyUs: 900,
    ...changes,
  };
}
