/** Whether a rollout may go on: never on silence, never past a breach, and if not, what it waits for. Pure. */
import type { GuardrailWord } from "../monitoring/index.ts";
import type { Rollout } from "./route-table.ts";

/** One thing that a rollout waits for. */
export type WaitsFor =
  | { readonly kind: "decisions"; readonly have: number; readonly need: number }
  | { readonly kind: "bake"; readonly untilMs: number }
  /** One of its tests has no data, or doesn't hold. Which group it is about is for those to see who may see groups. */
  | { readonly kind: "guardrail"; readonly guardrail: string; readonly word: GuardrailWord }
  /** Somebody else than who started it. */
  | { readonly kind: "approval"; readonly startedBy: string }
  | { readonly kind: "paused" }
  | { readonly kind: "held"; readonly reason: string }
  | { readonly kind: "frozen"; readonly untilMs: number; readonly why: string }
  /** The recent applications can't be replayed yet. */
  | { readonly kind: "replay"; readonly why: string };

export type RolloutVerdict =
  | { readonly kind: "go" }
  | { readonly kind: "abort"; readonly because: string }
  | { readonly kind: "wait"; readonly for: readonly WaitsFor[] };

/** What is known of a release in its step. */
export interface StepEvidence {
  /** People counted for the release in the step's place since the step began. */
  readonly people: number;
  /** How the tests of the release stand there. */
  readonly guardrails: readonly { readonly guardrail: string; readonly word: GuardrailWord }[];
  /** What a replay of recent applications came to; null where the step asks for none. */
  readonly replay: ReplayVerdict | null;
  readonly hold: { readonly reason: string } | null;
  readonly frozen: { readonly untilMs: number; readonly why: string } | null;
  readonly nowMs: number;
}
export type ReplayVerdict =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly because: string }
  | { readonly kind: "not-yet"; readonly why: string };

export function judgeStep(rollout: Rollout, evidence: StepEvidence): RolloutVerdict {
  const step = rollout.plan[rollout.step];
  if (!step) return { kind: "abort", because: "it is in no step" };
  const breached = evidence.guardrails.find(({ word }) => word === "breached");
  if (breached) return { kind: "abort", because: `${breached.guardrail} is breached` };
  if (evidence.replay?.kind === "failed") return { kind: "abort", because: evidence.replay.because };

  const waits: WaitsFor[] = [];
  if (rollout.isPaused) waits.push({ kind: "paused" });
  if (evidence.hold) waits.push({ kind: "held", reason: evidence.hold.reason });
  if (evidence.frozen) waits.push({ kind: "frozen", ...evidence.frozen });
  if (evidence.replay?.kind === "not-yet") waits.push({ kind: "replay", why: evidence.replay.why });
  if (evidence.people < step.minDecisions) waits.push({ kind: "decisions", have: evidence.people, need: step.minDecisions });
  const untilMs = rollout.stepSinceMs + step.bakeMs;
  if (evidence.nowMs < untilMs) waits.push({ kind: "bake", untilMs });
  for (const name of step.guardrails) {
    const words = new Set(evidence.guardrails.filter(({ guardrail }) => guardrail === name).map(({ word }) => word));
    for (const word of words.size > 0 ? words : (["no-data"] as const))
      if (word !== "ok") waits.push({ kind: "guardrail", guardrail: name, word });
  }
  if (step.approval && rollout.approvedBy === null) waits.push({ kind: "approval", startedBy: rollout.startedBy });
  return waits.length === 0 ? { kind: "go" } : { kind: "wait", for: waits };
}
