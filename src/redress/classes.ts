/** What a release's answer did to a person, seen from the restored release's: the classes of lineage-blame.md D1. Pure. */

/**
 * - `harmed`: an unfavourable answer where the restored release gives a favourable one;
 * - `worse_terms`: equally favourable or not, but a worse action (denied where the restored release refers);
 * - `reason_changed`: the same unfavourable action for other reasons, so what the person was told no longer holds;
 * - `benefited`: a better answer than the restored release gives. Nothing is ever taken from somebody who was lucky;
 * - `unchanged`;
 * - `not_replayable`: the restored release can't answer the recorded request. Listed with the reason, never dropped.
 */
export const affectedClasses = ["harmed", "worse_terms", "reason_changed", "benefited", "not_replayable", "unchanged"] as const;
export type AffectedClass = (typeof affectedClasses)[number];

export interface Answer {
  readonly action: string;
  readonly favourable: boolean;
  readonly reasons: readonly string[];
}

/**
 * @param after - the restored release's answer; null when it can't give one
 * @param actions - all actions of the endpoint, from the best for the person to the worst
 */
export function classify(before: Answer, after: Answer | null, actions: readonly string[]): AffectedClass {
  if (after === null) return "not_replayable";
  if (before.favourable !== after.favourable) return after.favourable ? "harmed" : "benefited";
  const [rankBefore, rankAfter] = [actions.indexOf(before.action), actions.indexOf(after.action)];
  if (rankBefore !== rankAfter) return rankAfter < rankBefore ? "worse_terms" : "benefited";
  const told = new Set(before.reasons);
  const isSame = told.size === new Set(after.reasons).size && after.reasons.every((reason) => told.has(reason));
  return before.favourable || isSame ? "unchanged" : "reason_changed";
}

/** How urgent a class is: smaller first. The order of `affectedClasses`. */
export const priorityOf = (one: AffectedClass): number => affectedClasses.indexOf(one);

export interface ClassifiedDecision {
  readonly decision: string;
  /** Null where the application didn't say who it is: such a decision is a case of its own. */
  readonly subject: string | null;
  readonly class: AffectedClass;
  readonly decidedAtMs: number;
}

/**
 * The decisions that stand for their person: one for each subject, the worst class first and of these the earliest; ties go to
 * the smaller id, so that the same log gives the same cases.
 */
export function casesOf(decisions: readonly ClassifiedDecision[]): ReadonlySet<string> {
  const best = new Map<string, ClassifiedDecision>();
  const cases = new Set<string>();
  for (const one of decisions) {
    if (one.subject === null) {
      cases.add(one.decision);
      continue;
    }
    const other = best.get(one.subject);
    if (!other || comesFirst(one, other)) best.set(one.subject, one);
  }
  for (const { decision } of best.values()) cases.add(decision);
  return cases;
}

function comesFirst(a: ClassifiedDecision, b: ClassifiedDecision): boolean {
  const byClass = priorityOf(a.class) - priorityOf(b.class);
  if (byClass !== 0) return byClass < 0;
  return a.decidedAtMs !== b.decidedAtMs ? a.decidedAtMs < b.decidedAtMs : a.decision < b.decision;
}
