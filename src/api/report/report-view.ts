/** A report on an endpoint and a closed period: all that its page shows, in the words of one reader. */
import { Type, type Static } from "typebox";
import { object, orNull } from "../../checked.ts";
import { GuardrailStateView, TransitionRecordView } from "../endpoint-view.ts";
import { ExpectationWarningView } from "../expectation-view.ts";
import { IncidentDetailView } from "../incident-view.ts";
import { ReleaseHeadView, partsFields } from "../made-of-view.ts";
import { DrillView } from "../rollout-view.ts";

const Count = (description: string) => orNull(Type.Integer({ minimum: 0, description }));
const Share = orNull(Type.Number());
const Day = Type.String({ description: "YYYY-MM-DD, UTC" });
const Why = orNull(Type.String({ description: "Why there is no number" }));

/** A number with the range of one look at this period; nulls where there is none. */
const Figure = object({ value: Share, low: Share, high: Share, why: Why });
export type Figure = Static<typeof Figure>;

const RateRow = object({
  decisions: Count("null where too few for this reader"),
  favourable: Count("Of them, with an action that is good for the person"),
  rate: Figure,
});

const DecisionsView = object({
  total: Type.Integer({ description: "Decisions that people received" }),
  repeats: Type.Integer({ description: "Of them, further ones of one person within a day: no evidence for guardrails" }),
  fallback: Type.Integer({ description: "Of them, answered by another release than the planned one" }),
  favourable: RateRow,
  actions: Type.Array(object({ action: Type.String(), isFavourable: Type.Boolean(), decisions: Type.Integer() })),
  releases: Type.Array(
    object({
      release: Type.String(),
      name: Type.String(),
      arm: Type.String(),
      isShadow: Type.Boolean({ description: "Answers that nobody received" }),
      ...RateRow.properties,
      fallback: Type.Integer(),
      meanLatencyMs: Share,
    }),
  ),
  days: Type.Array(
    object({
      day: Day,
      decisions: Type.Integer(),
      favourable: Count("null where too few for this reader"),
      releases: Type.Record(Type.String(), Type.Integer()),
    }),
  ),
});

/** The scope of what all people received. */
export const EVERYBODY = "everybody";

/** One group of one table. */
const GroupRowView = object({
  group: Type.String(),
  isReference: Type.Boolean(),
  ...RateRow.properties,
  ratio: Figure,
  difference: Figure,
  belowFourFifths: orNull(Type.Boolean()),
  byOnePerson: orNull(Type.Boolean({ description: "One person more or fewer would change whether it is below four fifths" })),
  pValue: Share,
  qValue: orNull(Type.Number({ description: "Corrected for the number of groups of the table (Benjamini and Hochberg)" })),
  shortfall: orNull(Type.Number({ description: "So many more would have been favoured at the reference's rate" })),
});
export type GroupRowView = Static<typeof GroupRowView>;
const OutcomeRowView = object({
  group: Type.String(),
  coverage: Figure,
  truePositiveRate: Figure,
  falsePositiveRate: Figure,
  positivePredictiveValue: Figure,
  accuracy: Figure,
});
const GroupTableView = object({
  scope: Type.String({ description: "Whose answers: everybody's, or those of one release" }),
  attributes: Type.Array(Type.String()),
  reference: orNull(Type.String()),
  referenceMode: orNull(Type.Enum(["declared", "best_off"])),
  rows: Type.Array(GroupRowView),
  smallest: object({ group: orNull(Type.String()), ...Figure.properties }),
  outcomes: Type.Array(OutcomeRowView, { description: "Empty where nothing is known of how anything ended" }),
});
export type GroupTableView = Static<typeof GroupTableView>;

const InputRowView = object({
  expectation: Type.String(),
  onBreach: orNull(Type.String({ description: "null: no longer declared" })),
  checked: Type.Integer(),
  breaches: Type.Record(Type.String(), Type.Integer()),
});

const DriftRowView = object({
  input: Type.String(),
  psi: orNull(Type.Number({ description: "Population stability index" })),
  why: Why,
  status: orNull(Type.String({ description: "drift: over 0.1 and hardly chance; too_few: so few that 0.1 would be chance" })),
  qValue: Share,
  missing: Share,
  invalidType: Share,
  outOfRange: Share,
  newCategory: Share,
  unitChange: orNull(Type.Number({ description: "Median over that of the reference" })),
  alerts: Type.Array(Type.String({ description: "Names of the metrics that are beyond their limits" })),
});
export type DriftRowView = Static<typeof DriftRowView>;
/** Scores, or the mix of groups: what they were and what they are. */
const MovedRowView = object({
  what: Type.String({ description: "scores, or the attributes whose mix it is" }),
  against: Type.Enum(["training", "launch", "previous"]),
  psi: orNull(Type.Number({ description: "Population stability index" })),
  distance: orNull(Type.Number({ description: "Jensen and Shannon's, between 0 and 1" })),
  why: Why,
  status: orNull(Type.String()),
  qValue: Share,
  bars: Type.Array(object({ label: Type.String(), n: Type.Integer(), reference: Type.Integer() })),
});
export type MovedRowView = Static<typeof MovedRowView>;
const WriterRowView = object({
  writer: Type.String({ description: "Id of a token" }),
  what: Type.String({ description: "The attributes whose mix it is" }),
  share: Share,
  rate: Share,
  meanScore: Share,
  psi: Share,
  why: Why,
  status: orNull(Type.String()),
});
export type WriterRowView = Static<typeof WriterRowView>;
const DriftTableView = object({
  release: Type.String(),
  arm: Type.String(),
  against: Type.Enum(["training", "launch"], { description: "The data it was trained on, or its own first week" }),
  trainedOn: orNull(Type.String()),
  moved: Type.Array(MovedRowView),
  writers: Type.Array(WriterRowView, { description: "Empty where one token sent everything, or the reader may not see groups" }),
  hidden: Type.Integer({ description: "Inputs left out, since they tell of protected attributes" }),
  rows: Type.Array(DriftRowView),
});
export type DriftTableView = Static<typeof DriftTableView>;

const ReportIncidentView = object({
  ...IncidentDetailView.properties,
  people: orNull(
    object({
      total: Count("Whom the release answered"),
      better: Count("Whose answer the restored release would make better"),
      worse: Count("Whose it would have made worse: nothing is taken from them"),
      notReplayable: Count("Whom it can't be told of"),
    }),
  ),
});
export type ReportIncidentView = Static<typeof ReportIncidentView>;

const ReportReleaseView = object({
  ...ReleaseHeadView.properties,
  scorer: Type.String(),
  createdAt: Type.String(),
  createdBy: Type.String(),
  places: Type.Array(Type.String()),
  isCondemned: Type.Boolean(),
  ...partsFields,
  unknown: Type.Array(Type.String()),
});

export const ReportView = Type.Object(
  {
    endpoint: Type.String(),
    description: Type.String(),
    from: Day,
    to: Type.String({ description: "YYYY-MM-DD, UTC: the first day that isn't in it" }),
    madeAt: Type.String(),
    madeBy: Type.String(),
    showsGroups: Type.Boolean({ description: "false: letters for groups and no small cells" }),
    smallCell: Type.Integer(),
    isOver: Type.Boolean({ description: "false: the period had not ended when it was made" }),
    decisions: DecisionsView,
    labels: Type.Enum(["all", "favourable_only"], { description: "Whose outcomes become known" }),
    groups: Type.Array(GroupTableView),
    budget: Type.Number({ description: "Chance that a fair release is ever rolled back" }),
    guardrails: Type.Array(GuardrailStateView),
    incidents: Type.Array(ReportIncidentView),
    transitions: Type.Array(TransitionRecordView),
    moreTransitions: Type.Integer({ description: "Earlier ones of the period that are left out" }),
    releases: Type.Array(ReportReleaseView),
    drift: Type.Array(DriftTableView),
    inputs: Type.Array(InputRowView),
    inputWarnings: Type.Array(ExpectationWarningView),
    drills: Type.Array(DrillView),
    auditHead: orNull(Type.String({ description: "SEQ:HASH, as `evenkeel audit verify --head` takes it" })),
    limits: Type.Array(Type.String({ description: "What this report can't tell, a sentence each" })),
  },
  { title: "Report" },
);
export type ReportView = Static<typeof ReportView>;
