export { capture, pathsOf, subtree, type CaptureOptions } from "./capture.ts";
export { parsePipeline, withUpstream, type DepSource, type Out, type Pipeline, type Step, type StepRole } from "./declaration.ts";
export { inlineExecutor, spawnExecutor, type Ending, type Execution, type ExecutionResult, type Executor } from "./executor.ts";
export { trainHybrids, type HybridOptions, type HybridPlan, type PlayerGroup, type TrainedHybrid } from "./hybrids.ts";
export { StepOutcomeRecord, StepOutcomes, StepRepeat, type Determinism } from "./outcomes.ts";
export {
  differingPlayers,
  makingPlayers,
  stepKey,
  type KnownDataset,
  type MakingPlayer,
  type Recipe,
  type RecipeStep,
  type StepInput,
  type StepKey,
} from "./recipe.ts";
export { KnownTables, type TableIds } from "./known-tables.ts";
export { parseRecipe } from "./recipe-record.ts";
export {
  StoppedError,
  cook,
  outOfKind,
  repeat,
  type Cooked,
  type Repeated,
  type RunOptions,
  type Spoiled,
  type StepProgress,
  type UnderWay,
} from "./run.ts";
export { combinations, settingsOf, type Combination, type Setting } from "./sweep.ts";
export { parseStepFacts, parseStepsOfRun, stepFactsOf, type StepOfRun } from "./step-facts.ts";
export { failureLine, troubleText, type StepFacts, type StepFailure, type StepOutcome, type StepTrouble } from "./step-outcome.ts";
export { BytesRefused, WORK_MARK, type PipelineStore } from "./step-work.ts";
export { changeText, codeDifferences, paramChanges, variableChanges, type StepChange } from "./changes.ts";
export { statusOf, type StatusSources, type StepStatus } from "./status.ts";
