export type { AliasGuard, AliasHistoryEntry, AliasMove, AliasProtection } from "./aliases.ts";
export type { Column, ColumnType } from "./cell-types.ts";
export { ColumnProfile } from "./column-profile.ts";
export { TableSketches } from "./column-sketch.ts";
export { CsvParser, type Cell, type CsvSink } from "./csv-parser.ts";
export { TableProblem, decodedText } from "./csv-text.ts";
export type { ColumnChange, RowChanges } from "./dataset-diff.ts";
export { columnHistograms, type ColumnHistogram } from "./column-histograms.ts";
export type { DatasetDiff } from "./dataset-diffs.ts";
export type { Sweep, VersionCheck } from "./dataset-keeping.ts";
export type { Redaction } from "./dataset-redaction.ts";
export { DatasetSpec, type ProtectedColumn } from "./dataset-spec.ts";
export type { TagHistoryEntry, TagMove } from "./dataset-tags.ts";
export { DatasetProfile, type DatasetVersion } from "./dataset-version.ts";
export { Datasets, type AddedVersion, type DatasetAddition, type DatasetView } from "./datasets.ts";
export type { Contrast, GroupChange, LabelFlip } from "./diff-groups.ts";
export type { Differential } from "./diff-differentials.ts";
export type { Distribution } from "./diff-distributions.ts";
export type { DiffKey } from "./diff-prepare.ts";
export { chiSquareTail, ksDistance, psi, totalVariation } from "./diff-statistics.ts";
export type { DiffRows } from "./diff-rows.ts";
export type { SchemaChanges } from "./diff-schema.ts";
export type { DiffFinding, DiffIdentity } from "./diff-verdict.ts";
export { FeatureSetSpec, FeatureSpec, NamePattern } from "./feature-set-spec.ts";
export {
  derivationOf,
  featureChangeText,
  featureHistory,
  featureSetChanges,
  type FeatureChange,
  type FeatureEvent,
} from "./feature-set-diff.ts";
export { FeatureSets, featureSetId, parseFeatureSet, type FeatureSetVersion } from "./feature-sets.ts";
export { FOLDER_FILES_MAX, FolderManifest, folderIssues, manifestBytes, printable, type FolderFile, folderIn } from "./folder-manifest.ts";
export { listFolder, type FolderEntry } from "./folder-listing.ts";
export { KnownFiles, fileState } from "./known-files.ts";
export type { GroupCount } from "./group-counts.ts";
export {
  Lineage,
  nodeKinds,
  type LineageBounds,
  type LineageEdge,
  type LineageGraph,
  type LineageNode,
  type NodeKind,
  type Relation,
} from "./lineage.ts";
export { MLMODEL, exampleRowsIn, readMlmodel, type MlflowModel } from "./mlflow-folder.ts";
export { ModelExamples, modelParts, putModel, type ModelParts, type ScoredColumn } from "./model-folder.ts";
export { ModelSignature } from "./model-signature.ts";
export { Models, type ModelRegistration, type ModelVersion, type ModelVersionId, type ModelView, type ServableVersion } from "./models.ts";
export { parseReference, type Reference } from "./names.ts";
export type { Refusal } from "./refusal.ts";
export { openRegistry, type Registry } from "./registry.ts";
export type { TableSource } from "./table-intake.ts";
export { fileOnDisk } from "./table-file.ts";
export { tableIdIn } from "./table-id.ts";
export { formatOf, readRows, tableFormats, type TableFormat } from "./table-rows.ts";
export type { TableId } from "./row-hash.ts";
export { rowsInWords, type RowInWords } from "./rows-in-words.ts";
export { ArtifactEntry, MetricPoint, RunLog, RunParams, RunTags } from "./run-log.ts";
export {
  Runs,
  runStatuses,
  type ComparedRow,
  type Run,
  type RunComparison,
  type RunDetail,
  type RunPage,
  type RunStart,
  type RunStatus,
} from "./runs.ts";
export { VERSIONS, addressIn, loggedModelArtifacts, runArtifacts, versionArtifacts, type ArtifactFile } from "./artifacts.ts";
export type { Experiment } from "./experiments.ts";
export type { DatasetName, LoggedModel, LoggedModelStatus } from "./logged-models.ts";
export type { MetricValue } from "./metric-points.ts";
export { stages, type RegisteredVersion, type Stage } from "./model-versions.ts";
export type { RegisteredModel } from "./registered-models.ts";
export type { DatasetInput, RunLinks } from "./run-links.ts";
export type { DatasetSummary, FoundRun, LifecycleView } from "./run-search.ts";
export type { Page, Search } from "./search-page.ts";
export type { Texts } from "./texts.ts";
export { hexOf, runIdIn, type LoggedPoint, type TrackedRun } from "./tracked-runs.ts";
export type { Tracking } from "./tracking.ts";
export type { TrackingRefusal } from "./tracking-refusal.ts";
