/** Why something was done, as a reader may know it. */
import type { Actor } from "../releases/index.ts";
import type { GroupNames } from "./group-names.ts";

const HIDDEN_REASON = "the guardrail had its proof; its figures by group are shown to those who may see groups";

const isGuardrail = (actor: string) => actor.startsWith("guardrail:");

/** What a guardrail gives as its reason holds figures of groups; what a person typed, and what a rollout says, is shown to all. */
export function reasonFor({ actor, reason }: { readonly actor: Actor; readonly reason: string }, names: GroupNames): string {
  return names.areVisible || actor.kind === "person" || !isGuardrail(actor.name) ? reason : HIDDEN_REASON;
}

/** A guardrail's entry of the audit log, without the texts that tell of groups. The log itself has them, and is verified with them. */
export function shownPayload(actor: string, payload: unknown, seesGroups: boolean): unknown {
  if (seesGroups || !isGuardrail(actor) || typeof payload !== "object" || payload === null) return payload;
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]: [string, unknown]) => [key, key === "reason" || key === "title" ? HIDDEN_REASON : value]),
  );
}
