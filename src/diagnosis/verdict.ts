/** What may be said about the cause, and in which word. Pure. */
import { unreachable } from "../std.ts";
import type { Estimate } from "./estimate.ts";

/**
 * - `did it`: taking this one change back ends the breach, making it alone makes the breach, nothing else does either, and its
 *   interval is clear of 0 and of every other share;
 * - `most likely`: the largest share that is clear of 0, but not alone in the sets or not clear of the next one;
 * - `these two together`: two changes make the breach only together, or each of them alone, so that both must be taken back;
 * - `we cannot tell`: no share is clear of 0, or there is no harm to share out;
 * - `could not be reproduced`: what was rebuilt isn't what served, so its parts say nothing about it.
 */
export type VerdictWord = "did it" | "most likely" | "these two together" | "we cannot tell" | "could not be reproduced";

export interface Verdict {
  readonly word: VerdictWord;
  /** The steps that are named; empty where none is. */
  readonly steps: readonly string[];
  /** What speaks for or against it, for people. */
  readonly because: string;
  /** How many people in each window would make the leader's share clear of 0, if it stays what it is; only where that is the trouble. */
  readonly peopleNeeded?: number;
}

export interface Share extends Estimate {
  readonly step: string;
}

export interface Evidence {
  readonly parts: readonly Share[];
  /** How much wider the gap is with all changes than with none. */
  readonly harm: Estimate;
  /** Sets of steps, smallest only; all that tie. */
  readonly restoring: readonly (readonly string[])[];
  readonly inducing: readonly (readonly string[])[];
  /** What two steps do together beyond the sum of what each does alone. */
  readonly together: (a: string, b: string) => number;
  /** Why what was rebuilt or replayed isn't what served; null where it is. */
  readonly notReproduced: string | null;
  /** Part of the harm that no step accounts for. */
  readonly unexplained: Estimate | null;
  /** The smaller number of people of the two windows. */
  readonly people: number;
}

export function judge(evidence: Evidence): Verdict {
  const { parts, harm, notReproduced, unexplained, people } = evidence;
  if (notReproduced !== null) return { word: "could not be reproduced", steps: [], because: notReproduced };
  if (!(harm.low > 0)) {
    const because = `the recorded applicants show no harm that is clear of chance (${interval(harm)})`;
    return { word: "we cannot tell", steps: [], because, ...needed(harm, people) };
  }
  const [leader, ...others] = parts.toSorted((a, b) => b.share - a.share);
  if (leader === undefined) return { word: "we cannot tell", steps: [], because: "nothing that is known of has changed" };
  if (!(leader.low > 0)) {
    const because = `the largest share, ${nameOf(leader.step)}, is not distinguishable from noise (${interval(leader)})`;
    return { word: "we cannot tell", steps: [], because, ...needed(leader, people) };
  }
  if (unexplained && unexplained.share > leader.share && unexplained.low > 0) {
    const because = `more is unexplained (${points(unexplained.share)} points) than any step accounts for`;
    return { word: "we cannot tell", steps: [], because };
  }
  const pair = pairOf(evidence);
  if (pair) return pair;
  const next = others.find(({ share }) => share > 0);
  const isAlone = [evidence.restoring, evidence.inducing].every((sets) => sets.length === 1 && sets[0]?.join() === leader.step);
  if (isAlone && others.every(({ high }) => high < leader.low))
    return { word: "did it", steps: [leader.step], because: `taking it back alone restores the limit; making it alone breaks it` };
  return { word: "most likely", steps: [leader.step], because: doubt(evidence, leader, next) };
}

/** Two changes that only the two of them together explain: both sets are there, and between them name exactly two steps. */
function pairOf({ restoring, inducing, together }: Evidence): Verdict | undefined {
  const named = [...new Set([...restoring, ...inducing].flat())].toSorted();
  const [a, b] = named;
  if (named.length !== 2 || a === undefined || b === undefined || restoring.length === 0 || inducing.length === 0) return undefined;
  const needs = { restore: restoring[0]?.length ?? 0, induce: inducing[0]?.length ?? 0 };
  // One of both sizes each: two different single steps, one that restores and another that induces; that names nobody.
  if (needs.restore === 1 && needs.induce === 1) return undefined;
  const beyond = `together ${points(together(a, b))} points beyond the sum of each alone`;
  const because =
    needs.induce === 2 && needs.restore === 2
      ? `neither alone breaks the limit, and neither alone restores it; ${beyond}`
      : needs.induce === 2
        ? `neither alone breaks the limit; ${beyond}`
        : `each alone is enough to break the limit, so both must be taken back; ${beyond}`;
  return { word: "these two together", steps: [a, b], because };
}

function doubt({ restoring, inducing }: Evidence, leader: Share, next: Share | undefined): string {
  if (next && next.high >= leader.low)
    return `the largest share, but its interval (${interval(leader)}) meets that of ${nameOf(next.step)} (${interval(next)})`;
  if (restoring.length === 0 || inducing.length === 0) return "the largest share; on these applicants no set of changes crosses the limit";
  const sets = (all: readonly (readonly string[])[]) => all.map((set) => set.map(nameOf).join(" with ")).join(", or ");
  return `the largest share; what restores the limit is ${sets(restoring)}, what breaks it is ${sets(inducing)}`;
}

/** People needed so that half the interval's width shrinks to the share itself; widths shrink with the root of the number. */
function needed({ share, low, high }: Estimate, people: number): { readonly peopleNeeded?: number } {
  const half = (high - low) / 2;
  if (!(share > 0) || !(half >= share)) return {};
  return { peopleNeeded: Math.ceil(people * (half / share) ** 2) };
}

export const points = (share: number): string => (Math.abs(share) < 0.0005 ? "0.0" : (share * 100).toFixed(1));
const interval = ({ low, high }: Estimate) => `95 %: ${points(low)} to ${points(high)}`;

/** How a step is called in a sentence. Roles of a pipeline, and the players of tier 0. */
export function nameOf(step: string): string {
  switch (step) {
    case "data":
      return "the training data";
    case "features":
      return "the features";
    case "algorithm":
      return "the algorithm";
    case "hyperparameters":
      return "the hyperparameters";
    case "environment":
      return "the environment of the training";
    case "threshold":
      return "the threshold";
    case "model":
      return "the model";
    case "population":
      return "a change in who applies";
    default:
      return step
        .split("+")
        .map((part) => (part === step ? part : nameOf(part)))
        .join(" with ");
  }
}

/** The verdict as the end of a sentence of its own. */
export function verdictSentence({ word, steps, because, peopleNeeded }: Verdict, parts: readonly Share[], harm: number): string {
  const named = steps.map(nameOf);
  const [first = ""] = named;
  const part = parts.find(({ step }) => step === steps[0]);
  const figures = part ? `: ${points(part.share)} of ${points(harm)} points (${interval(part)})` : "";
  switch (word) {
    case "did it":
      return `${capital(first)} did it${figures}; ${because}.`;
    case "most likely":
      return `Most likely ${first}${figures}; ${because}.`;
    case "these two together":
      return `${capital(named.join(" and "))}, these two together; ${because}.`;
    case "we cannot tell":
      return `We cannot tell which step it was: ${because}${peopleNeeded === undefined ? "" : `; ${peopleNeeded} people in each window would be needed`}.`;
    case "could not be reproduced":
      return `It could not be reproduced: ${because}.`;
    default:
      return unreachable(word);
  }
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);
