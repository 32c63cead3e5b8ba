/** What happened here, as events of OpenLineage: each entry of the audit log that tells of a run, a model, a release or a rollback. */
import type { AuditRecord } from "../../access/index.ts";
import type { DatasetVersion, LineageNode, ModelVersion, Registry, RunDetail } from "../../registry/index.ts";
import { canonicalJson, type Store } from "../../store/index.ts";
import type { FeatureSetId } from "../../std.ts";
import { usedRun, type RunCode } from "../made-of.ts";
import { readRelease, type ReleaseInfo } from "../release-rows.ts";
import { parseTransition, type Transition } from "../transition.ts";
import {
  codeFacet,
  jobTypeFacet,
  ownFacet,
  parametersFacet,
  parentFacet,
  runEvent,
  schemaFacet,
  uuidOf,
  versionFacet,
  type Dataset,
  type Facets,
  type RunEvent,
} from "./event.ts";

export interface ComposeParts {
  readonly store: Store;
  readonly registry: Registry;
  /** What jobs and datasets of this installation are under: `evenkeel://default`. */
  readonly namespace: string;
}

/** The events that an entry stands for, in order; none for most. What was deleted meanwhile tells nothing. */
export async function eventsOf(parts: ComposeParts, entry: AuditRecord): Promise<readonly RunEvent[]> {
  const [kind = "", ...rest] = entry.object.split("/");
  const name = rest.join("/");
  switch (entry.action) {
    case "run.started":
      return runEvents(parts, name, "START", entry.time);
    case "run.finished":
      return runEvents(parts, name, "COMPLETE", entry.time);
    case "run.failed":
      return runEvents(parts, name, "FAIL", entry.time);
    case "run.killed":
      return runEvents(parts, name, "ABORT", entry.time);
    case "model-version.added":
      return lateModel(parts, entry);
    case "route.registered":
    case "route.rolled-back":
      return kind === "endpoint" ? releaseEvents(parts, name, entry) : [];
    default:
      return [];
  }
}

async function runEvents(
  parts: ComposeParts,
  id: string,
  type: "START" | "COMPLETE" | "FAIL" | "ABORT",
  time: string,
): Promise<readonly RunEvent[]> {
  const found = await parts.registry.runs.get(id);
  if (!found.ok) return [];
  const run = found.value;
  const { code } = await usedRun(parts.store.blobs, run);
  const event = await eventOfRun(parts, { run, code }, type, time);
  return type === "START" ? [event] : [...(await stepEvents(parts, { run, code })), event];
}

interface RunWithCode {
  readonly run: RunDetail;
  readonly code: RunCode;
}

async function eventOfRun(
  parts: ComposeParts,
  { run, code }: RunWithCode,
  eventType: RunEvent["eventType"],
  eventTime: string,
): Promise<RunEvent> {
  const repository = run.tags["mlflow.source.git.repoURL"];
  const location =
    code.commit !== null && repository !== undefined && URL.canParse(repository)
      ? codeFacet({ type: "git", url: repository, version: code.commit, ...(code.source === null ? {} : { path: code.source }) })
      : code.recipe === null
        ? null
        : codeFacet({ type: "evenkeel", url: `${parts.namespace}/blobs/${code.recipe}`, version: code.recipe });
  const isStart = eventType === "START";
  const results = isStart ? {} : { status: run.status, metrics: { ...run.metrics } };
  return runEvent({
    eventType,
    eventTime,
    run: {
      runId: uuidOf(run.id),
      facets: {
        ...(Object.keys(run.params).length > 0 ? { jobRunParameters: parametersFacet(run.params) } : {}),
        evenkeel_run: ownFacet("Run", { id: run.id, name: run.name, commit: code.commit, ...results }),
      },
    },
    job: {
      namespace: parts.namespace,
      name: run.experiment,
      facets: { jobType: jobTypeFacet("TRAINING"), ...(location ? { sourceCodeLocation: location } : {}) },
    },
    inputs: await datasetsOf(parts, await linkedBy(parts, { run: run.id, direction: "upstream", time: eventTime })),
    outputs: isStart ? [] : await datasetsOf(parts, await linkedBy(parts, { run: run.id, direction: "downstream", time: eventTime })),
  });
}

/** What a run was linked to by then: an event that is composed late says no more than one that was composed in time. */
async function linkedBy(
  { registry }: ComposeParts,
  { run, direction, time }: { readonly run: string; readonly direction: "upstream" | "downstream"; readonly time: string },
): Promise<readonly LineageNode[]> {
  const { edges } = await registry.lineage[direction]({ kind: "run", id: run }, { depth: 1 });
  return edges.filter(({ atMs }) => atMs <= Date.parse(time)).map((edge) => (direction === "upstream" ? edge.from : edge.to));
}

/** Of each step that the run's recipe names, as far as the cache still knows when it ran. */
async function stepEvents(parts: ComposeParts, { run, code }: RunWithCode): Promise<readonly RunEvent[]> {
  const { namespace, store } = parts;
  const { recipe } = code;
  if (!recipe) return [];
  const outputs = new Map(run.artifacts.map(({ path, blob }) => [path, blob]));
  const events: RunEvent[] = [];
  for (const { name, files, outs, deps, pipeline } of code.steps) {
    const made = Object.fromEntries(outs.flatMap((out) => (outputs.has(out) ? [[out, outputs.get(out) ?? ""]] : [])));
    const row = await store.db
      .selectFrom("step_run")
      .select(["key", "created_at_ms", "duration_ms"])
      .where("pipeline", "=", pipeline)
      .where("step", "=", name)
      .where("outs_json", "=", canonicalJson(made))
      .orderBy("created_at_ms", "desc")
      .executeTakeFirst();
    if (!row) continue;
    const intermediate = (step: string, out: string, blob: string): Dataset => ({
      namespace,
      name: `${pipeline}.${step}/${out}`,
      facets: { version: versionFacet(blob) },
    });
    const inputs: Dataset[] = [];
    for (const dep of deps) {
      if (dep.kind === "dataset") inputs.push(...(await datasetsOf(parts, [{ kind: "dataset_version", id: dep.version }])));
      else if (dep.kind === "external") inputs.push({ namespace, name: dep.external, facets: { version: versionFacet(dep.pin) } });
      else if (outputs.has(dep.out)) inputs.push(intermediate(dep.step, dep.out, outputs.get(dep.out) ?? ""));
    }
    const common = {
      run: {
        runId: uuidOf(run.id, name),
        facets: {
          parent: parentFacet(uuidOf(run.id), { namespace, name: run.experiment }),
          evenkeel_step: ownFacet("Step", { key: row.key, files: { ...files } }),
        },
      },
      job: {
        namespace,
        name: `${pipeline}.${name}`,
        facets: {
          jobType: jobTypeFacet("STEP"),
          sourceCodeLocation: codeFacet({
            type: "evenkeel",
            url: `${namespace}/blobs/${recipe}#${encodeURIComponent(name)}`,
            version: recipe,
          }),
        },
      },
      inputs,
    };
    const time = (atMs: number) => new Date(atMs).toISOString();
    const results = Object.entries(made).map(([out, blob]) => intermediate(name, out, blob));
    events.push(
      runEvent({ ...common, eventType: "START", eventTime: time(row.created_at_ms - row.duration_ms), outputs: [] }),
      runEvent({ ...common, eventType: "COMPLETE", eventTime: time(row.created_at_ms), outputs: results }),
    );
  }
  return events;
}

/** A model that was registered after its run had ended: the run's own end could not say so. */
async function lateModel(parts: ComposeParts, { payload, time }: AuditRecord): Promise<readonly RunEvent[]> {
  const id = typeof payload === "object" && payload !== null && "run" in payload ? payload.run : null;
  const found = typeof id === "string" ? await parts.registry.runs.get(id) : undefined;
  if (!found?.ok || found.value.endedAtMs === null || found.value.endedAtMs > Date.parse(time)) return [];
  const { code } = await usedRun(parts.store.blobs, found.value);
  return [await eventOfRun(parts, { run: found.value, code }, "OTHER", time)];
}

/** Making a release and rolling back are runs as well, with the release as what comes out. */
async function releaseEvents(parts: ComposeParts, endpoint: string, entry: AuditRecord): Promise<readonly RunEvent[]> {
  const { namespace, store } = parts;
  const generation = generationIn(entry.payload);
  const row =
    generation === undefined
      ? undefined
      : await store.db
          .selectFrom("transition")
          .selectAll()
          .where("endpoint", "=", endpoint)
          .where("generation", "=", generation)
          .executeTakeFirst();
  if (!row) return [];
  const transition = parseTransition(row);
  const { change } = transition;
  const isRollback = change.kind === "rolled-back";
  const id = change.kind === "registered" ? change.release : isRollback ? change.live : null;
  const release = id && (await readRelease(store.db, id));
  if (!release) return [];
  const upstream = isRollback ? [] : (await parts.registry.lineage.upstream({ kind: "release", id: release.id }, { depth: 1 })).edges;
  const from = isRollback ? await readRelease(store.db, change.from) : undefined;
  const common = {
    run: {
      runId: uuidOf(endpoint, String(transition.generation)),
      facets: isRollback ? { evenkeel_rollback: rollbackFacet(transition, change) } : {},
    },
    job: {
      namespace,
      name: `${endpoint}.${isRollback ? "rollback" : "release"}`,
      facets: { jobType: jobTypeFacet(isRollback ? "ROLLBACK" : "RELEASE") },
    },
    inputs: [
      ...(from ? [releaseDataset(namespace, from)] : []),
      ...(await datasetsOf(
        parts,
        upstream.map((edge) => edge.from),
      )),
    ],
  };
  return [
    runEvent({ ...common, eventType: "START", eventTime: entry.time, outputs: [] }),
    runEvent({ ...common, eventType: "COMPLETE", eventTime: entry.time, outputs: [releaseDataset(namespace, release)] }),
  ];
}

/** A guardrail's reason holds figures of groups, and stays here; what a person typed goes along. */
function rollbackFacet({ actor, reason, generation }: Transition, change: Extract<Transition["change"], { readonly kind: "rolled-back" }>) {
  return ownFacet("Rollback", {
    generation,
    actor: actor.kind === "person" ? "person" : actor.name,
    automatic: change.automatic,
    reason: actor.kind === "person" ? reason : null,
    from: change.from,
    to: change.live,
    condemned: change.condemned,
  });
}

function generationIn(payload: unknown): number | undefined {
  if (typeof payload !== "object" || payload === null || !("generation" in payload)) return undefined;
  return typeof payload.generation === "number" ? payload.generation : undefined;
}

/** Nodes of the lineage graph that are data of some kind; others are jobs, not datasets. */
async function datasetsOf(parts: ComposeParts, nodes: readonly LineageNode[]): Promise<Dataset[]> {
  const { registry, namespace } = parts;
  const found: Dataset[] = [];
  for (const { kind, id } of nodes) {
    if (kind === "dataset_version") {
      const version = await registry.datasets.get(id);
      found.push(
        version.ok ? tableDataset(namespace, version.value) : { namespace, name: `datasets/${id}`, facets: { version: versionFacet(id) } },
      );
    }
    if (kind === "model_version") {
      const version = await registry.models.resolve(id);
      if (version.ok) found.push(modelDataset(namespace, version.value));
    }
    if (kind === "feature_set") {
      const set = await registry.featureSets.get(asFeatureSetId(id));
      if (set)
        found.push({
          namespace,
          name: `feature-sets/${set.name}`,
          facets: {
            version: versionFacet(set.id),
            schema: schemaFacet(set.spec.features.map(({ name }) => ({ name, type: "number" }))),
            evenkeel_feature_set: ownFacet("FeatureSet", { number: set.number }),
          },
        });
    }
  }
  return found;
}

const tableDataset = (namespace: string, { dataset, number, id, blob, rows, bytes, profile }: DatasetVersion): Dataset => ({
  namespace,
  name: `datasets/${dataset}`,
  facets: {
    version: versionFacet(id),
    schema: schemaFacet(profile.columns),
    evenkeel_dataset: ownFacet("Dataset", { number, blob, rows, bytes }),
  },
});

const modelDataset = (namespace: string, { model, number, id, blob, signature }: ModelVersion): Dataset => ({
  namespace,
  name: `models/${model}`,
  facets: {
    version: versionFacet(id),
    evenkeel_model: ownFacet("Model", {
      number,
      blob,
      features: signature ? [...signature.features] : null,
      scoreOutput: signature?.scoreOutput ?? null,
    }),
  },
});

const releaseDataset = (namespace: string, { endpoint, number, id, name, bundle }: ReleaseInfo): Dataset => ({
  namespace,
  name: `releases/${endpoint}`,
  facets: {
    version: versionFacet(id),
    evenkeel_release: ownFacet("Release", { number, name, scorer: bundle.scorer.kind }),
  } satisfies Facets,
});

/** Only looked up: a text that is no id is not found. */
const asFeatureSetId = (text: string): FeatureSetId => text as FeatureSetId;
