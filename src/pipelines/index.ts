export { parsePipeline, type Pipeline, type Step, type StepRole } from "./declaration.ts";
export { inlineExecutor, spawnExecutor, type Execution, type ExecutionResult, type Executor } from "./executor.ts";
export { trainHybrids, type HybridOptions, type HybridPlan, type PlayerGroup, type TrainedHybrid } from "./hybrids.ts";
export { StepOutcomeRecord, StepOutcomes } from "./outcomes.ts";
export { differingPlayers, makingPlayers, stepKey, type MakingPlayer, type Recipe, type RecipeStep, type StepKey } from "./recipe.ts";
export { parseRecipe } from "./recipe-record.ts";
export { capture, cook, outOfKind, type Cooked, type PipelineStore, type RunOptions, type StepFailure, type StepOutcome } from "./run.ts";
