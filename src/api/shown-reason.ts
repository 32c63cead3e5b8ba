/** Why something was done, as a reader may know it: a guardrail's reasons tell figures of groups. */
export const HIDDEN_REASON = "the guardrail had its proof; its figures by group are shown to those who may see groups";

const isGuardrail = (actor: string) => actor.startsWith("guardrail:");

/** @param actor - by name */
export const shownReason = (actor: string, reason: string, seesGroups: boolean): string =>
  seesGroups || !isGuardrail(actor) ? reason : HIDDEN_REASON;

/** A guardrail's entry of the audit log, without the texts that tell of groups. The log itself has them, and is verified with them. */
export function shownPayload(actor: string, payload: unknown, seesGroups: boolean): unknown {
  if (seesGroups || !isGuardrail(actor) || typeof payload !== "object" || payload === null) return payload;
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]: [string, unknown]) => [key, key === "reason" || key === "title" ? HIDDEN_REASON : value]),
  );
}
