export { FeatureSetSpec, FeatureSpec, NamePattern } from "./feature-set-spec.ts";
export { FeatureSets, featureSetId, parseFeatureSet, type FeatureSetVersion } from "./feature-sets.ts";
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
export { ModelSignature } from "./model-signature.ts";
export {
  Models,
  type AliasHistoryEntry,
  type AliasMove,
  type ModelRegistration,
  type ModelVersion,
  type ModelVersionId,
  type ModelView,
} from "./models.ts";
export { parseReference, type Reference } from "./names.ts";
export type { Refusal } from "./refusal.ts";
export { ArtifactEntry, MetricPoint, RunLog, RunParams, RunTags } from "./run-log.ts";
export {
  Runs,
  type ComparedRow,
  type Run,
  type RunComparison,
  type RunDetail,
  type RunPage,
  type RunStart,
  type RunStatus,
} from "./runs.ts";
