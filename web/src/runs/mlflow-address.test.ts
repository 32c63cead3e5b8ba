import { expect, test } from "vitest";
import { mlflowAddress, runId } from "./mlflow-address.ts";

const run = "01997fa2-0000-7000-8000-0123456789ab";

test.each([
  ["#/experiments/0/runs/01997fa2000070008000" + "0123456789ab", { kind: "run", run }],
  [`/experiments/12/runs/${run}/artifacts?x=1`, { kind: "run", run }],
  ["#/experiments/12", { kind: "experiment", id: "12" }],
  ["#/experiments/12/models/m-0123", { kind: "experiment", id: "12" }],
  ["#/experiments/12/runs/..%2f..", { kind: "experiment", id: "12" }],
  ["#/models/credit%20cards/versions/3", { kind: "model", name: "credit cards", version: "3" }],
  ["#/models/credit", { kind: "model", name: "credit", version: undefined }],
])("%s leads somewhere here", (hash, address) => expect(mlflowAddress(hash)).toEqual(address));

test.each(["", "#", "#/", "#main", "#/experiments/x", "#/models/", "#/experiments/", "#/%E0%A4%A/1"])("%s is no link of MLflow's", (hash) =>
  expect(mlflowAddress(hash)).toBeUndefined(),
);

test("a run is known with dashes and without", () => {
  expect([runId(run), runId(run.replaceAll("-", "")), runId("nonsense")]).toEqual([run, run, undefined]);
});
