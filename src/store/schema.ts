/**
 * Every table, as Kysely sees it. One place, because rooms above share the database but not each other's queries.
 * Times are integer milliseconds since 1970 (UTC), `*_json` columns hold canonical JSON text, flags are 0 or 1,
 * digests are lower-case hex without a prefix unless the column is a content id.
 */
import type { Generated } from "kysely";

type Flag = 0 | 1;

export interface Schema {
  // access
  token: TokenTable;
  audit: AuditTable;
  // registry
  dataset: DatasetTable;
  dataset_version: DatasetVersionTable;
  dataset_tag: DatasetTagTable;
  dataset_pin: DatasetPinTable;
  dataset_protected_tag: DatasetProtectedTagTable;
  dataset_redaction: DatasetRedactionTable;
  dataset_sketch: DatasetSketchTable;
  feature_set: FeatureSetTable;
  experiment: ExperimentTable;
  run: RunTable;
  run_metric: RunMetricTable;
  run_metric_latest: RunMetricTable;
  run_artifact: RunArtifactTable;
  run_dataset: RunDatasetTable;
  run_model: RunModelTable;
  tracked_dataset: TrackedDatasetTable;
  logged_model: LoggedModelTable;
  logged_model_metric: LoggedModelMetricTable;
  artifact_file: ArtifactFileTable;
  model: ModelTable;
  model_version: ModelVersionTable;
  model_version_file: ModelVersionFileTable;
  model_alias: ModelAliasTable;
  model_protected_alias: ModelProtectedAliasTable;
  lineage_edge: LineageEdgeTable;
  // pipelines
  step_run: StepRunTable;
  step_repeat: StepRepeatTable;
  // decisions
  decision: DecisionTable;
  decision_payload: DecisionPayloadTable;
  subject_index: SubjectIndexTable;
  decision_batch: DecisionBatchTable;
  shadow_answer: ShadowAnswerTable;
  counted: CountedTable;
  tally: TallyTable;
  tally_total: TallyTotalTable;
  tally_day: TallyDayTable;
  flip_total: FlipTotalTable;
  outcome: OutcomeTable;
  outcome_tally: OutcomeTallyTable;
  latency_tally: LatencyTallyTable;
  latency_total: LatencyTotalTable;
  score_tally: ScoreTallyTable;
  score_total: ScoreTotalTable;
  score_outcome_tally: ScoreOutcomeTallyTable;
  input_tally: InputTallyTable;
  input_profile: InputProfileTable;
  score_reference: ScoreReferenceTable;
  bin_cursor: BinCursorTable;
  request_tally: RequestTallyTable;
  planned_tally: PlannedTallyTable;
  matured_outcome: MaturedOutcomeTable;
  matured_cursor: MaturedCursorTable;
  sink: SinkTable;
  sink_cursor: SinkCursorTable;
  sink_lease: SinkLeaseTable;
  // monitoring
  guardrail_test: GuardrailTestTable;
  guardrail_begun: GuardrailBegunTable;
  expectation_hour: ExpectationHourTable;
  expectation_warning: ExpectationWarningTable;
  alert_setting: AlertSettingTable;
  alert: AlertTable;
  alert_told: AlertToldTable;
  alert_notice: AlertNoticeTable;
  alert_notice_of: AlertNoticeOfTable;
  alert_silence: AlertSilenceTable;
  // releases
  endpoint: EndpointTable;
  release: ReleaseTable;
  transition: TransitionTable;
  drill: DrillTable;
  incident: IncidentTable;
  incident_event: IncidentEventTable;
  openlineage_export: OpenlineageExportTable;
  report: ReportTable;
  // diagnosis and redress
  blame_report: BlameReportTable;
  affected: AffectedTable;
  reason_reference: ReasonReferenceTable;
  decision_reasons: DecisionReasonsTable;
  // the server itself
  setting: SettingTable;
}

export interface SettingTable {
  key: string;
  value: string;
}

/** An API token: only the SHA-256 of its secret is kept. */
export interface TokenTable {
  id: string;
  name: string;
  role: string;
  /** JSON list of endpoint names, or null for all. */
  endpoints_json: string | null;
  grants_json: string;
  secret_hash: string;
  created_at_ms: number;
  created_by: string;
  expires_at_ms: number | null;
  revoked_at_ms: number | null;
}

/** The append-only, hash-chained audit log (formula: `access/audit.ts`). Salt and payload may be erased; hashes stay. */
export interface AuditTable {
  seq: number;
  entry_json: string;
  salt: string | null;
  payload_json: string | null;
  payload_hash: string;
  hash: string;
}

export interface DatasetTable {
  name: string;
  /** Key, label and protected columns: declared with the first version, the same for all. */
  spec_json: string;
  created_at_ms: number;
}
export interface DatasetVersionTable {
  /** Logical table id, `tbl:…`. Two versions share it when they hold the same rows in another order or notation. */
  id: string;
  dataset: string;
  number: number;
  /** Byte id of the file as it came, or of the manifest of a folder. */
  blob: string;
  /** `csv`, `ndjson`, `parquet`, or `none` for a folder without a table. */
  format: string;
  /** `file` or `folder`. */
  layout: string;
  bytes: number;
  rows: number;
  columns_json: string;
  profile_json: string;
  created_at_ms: number;
  created_by: string;
  /** When its bytes were taken away; what is known of it stays. */
  removed_at_ms: number | null;
  removed_by: string | null;
  removed_because: string | null;
}
/** A version whose bytes are kept because somebody said so. */
export interface DatasetPinTable {
  dataset: string;
  number: number;
  reason: string;
  pinned_at_ms: number;
  pinned_by: string;
}
export interface DatasetProtectedTagTable {
  dataset: string;
  tag: string;
  reason: string;
  protected_at_ms: number;
  protected_by: string;
}
/** What a version was before rows were taken out of it for good. Whose rows they were is not kept. */
/** Of versions with a table; those that were added before there were sketches have none. */
export interface DatasetSketchTable {
  dataset: string;
  number: number;
  sketches_json: string;
}
export interface DatasetRedactionTable {
  dataset: string;
  number: number;
  blob_before: string;
  /** null where no row was left. */
  blob_after: string | null;
  id_before: string;
  id_after: string | null;
  rows: number;
  reference: string;
  redacted_at_ms: number;
  redacted_by: string;
}
/** History of tags: the newest row of a (dataset, tag) says where it points; `number` null means removed. */
export interface DatasetTagTable {
  seq: Generated<number>;
  dataset: string;
  tag: string;
  number: number | null;
  moved_at_ms: number;
  moved_by: string;
  reason: string;
}
export interface FeatureSetTable {
  id: string;
  name: string;
  number: number;
  spec_json: string;
  created_at_ms: number;
  created_by: string;
}
/** Groups runs. Its name is what `run.experiment` says; number 0 is there from the start. */
export interface ExperimentTable {
  id: number;
  name: string;
  /** Address below which its runs and logged models keep their files. */
  artifact_location: string;
  tags_json: string;
  created_at_ms: number;
  updated_at_ms: number;
  deleted_at_ms: number | null;
  created_by: string;
}
export interface RunTable {
  id: string;
  /** Name of its experiment. */
  experiment: string;
  name: string;
  status: string;
  params_json: string;
  tags_json: string;
  started_at_ms: number;
  ended_at_ms: number | null;
  created_by: string;
  /** As an MLflow client calls its user. */
  user_name: string | null;
  deleted_at_ms: number | null;
}
/** All points, in `run_metric`; of each key the greatest by step, time and value, in `run_metric_latest`, written with it. */
export interface RunMetricTable {
  run: string;
  key: string;
  step: number;
  at_ms: number;
  /** 0 where it is NaN, which SQLite doesn't keep. */
  value: number;
  is_nan: Flag;
}
/** Data that a run names and that needn't be here: one row for each name and digest in an experiment. */
export interface TrackedDatasetTable {
  experiment: number;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema_text: string | null;
  profile: string | null;
}
export interface RunDatasetTable {
  run: string;
  name: string;
  digest: string;
  tags_json: string;
  /** In the order of logging. */
  seq: number;
}
/** Logged models that a run took (`in`) or made (`out`). */
export interface RunModelTable {
  run: string;
  direction: string;
  model: string;
  step: number;
}
/** A model that a run made, before anybody registers it: a candidate with a folder of files. */
export interface LoggedModelTable {
  /** `m-` and 32 hex digits. */
  id: string;
  experiment: number;
  name: string;
  model_type: string;
  source_run: string | null;
  /** `PENDING`, `READY` or `UPLOAD_FAILED`. */
  status: string;
  status_message: string | null;
  params_json: string;
  tags_json: string;
  created_at_ms: number;
  updated_at_ms: number;
  deleted_at_ms: number | null;
  created_by: string;
}
/** Points of a run that are also about a logged model, and perhaps a dataset (empty texts where not). */
export interface LoggedModelMetricTable extends RunMetricTable {
  model: string;
  dataset_name: string;
  dataset_digest: string;
}
/** Files of logged models (`folder` is the model's id) and of addresses that belong to nothing (`folder` is empty). May be replaced. */
export interface ArtifactFileTable {
  folder: string;
  path: string;
  blob: string;
  bytes: number;
  at_ms: number;
  put_by: string;
}
export interface RunArtifactTable {
  run: string;
  path: string;
  blob: string;
  bytes: number;
}
export interface ModelTable {
  name: string;
  created_at_ms: number;
  description: string | null;
  tags_json: string | null;
  updated_at_ms: number | null;
  created_by: string | null;
  /** Its name may be taken again; numbers of versions then go on. */
  deleted_at_ms: number | null;
}
export interface ModelVersionTable {
  /** Content id, `mdl:…`, over artifact, signature and feature set. */
  id: string;
  model: string;
  number: number;
  /** What serves; for a version that can't, the list of its files. */
  blob: string;
  /** `null` for a version that can't be served. */
  signature_json: string;
  feature_set: string | null;
  run: string | null;
  created_at_ms: number;
  created_by: string;
  /** Where its registrar found it: `models:/m-…`, `runs:/…`, `s3://…`. */
  source: string | null;
  run_link: string | null;
  description: string | null;
  stage: string | null;
  tags_json: string | null;
  logged_model: string | null;
  /** Why it can't be served. */
  unservable: string | null;
  updated_at_ms: number | null;
  deleted_at_ms: number | null;
}
/** The files of a version as they were when it was registered. Immutable. */
export interface ModelVersionFileTable {
  model: string;
  number: number;
  path: string;
  blob: string;
  bytes: number;
}
/** History of aliases, like `dataset_tag`. */
export interface ModelAliasTable {
  seq: Generated<number>;
  model: string;
  alias: string;
  number: number | null;
  moved_at_ms: number;
  moved_by: string;
  reason: string;
}
/** Aliases that only some may move. One that was freed is gone from here; the audit log has its past. */
export interface ModelProtectedAliasTable {
  model: string;
  alias: string;
  protected_at_ms: number;
  protected_by: string;
  reason: string;
}
/** `from` was made with, or made by, `to` is downstream: data → run → model → release. Immutable. */
export interface LineageEdgeTable {
  from_kind: string;
  from_id: string;
  to_kind: string;
  to_id: string;
  relation: string;
  at_ms: number;
}

/** Cache of pipeline steps: the first outcome of a key is the canonical one. */
export interface StepRunTable {
  key: string;
  pipeline: string;
  step: string;
  outs_json: string;
  metrics_json: string;
  log_blob: string | null;
  duration_ms: number;
  run: string | null;
  created_at_ms: number;
  /** What it was made of and when it ran; null when it was recorded before there were facts. */
  facts_blob: string | null;
}

/** A step that ran again with the very same things, to see whether the same comes out. */
export interface StepRepeatTable {
  id: string;
  key: string;
  outs_json: string;
  metrics_json: string;
  duration_ms: number;
  repeated_at_ms: number;
  repeated_by: string;
}

/** What is kept of an answer for ever; nothing personal (that is in `decision_payload`). */
export interface DecisionTable {
  seq: Generated<number>;
  id: string;
  endpoint: string;
  release: string;
  arm: string;
  generation: number;
  cell: string;
  score: number | null;
  action: string;
  favourable: Flag;
  reasons_json: string;
  answered_by: string;
  because: string | null;
  decided_at_ms: number;
  latency_us: number;
  source: string;
  idempotency_key: string | null;
  body_hash: string | null;
  counted: Flag;
  /** Salted SHA-256 of cell, subject and payload: what the batch digest holds, so that erasing them leaves the chain verifiable. */
  commitment: string;
  /** The `decision_batch` that it was committed in. */
  batch: number;
}
export interface DecisionPayloadTable {
  /** The decision's `seq`. */
  seq: number;
  subject: string | null;
  salt: string;
  payload: string;
  /** One character an input of the release's `input_profile`; null where its inputs aren't counted. */
  input_bins: string | null;
}
/**
 * Decisions about a subject, on SQLite, up to the number in setting `subject_indexed_up_to` (and some beyond it). Rows of people who
 * were erased are gone here as well. Empty on PostgreSQL, where `decision_payload` has an index of its own.
 */
export interface SubjectIndexTable {
  subject: string;
  seq: number;
}
/** One transaction of the log. Digests are chained: each holds that of `previous`, 0 where there is none. */
export interface DecisionBatchTable {
  batch: Generated<number>;
  writer: string;
  previous: number;
  first_seq: number;
  last_seq: number;
  decisions: number;
  shadows: number;
  digest: string;
}
export interface ShadowAnswerTable {
  batch: number;
  /** Its place in the batch, from 0. */
  n: number;
  decision: string;
  release: string;
  endpoint: string;
  cell: string;
  source: string;
  /** The release and the action that the person was answered with. */
  live_release: string;
  live_action: string;
  score: number | null;
  action: string;
  favourable: Flag;
  because: string | null;
  counted: Flag;
  answered_at_ms: number;
  latency_us: number;
}
/** When a subject was last counted for a release: one person is one piece of evidence in 24 hours. */
export interface CountedTable {
  release: string;
  /** `serving` or `shadow`: they feed different tests. */
  arm_class: string;
  subject: string;
  counted_at_ms: number;
}
interface TallyCounts {
  decisions: number;
  counted: number;
  fallback: number;
  scored: number;
  /** Sum of round(score · 10⁶). */
  score_sum_u6: number;
  latency_sum_us: number;
}
export interface TallyTable extends TallyCounts {
  endpoint: string;
  release: string;
  arm: string;
  cell: string;
  minute: number;
  writer: string;
  source: string;
  action: string;
}
/** The same as `tally` over all minutes: what tests consume. Only grows. */
export interface TallyTotalTable extends TallyCounts {
  endpoint: string;
  release: string;
  arm: string;
  cell: string;
  writer: string;
  source: string;
  action: string;
}
/** Answers of a release in a day (whole days since 1970, UTC), erased people's among them: nothing here is personal. Only grows. */
export interface TallyDayTable {
  release: string;
  endpoint: string;
  day: number;
  arm: string;
  writer: string;
  /** Of `shadow` only those that the release itself gave. */
  decisions: number;
  /** All of them lie in this range of the log, others among them. Means nothing for `shadow`. */
  first_seq: number;
  last_seq: number;
}
/** What the live release and a shadow said to the same counted people. Only grows. */
export interface FlipTotalTable {
  endpoint: string;
  live_release: string;
  shadow_release: string;
  cell: string;
  writer: string;
  live_action: string;
  shadow_action: string;
  counted: number;
}
/** History of outcomes: the newest row of a decision holds; corrections are new rows. */
export interface OutcomeTable {
  seq: Generated<number>;
  decision: string;
  value: string;
  good: Flag;
  at_ms: number;
  recorded_at_ms: number;
  source: string;
  writer: string;
}
/** First outcomes of decisions, by release and cell and the decision's minute. Corrections go to `corrections` and are not tested. */
export interface OutcomeTallyTable {
  endpoint: string;
  release: string;
  arm: string;
  cell: string;
  minute: number;
  writer: string;
  action: string;
  good: Flag;
  count: number;
  corrections: number;
}
interface SeriesKey {
  endpoint: string;
  release: string;
  arm: string;
  writer: string;
}
/** Latencies of a release in an hour (whole hours since 1970, UTC). `bucket` i is up to 2^(i/8) seconds. Only grows. */
export interface LatencyTallyTable extends SeriesKey {
  hour: number;
  bucket: number;
  count: number;
}
/** The same over all hours. */
export interface LatencyTotalTable extends SeriesKey {
  bucket: number;
  count: number;
}
/** Scores of a release's people in a day, in 100 bins. */
export interface ScoreTallyTable extends SeriesKey {
  day: number;
  cell: string;
  bin: number;
  count: number;
  /** Sum of round(score · 10⁶). */
  sum_u6: number;
}
/** The same over all days. */
export interface ScoreTotalTable extends SeriesKey {
  cell: string;
  bin: number;
  count: number;
  sum_u6: number;
}
/** Known outcomes by the score that their decisions had, corrections included: for display, never for tests. */
export interface ScoreOutcomeTallyTable extends SeriesKey {
  /** Of the decision. */
  day: number;
  cell: string;
  bin: number;
  good: Flag;
  count: number;
  sum_u6: number;
  /** Sum of round(score² · 10⁶). */
  sumsq_u6: number;
}
/** Inputs of decisions in an hour, by their bin in the release's `input_profile`. */
export interface InputTallyTable extends SeriesKey {
  hour: number;
  /** Its place in the profile. */
  input: number;
  bin: number;
  count: number;
}
/** Requests for decisions in a minute, answered or not: written every few seconds, so a crash loses the last ones. */
export interface RequestTallyTable {
  endpoint: string;
  minute: number;
  writer: string;
  requests: number;
  /** Malformed. */
  rejected: number;
  /** Got no answer: too many, too late, beyond every release, or not recorded. */
  failed: number;
}
/** Requests that a release was to answer in a place of the route table, and those that it had no answer for. */
export interface PlannedTallyTable {
  endpoint: string;
  release: string;
  arm: string;
  minute: number;
  writer: string;
  asked: number;
  failed: number;
}
/** How a release's inputs are put into bins, and how its training data lies in them. Never changes. */
export interface InputProfileTable {
  release: string;
  profile_json: string;
  made_at_ms: number;
}
/** What a release says of the data that it was trained on. Never changes. */
export interface ScoreReferenceTable {
  release: string;
  reference_json: string;
  made_at_ms: number;
}
/** Of a writer's batches, those above `from_batch` and up to `batch` are in the tables by bin. */
export interface BinCursorTable {
  writer: string;
  from_batch: number;
  batch: number;
  /** Grows when somebody changes what isn't counted yet: whoever has counted it in memory counts it again. */
  revision: number;
}

/** What had become of counted decisions when they reached an age: `good`, `bad` or `missing`. Only grows; later outcomes aren't tested. */
export interface MaturedOutcomeTable {
  endpoint: string;
  matures_after_ms: number;
  release: string;
  arm: string;
  cell: string;
  action: string;
  state: string;
  count: number;
}
/** How far into the log decisions have been counted for an age. */
export interface MaturedCursorTable {
  endpoint: string;
  matures_after_ms: number;
  /** The `seq` of the last one. */
  position: number;
  /** Once: what was decided before anybody asked had been counted. */
  has_caught_up: Flag;
}

/** Somewhere that decisions and outcomes are delivered to. A removed one stays, so that its name goes on where it was. */
export interface SinkTable {
  name: string;
  spec_json: string;
  /** `running`, `paused` by a person, `disabled` since its target said never to come again, `removed`. */
  state: string;
  /** Why it isn't running. */
  why: string | null;
  created_at_ms: number;
  updated_at_ms: number;
}
/** How far a sink has come in one stream: `decision` or `outcome`, by their `seq`. */
export interface SinkCursorTable {
  sink: string;
  stream: string;
  /** All up to this number is with the target. */
  position: number;
  /** The end of the batch that may be under way: after a crash the very same batch is delivered again. */
  claimed_to: number | null;
  /** What the target said when it took the last batch: for files, where they end. */
  mark: string | null;
  delivered: number;
  failures: number;
  last_error: string | null;
  last_error_at_ms: number | null;
  last_success_at_ms: number | null;
}
/** Which of several processes on one database delivers, and until when others leave it to it. */
export interface SinkLeaseTable {
  name: string;
  holder: string;
  until_ms: number;
}

export interface GuardrailTestTable {
  /** Content id of (endpoint, release, arm class, guardrail, group, epoch). */
  id: string;
  endpoint: string;
  release: string;
  arm_class: string;
  /** How often the release had been reinstated: each time it starts with new tests. */
  epoch: number;
  guardrail: string;
  group_label: string;
  alpha: number;
  state_json: string;
  consumed_json: string;
  breach_json: string | null;
  paused: string | null;
  updated_at_ms: number;
  /** Of what else stands in the row; null in those of earlier versions. */
  digest: string | null;
}
/** How a test began: what is needed to begin it the same way again. Written once. */
export interface GuardrailBegunTable {
  /** Of the test. */
  id: string;
  endpoint: string;
  release: string;
  arm_class: string;
  epoch: number;
  begun_json: string;
  digest: string;
}

/** Requests that an endpoint looked at in an hour, and what was not as expected: of each process, which writes its own sums again and again. */
export interface ExpectationHourTable {
  endpoint: string;
  /** Whole hours since 1970 (UTC). */
  hour: number;
  /** One life of a process. */
  writer: string;
  counts_json: string;
}
/** The share of breaches was proven to be beyond its limit on that day. */
export interface ExpectationWarningTable {
  endpoint: string;
  /** Whole days since 1970 (UTC). */
  day: number;
  /** The expectation's key: its name and what it says. */
  expectation: string;
  breach: string;
  at_ms: number;
  /** As they stood then. */
  checked: number;
  breached: number;
  share_limit: number;
}
/** Reports that are kept: pages about a period of an endpoint. */
export interface ReportTable {
  id: string;
  endpoint: string;
  /** `week` or `month`. */
  schedule: string;
  from_ms: number;
  to_ms: number;
  blob: string;
  bytes: number;
  made_at_ms: number;
  made_by: string;
}
/** A declared document: `kind` is `channel` (where to) or `alerts` (who is told of what). */
export interface AlertSettingTable {
  kind: string;
  name: string;
  spec_json: string;
  created_at_ms: number;
  updated_at_ms: number;
}
/** One thing that somebody should know of, from when it began to hold until it doesn't any more: one row a life. */
export interface AlertTable {
  /** What receivers tell it by; never the same again. */
  id: string;
  /** What it is about: `incident/7`, `sink/archive`. One open alert a key. */
  key: string;
  kind: string;
  endpoint: string | null;
  /** When it was opened; what it is now is among the facts. */
  severity: string;
  opened_at_ms: number;
  /** When something was last worth telling again. */
  changed_at_ms: number;
  resolved_at_ms: number | null;
  acked_at_ms: number | null;
  acked_by: string | null;
  ack_reason: string | null;
  facts_json: string;
}
/** What a channel was last told of an alert: written with the notice that tells it. */
export interface AlertToldTable {
  alert: string;
  channel: string;
  at_ms: number;
  /** The alert's `changed_at_ms` as it was told. */
  changed_at_ms: number;
  is_acked: Flag;
  is_resolved: Flag;
}
/** One message to one channel, about one or several alerts of one endpoint; kept until it is delivered, and afterwards. */
export interface AlertNoticeTable {
  /** The same in every attempt; sorted by creation. */
  id: string;
  channel: string;
  /** Null: about what belongs to no endpoint. */
  endpoint: string | null;
  entries_json: string;
  /** `pending`, `delivered`, `dead` (given up; can be sent again) or `dropped` (its channel was removed). */
  state: string;
  attempts: number;
  created_at_ms: number;
  next_at_ms: number;
  give_up_at_ms: number;
  settled_at_ms: number | null;
  last_error: string | null;
}
/** Which alerts a notice is about, and what it says of each. */
export interface AlertNoticeOfTable {
  alert: string;
  notice: string;
  news: string;
}
/** Nobody is told of what matches, for a while, because somebody said so. */
export interface AlertSilenceTable {
  id: string;
  matcher_json: string;
  from_ms: number;
  until_ms: number;
  created_by: string;
  reason: string;
  ended_by: string | null;
}

export interface EndpointTable {
  name: string;
  spec_json: string;
  spec_id: string;
  created_at_ms: number;
  updated_at_ms: number;
}
export interface ReleaseTable {
  id: string;
  endpoint: string;
  number: number;
  name: string;
  bundle_json: string;
  /** Where its parts came from: model version, run, feature set, description. */
  origin_json: string;
  created_at_ms: number;
  created_by: string;
}
export interface TransitionTable {
  endpoint: string;
  generation: number;
  command: string;
  kind: string;
  body_json: string;
  actor: string;
  reason: string;
  at_ms: number;
}
/** Rehearsals of a rollback. */
export interface DrillTable {
  endpoint: string;
  at_ms: number;
  /** `live` or `replay`. */
  mode: string;
  live: string;
  target: string;
  passed: Flag;
  body_json: string;
  actor: string;
}
export interface IncidentTable {
  n: Generated<number>;
  endpoint: string;
  release: string;
  restored: string | null;
  state: string;
  kind: string;
  body_json: string;
  opened_at_ms: number;
  updated_at_ms: number;
}
export interface IncidentEventTable {
  seq: Generated<number>;
  incident: number;
  at_ms: number;
  kind: string;
  actor: string;
  body_json: string;
}
/** How far a receiver of OpenLineage events was told. The audit log is the queue: `position` is the `seq` of its last entry that was. */
export interface OpenlineageExportTable {
  /** The address, or the file's path. */
  target: string;
  position: number;
  /** Bytes of the file up to there; 0 for an address. */
  mark: number;
  delivered: number;
  /** Events that the receiver won't ever take: told, counted, and passed over. */
  refused: number;
  /** In a row. */
  failures: number;
  last_error: string | null;
  last_error_at_ms: number | null;
  last_success_at_ms: number | null;
}
export interface BlameReportTable {
  incident: number;
  tier: number;
  report_json: string;
  made_at_ms: number;
}
export interface AffectedTable {
  incident: number;
  decision: string;
  subject: string | null;
  cell: string;
  class: string;
  action_before: string;
  action_after: string | null;
  score_before: number | null;
  score_after: number | null;
  reason: string | null;
  decided_at_ms: number;
}
/** People whom decisions are compared with to find their reasons: recorded decisions by id, never a copy of what they say. */
export interface ReasonReferenceTable {
  /** Content id, `ref:…`. */
  id: string;
  endpoint: string;
  release: string;
  /** `approved` or `approved_on_replay`. */
  source: string;
  decisions_json: string;
  /** Full: used for the release from now on. */
  frozen: Flag;
  drawn_at_ms: number;
}
/** What moved a decision's score, as it was found first. Without inputs; stays when the person is erased. */
export interface DecisionReasonsTable {
  decision: string;
  body_json: string;
  computed_at_ms: number;
}
