/** The registry's parts, wired. */
import type { Audit } from "../access/index.ts";
import type { Store } from "../store/index.ts";
import { DatasetKeeping } from "./dataset-keeping.ts";
import { DatasetRedaction } from "./dataset-redaction.ts";
import { Datasets } from "./datasets.ts";
import { Experiments } from "./experiments.ts";
import { FeatureSets } from "./feature-sets.ts";
import { Lineage } from "./lineage.ts";
import { Models } from "./models.ts";
import { Runs } from "./runs.ts";
import { openTracking, type Tracking } from "./tracking.ts";

export interface Registry {
  readonly datasets: Datasets;
  /** Pins, protected tags, removal and verification of versions. */
  readonly keeping: DatasetKeeping;
  readonly redaction: DatasetRedaction;
  readonly featureSets: FeatureSets;
  readonly runs: Runs;
  readonly models: Models;
  readonly lineage: Lineage;
  /** The same, as MLflow has it. */
  readonly tracking: Tracking;
}

/** Everything over one store. Holds nothing open: there is nothing to close. */
export function openRegistry(store: Store, audit: Audit): Registry {
  const lineage = new Lineage(store);
  const featureSets = new FeatureSets(store, audit);
  const experiments = new Experiments(store, audit);
  const keeping = new DatasetKeeping(store, audit, lineage);
  return {
    lineage,
    featureSets,
    datasets: new Datasets(store, audit),
    runs: new Runs(store, audit, { lineage, experiments }),
    keeping,
    redaction: new DatasetRedaction(store, audit, keeping),
    models: new Models(store, audit, { lineage, featureSets }),
    tracking: openTracking(store, audit, { experiments, lineage }),
  };
}
