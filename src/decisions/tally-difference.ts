/** Where a tally isn't what the log adds up to. */
export interface TallyDifference {
  readonly table:
    | "tally"
    | "tally_total"
    | "tally_day"
    | "flip_total"
    | "outcome_tally"
    | "latency_tally"
    | "latency_total"
    | "score_tally"
    | "score_total"
    | "score_outcome_tally"
    | "input_tally";
  /** Which row. */
  readonly key: string;
  readonly message: string;
}
