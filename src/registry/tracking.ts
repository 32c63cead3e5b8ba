/** What MLflow's clients work with, over the same tables as everything else in the registry. */
import type { Audit } from "../access/index.ts";
import type { Store } from "../store/index.ts";
import { Artifacts } from "./artifacts.ts";
import type { Experiments } from "./experiments.ts";
import type { Lineage } from "./lineage.ts";
import { LoggedModels } from "./logged-models.ts";
import { ModelVersions } from "./model-versions.ts";
import { RegisteredModels } from "./registered-models.ts";
import { RunLinkage } from "./run-links.ts";
import { RunSearch } from "./run-search.ts";
import { TrackedRuns } from "./tracked-runs.ts";

export interface Tracking {
  readonly experiments: Experiments;
  readonly runs: TrackedRuns;
  readonly links: RunLinkage;
  readonly search: RunSearch;
  readonly loggedModels: LoggedModels;
  readonly models: RegisteredModels;
  readonly versions: ModelVersions;
  readonly artifacts: Artifacts;
}

export function openTracking(
  store: Store,
  audit: Audit,
  { experiments, lineage }: { readonly experiments: Experiments; readonly lineage: Lineage },
): Tracking {
  const links = new RunLinkage(store, audit, lineage);
  return {
    experiments,
    runs: new TrackedRuns(store, audit, lineage),
    links,
    search: new RunSearch(store, links),
    loggedModels: new LoggedModels(store, audit),
    models: new RegisteredModels(store, audit),
    versions: new ModelVersions(store, audit, lineage),
    artifacts: new Artifacts(store, audit),
  };
}
