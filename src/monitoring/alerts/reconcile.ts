/** From what holds now to alerts: a condition that is new opens one, one that is gone resolves it. Pure. */
import { canonicalJson } from "../../store/index.ts";
import { severities, type Alert, type AlertKind, type Condition, type Facts } from "./alert.ts";

export interface Seen {
  readonly conditions: readonly Condition[];
  /** Kinds that were looked for. Of the others nothing is known now: their alerts stay as they are. */
  readonly kinds: ReadonlySet<AlertKind>;
}

/**
 * @param open - alerts that aren't resolved
 * @returns those that are new or other than they were
 */
export function reconcile(
  open: readonly Alert[],
  { conditions, kinds }: Seen,
  { nowMs, newId }: { readonly nowMs: number; readonly newId: () => string },
): readonly Alert[] {
  const byKey = new Map(open.map((alert) => [alert.key, alert]));
  const holding = new Set(conditions.map(({ key }) => key));
  const seen = conditions.flatMap((condition): readonly Alert[] => {
    const known = byKey.get(condition.key);
    return known ? moved(known, condition.facts, nowMs) : [opened(condition, nowMs, newId())];
  });
  const gone = open.filter(({ key, kind }) => kinds.has(kind) && !holding.has(key));
  return [...seen, ...gone.map((alert) => ({ ...alert, resolvedAtMs: nowMs }))];
}

const opened = (condition: Condition, nowMs: number, id: string): Alert => ({
  ...condition,
  id,
  openedAs: condition.facts.severity,
  openedAtMs: nowMs,
  changedAtMs: nowMs,
  resolvedAtMs: null,
  acked: null,
});

/** Nothing where nothing is other than it was. */
function moved(alert: Alert, facts: Facts, nowMs: number): readonly Alert[] {
  if (canonicalJson(facts) === canonicalJson(alert.facts)) return [];
  const isNews = tellingOf(facts) !== tellingOf(alert.facts) || rank(facts) > rank(alert.facts);
  return [{ ...alert, facts, ...(isNews ? { changedAtMs: nowMs } : {}) }];
}

/** What is worth telling again: how long something took, or that it is less urgent now, isn't. */
const tellingOf = ({ title, done }: Facts): string => JSON.stringify([title, done?.text ?? null]);
const rank = ({ severity }: Facts): number => severities.indexOf(severity);
