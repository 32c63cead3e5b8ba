/** What a blame asks: why did this group fall behind, and by what limit is that harm. Pure. */
import { Breach, kindOf, labelOf, metricOf, sideOf, type Group } from "../monitoring/index.ts";
import { checked } from "../checked.ts";
import { err, ok, type Result } from "../std.ts";
import type { HarmLimit } from "./measure.ts";

export interface Question {
  /** The harmed group. */
  readonly group: Group;
  readonly groupLabel: string;
  /** `rest`, or the value that the group is compared with. */
  readonly reference: string;
  /** The guardrail's own; null where its metric isn't about who is selected. */
  readonly limit: HarmLimit | null;
}

const parseBreach = checked(Breach);

/** The guardrail's own question, taken from its breach: asking another one after the fact would be choosing the answer. */
export function questionOf(breach: unknown): Result<Question, string> {
  if (breach === null || breach === undefined) return err("nobody has proven a harm to a group in this incident");
  const parsed = parseBreach(breach);
  if (!parsed.ok) return err("its proof can't be read");
  const { group, metric, limit, reference } = parsed.value;
  if (Object.keys(group).length === 0) return err(`its guardrail is about ${metric}, which compares no groups`);
  return ok({ group, groupLabel: labelOf(group), reference: reference ?? "rest", limit: limitOf(metric, limit) });
}

function limitOf(metric: Breach["metric"], limit: number): HarmLimit | null {
  const { counts } = metricOf(metric);
  const kind = kindOf(metric);
  if (counts !== "selections" || (kind !== "ratio_min" && kind !== "diff_min")) return null;
  // The guardrail's difference is group minus reference; a gap is how far the group is behind.
  return kind === "ratio_min" ? { kind: "ratio", limit } : { kind: "gap", limit };
}

/** 1: harmed group, 0: reference, -1: neither; as `Window.sides` has it. */
export function sideNumber({ group, reference }: Question, groups: Readonly<Record<string, string>>): number {
  const side = sideOf({ group, reference }, groups);
  return side === "group" ? 1 : side === "reference" ? 0 : -1;
}
