import type { Migration } from "kysely/migration";
import * as first from "./0001-first.ts";
import * as drills from "./0002-drills.ts";
import * as sinks from "./0003-sinks.ts";
import * as reasons from "./0004-reasons.ts";
import * as mlflow from "./0005-mlflow.ts";
import * as data from "./0006-data.ts";
import * as lineage from "./0007-lineage.ts";
import * as pipelines from "./0008-pipelines.ts";
import * as bins from "./0009-bins.ts";
import * as alerts from "./0010-alerts.ts";
import * as matured from "./0011-matured.ts";
import * as report from "./0012-report.ts";
import * as sketches from "./0014-sketches.ts";
import * as drift from "./0016-drift.ts";
import * as planned from "./0017-planned.ts";
import * as begunTests from "./0018-begun-tests.ts";

/** In order, upwards only. A release that has shipped never changes an entry; it adds one. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-first": first,
  "0002-drills": drills,
  "0003-sinks": sinks,
  "0004-reasons": reasons,
  "0005-mlflow": mlflow,
  "0006-data": data,
  "0007-lineage": lineage,
  "0008-pipelines": pipelines,
  "0009-bins": bins,
  "0010-alerts": alerts,
  "0011-matured": matured,
  "0012-report": report,
  "0014-sketches": sketches,
  "0016-drift": drift,
  "0017-planned": planned,
  "0018-begun-tests": begunTests,
};
