/**
 * What the specification of OpenLineage asks of an event: core 2-0-2, and the facets that are used here in the versions that they name.
 * Written from its JSON Schemas (Apache-2.0); docs/decisions/openlineage.md says why they don't lie here themselves.
 */
import { Type } from "typebox";
import { checked } from "../src/checked.ts";

const Uri = Type.String({ pattern: "^[a-z][a-z0-9+.-]*:[^\\s]+$" });
const Uuid = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
const DateTime = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d([.]\\d+)?(Z|[+-]\\d\\d:\\d\\d)$" });

const base = { _producer: Uri, _schemaURL: Uri };
const facet = <P extends Parameters<typeof Type.Object>[0]>(properties: P) => Type.Object({ ...base, ...properties });
const any = facet({});
const Job = { namespace: Type.String(), name: Type.String() };

const RunFacets = Type.Object(
  {
    parent: Type.Optional(facet({ run: Type.Object({ runId: Uuid }), job: Type.Object(Job) })),
    jobRunParameters: Type.Optional(
      facet({
        parameters: Type.Array(Type.Object({ key: Type.String(), value: Type.Optional(Type.Unknown()) }, { additionalProperties: false })),
      }),
    ),
    evenkeel_run: Type.Optional(any),
    evenkeel_step: Type.Optional(any),
    evenkeel_rollback: Type.Optional(any),
  },
  { additionalProperties: false },
);
const JobFacets = Type.Object(
  {
    sourceCodeLocation: Type.Optional(
      facet({ type: Type.String(), url: Uri, version: Type.Optional(Type.String()), path: Type.Optional(Type.String()) }),
    ),
    jobType: Type.Optional(facet({ processingType: Type.String(), integration: Type.String(), jobType: Type.Optional(Type.String()) })),
  },
  { additionalProperties: false },
);
const Dataset = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  facets: Type.Object(
    {
      version: facet({ datasetVersion: Type.String() }),
      schema: Type.Optional(facet({ fields: Type.Array(Type.Object({ name: Type.String(), type: Type.Optional(Type.String()) })) })),
      evenkeel_dataset: Type.Optional(any),
      evenkeel_feature_set: Type.Optional(any),
      evenkeel_model: Type.Optional(any),
      evenkeel_release: Type.Optional(any),
    },
    { additionalProperties: false },
  ),
});

const RunEvent = Type.Object({
  eventType: Type.Enum(["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]),
  eventTime: DateTime,
  run: Type.Object({ runId: Uuid, facets: RunFacets }),
  job: Type.Object({ ...Job, facets: JobFacets }),
  inputs: Type.Array(Dataset),
  outputs: Type.Array(Dataset),
  producer: Uri,
  schemaURL: Type.Literal("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"),
});

/** An event, or what is wrong with it. */
export const parseRunEvent = checked(RunEvent);
