/** From what was measured to a report that a person can act on. Pure. */
import type { ReleaseId } from "../std.ts";
import type { BlameReport } from "./blame-report.ts";
import type { Question } from "./question.ts";
import type { Slice } from "./slices.ts";
import type { TierResult } from "./tiers.ts";
import { judge, points, verdictSentence } from "./verdict.ts";

export interface ReportFacts {
  readonly tier: 0 | 1;
  readonly question: Question;
  /** The two releases: content id and the number within the endpoint. */
  readonly good: { readonly id: ReleaseId; readonly number: number };
  readonly bad: { readonly id: ReleaseId; readonly number: number };
  readonly people: BlameReport["people"];
  readonly result: TierResult;
  readonly notReproduced: string | null;
  readonly merged: BlameReport["merged"];
  readonly seeds: readonly number[];
  readonly mostHarmed: readonly Slice[];
  readonly notes: readonly string[];
}

const TOGETHER_SHOWN = 3;

export function composeReport(facts: ReportFacts): BlameReport {
  const { tier, question, good, bad, result, people } = facts;
  const { parts, harm, unexplained, restoring, inducing, together, gap } = result;
  const verdict = judge({
    parts,
    harm,
    restoring,
    inducing,
    together: (a, b) => together.find(({ steps }) => steps.includes(a) && steps.includes(b))?.share ?? 0,
    notReproduced: facts.notReproduced,
    unexplained,
    people: Math.min(people.good, people.bad),
  });
  return {
    tier,
    good: good.id,
    bad: bad.id,
    group: question.groupLabel,
    reference: question.reference,
    limit: question.limit,
    gap,
    harm,
    people,
    parts: parts.map((part) => ({ ...part })),
    unexplained,
    restoring: restoring.map((set) => [...set]),
    inducing: inducing.map((set) => [...set]),
    together: together
      .toSorted((a, b) => Math.abs(b.share) - Math.abs(a.share))
      .slice(0, TOGETHER_SHOWN)
      .map(({ steps, share }) => ({ steps: [...steps], share })),
    merged: facts.merged,
    seeds: [...facts.seeds],
    mostHarmed: facts.mostHarmed.map((slice) => ({ ...slice, conditions: { ...slice.conditions } })),
    verdict: { ...verdict, steps: [...verdict.steps] },
    sentence: `${happened(facts)} ${verdictSentence(verdict, parts, harm.share)}`,
    notes: [...facts.notes, ...caveats(facts)],
  };
}

function happened({ question, result: { gap }, good, bad }: ReportFacts): string {
  const { groupLabel, reference } = question;
  const others = reference === "rest" ? "everybody else" : reference;
  const behind = (value: number) => (value >= 0 ? `${points(value)} points less often` : `${points(-value)} points more often`);
  return `People with ${groupLabel} got a favourable answer ${behind(gap.bad)} than ${others} from r${bad.number}, ${behind(gap.good)} from r${good.number}.`;
}

/** Few seeds give wide intervals; fewer than this can't show the luck of training at all. */
const SEEDS_MIN = 2;

function caveats({ tier, people, seeds, result }: ReportFacts): string[] {
  const notes: string[] = [];
  if (people.notReplayable > 0)
    notes.push(`${people.notReplayable} recorded applications could not be answered again and are in no figure`);
  if (result.parts.some(({ step }) => step === "population"))
    notes.push("who applies changed after the bad release came: possibly because of it, since people come back or stay away");
  if (tier === 1 && seeds.length < SEEDS_MIN) notes.push("with one seed the luck of training is not in the intervals");
  notes.push(
    tier === 0
      ? "from recorded applications, answered again by both releases; not a legal finding"
      : "by building the releases again step by step and asking them about recorded applications; not a legal finding",
  );
  return notes;
}
