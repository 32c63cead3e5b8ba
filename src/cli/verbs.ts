import { ab } from "./ab.ts";
import { affected } from "./affected.ts";
import { alerts } from "./alerts.ts";
import { apply } from "./apply.ts";
import { audit } from "./audit.ts";
import { blame } from "./blame.ts";
import { data } from "./data.ts";
import { decide } from "./decide.ts";
import { decisions } from "./decisions.ts";
import { deploy } from "./deploy.ts";
import { features } from "./features.ts";
import { importVerb } from "./import.ts";
import { incidents } from "./incidents.ts";
import { lineage } from "./lineage.ts";
import { logs } from "./logs.ts";
import { models } from "./models.ts";
import { openlineage } from "./openlineage.ts";
import { pipeline } from "./pipeline.ts";
import { reasons } from "./reasons.ts";
import { drill, rollout } from "./rollout.ts";
import { run } from "./run.ts";
import { runs } from "./runs.ts";
import { score } from "./score.ts";
import { sinks } from "./sinks.ts";
import { status } from "./status.ts";
import { promote, release, rollback } from "./switch.ts";
import { token } from "./token.ts";
import { up } from "./up.ts";
import type { Verb } from "./verb.ts";

/** In the order of the help. */
export const verbs: readonly Verb[] = [
  up,
  apply,
  status,
  deploy,
  promote,
  rollback,
  rollout,
  ab,
  drill,
  release,
  logs,
  decide,
  score,
  decisions,
  reasons,
  sinks,
  incidents,
  alerts,
  blame,
  affected,
  data,
  features,
  run,
  pipeline,
  models,
  importVerb,
  runs,
  lineage,
  openlineage,
  audit,
  token,
];
