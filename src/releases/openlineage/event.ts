/** Events of OpenLineage (core specification 2-0-2): their form, and the facets that Evenkeel fills. Pure. */
import { createHash } from "node:crypto";
import type { Json } from "../../store/index.ts";

/** Says who made an event or a facet. */
const PRODUCER = "https://evenkeel.dev/openlineage/1";
const CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/** Of facets that the specification doesn't know: what they hold is in docs/lineage.md. */
const OWN = "https://evenkeel.dev/openlineage/1/facets.json#/$defs";

export interface Facet {
  readonly _producer: string;
  readonly _schemaURL: string;
  readonly [field: string]: Json;
}
export type Facets = Readonly<Record<string, Facet>>;

export interface Dataset {
  readonly namespace: string;
  /** The same for all versions; the version is a facet. */
  readonly name: string;
  readonly facets: Facets;
}

export interface RunEvent {
  readonly eventType: "START" | "COMPLETE" | "FAIL" | "ABORT" | "OTHER";
  /** ISO 8601, UTC. */
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Facets };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
  readonly producer: string;
  readonly schemaURL: string;
}

export const runEvent = (event: Omit<RunEvent, "producer" | "schemaURL">): RunEvent => ({ ...event, producer: PRODUCER, schemaURL: CORE });

type Fields = Readonly<Record<string, Json>>;
const facet = (schema: string, fields: Fields): Facet => ({ ...fields, _producer: PRODUCER, _schemaURL: schema });
const standard = (version: string, name: string, fields: Fields) =>
  facet(`https://openlineage.io/spec/facets/${version}/${name}.json#/$defs/${name}`, fields);

/** A facet of ours; its key in the event begins with `evenkeel_`. */
export const ownFacet = (name: string, fields: Fields): Facet => facet(`${OWN}/${name}`, fields);

export const versionFacet = (datasetVersion: string): Facet => standard("1-0-0", "DatasetVersionDatasetFacet", { datasetVersion });

export const schemaFacet = (fields: readonly { readonly name: string; readonly type: string }[]): Facet =>
  standard("1-0-0", "SchemaDatasetFacet", { fields: fields.map(({ name, type }) => ({ name, type })) });

export const parametersFacet = (params: Readonly<Record<string, string | number | boolean>>): Facet =>
  standard("1-0-0", "JobRunParametersFacet", { parameters: Object.entries(params).map(([key, value]) => ({ key, value })) });

export const parentFacet = (run: string, job: { readonly namespace: string; readonly name: string }): Facet =>
  standard("1-0-1", "ParentRunFacet", { run: { runId: run }, job: { ...job } });

export const codeFacet = (code: {
  readonly type: string;
  readonly url: string;
  readonly version?: string;
  readonly path?: string;
}): Facet => standard("1-0-1", "SourceCodeLocationJobFacet", { ...code });

export const jobTypeFacet = (jobType: string): Facet =>
  standard("2-0-4", "JobTypeJobFacet", { processingType: "BATCH", integration: "EVENKEEL", jobType });

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** OpenLineage wants UUIDs: ours are, those of MLflow's clients lack the dashes, and anything else gives one of its own (RFC 9562, version 8). */
export function uuidOf(...names: readonly string[]): string {
  const [only = ""] = names;
  if (names.length === 1 && UUID.test(only)) return only;
  if (names.length === 1 && /^[0-9a-f]{32}$/.test(only)) return dashed(only);
  const hex = createHash("sha256").update(JSON.stringify(names)).digest("hex");
  return dashed(`${hex.slice(0, 12)}8${hex.slice(13, 16)}a${hex.slice(17, 32)}`);
}
const dashed = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
