/** What a report can't tell, said with it. */
import type { ReportView } from "./report-view.ts";

type Known = Pick<ReportView, "isOver" | "showsGroups" | "smallCell" | "labels" | "groups" | "decisions">;

export function limitsOf({ isOver, showsGroups, smallCell, labels, groups, decisions }: Known): string[] {
  return [
    ...(isOver ? [] : ["The period had not ended when this was made: its numbers go on changing."]),
    ...(decisions.total === 0 ? ["Nobody was decided about: that says nothing of whether anybody would have been treated fairly."] : []),
    "It measures. It is no finding of law, and four fifths is a yardstick, not a rule: smaller differences can matter, larger ones can be chance.",
    "A difference is not its cause. What moved it is looked for in incidents, on recorded applications; here groups are only put beside each other.",
    "Equal shares don't prove fair treatment: they don't see people who never applied, wrong outcomes in the data, or other inputs that stand in for a protected attribute.",
    "Counts are of decisions, not of people: who applies three times counts three times. Tests take decisions to be independent, which they are less where few people apply often.",
    "Ranges are for one look at this one period: of twenty such ranges one misses the truth. The more groups a table has, the more of them look odd by chance; q-values correct for that within a table, not across tables.",
    ...(groups.some(({ referenceMode }) => referenceMode === "best_off")
      ? [
          "Where no reference is declared, groups are compared with the best off of this period. The best of many noisy rates is best by luck: with eight equal groups of a hundred people the smallest ratio is below four fifths three times out of four. Declare a reference under `metrics`.",
        ]
      : []),
    "Decisions are the releases' own. What a person decided afterwards about a referred case isn't in them.",
    "People whose group wasn't told are counted, and compared with nobody. A form that stops asking makes every number of groups calm.",
    ...(labels === "favourable_only"
      ? [
          "Outcomes are known only of people with a favourable answer. Whether those turned down were turned down rightly can't be said from them; a lower share of bad outcomes in one group doesn't prove a harsher bar for it.",
        ]
      : []),
    "Equal chances for good cases, for bad cases, and equal meaning of a favourable answer can't all hold where groups differ in how things turn out and answers aren't perfect.",
    "Guardrails on favourable answers don't see wrong outcomes; those on outcomes see them only once outcomes arrive, which takes as long as it takes.",
    "Drift is between distributions, one by one: it doesn't see inputs that move together, nor whether what they mean has changed. Who applies can differ from the training data for good reasons, and so can one token's applicants from another's. It is information, and rolls nothing back.",
    "Days are those of UTC. Outcomes and groups that arrive later belong to the day of their decision: made again later, a report on the same period can differ.",
    "Answers of shadows reached nobody, and what was asked of a release by name to try it is no decision about a person: neither is counted as one.",
    ...(showsGroups
      ? []
      : [
          `Groups are called by letters, groups of fewer than ${smallCell} decisions are hidden with as many more as it takes, and figures of single releases by group are left out: the reader may not see protected attributes.`,
        ]),
  ];
}
