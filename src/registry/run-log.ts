/** What a run is made of: the schemas of what is logged to it. */
import { Type, type Static } from "typebox";
import { wholeNumber } from "../checked.ts";

const Key = Type.String({
  pattern: "^[^\\u0000-\\u001f\\u007f]{1,250}$",
  description: "1 to 250 characters, none of them a control character",
});

/** Names are free text; values are kept as they are given, numbers as numbers. */
export const RunParams = Type.Record(Key, Type.Union([Type.String({ maxLength: 6000 }), Type.Number(), Type.Boolean()]));
export type RunParams = Static<typeof RunParams>;

export const RunTags = Type.Record(Key, Type.String({ maxLength: 8000 }));
export type RunTags = Static<typeof RunTags>;

export const MetricPoint = Type.Object(
  {
    key: Key,
    value: Type.Number({ description: "Finite" }),
    step: Type.Optional(wholeNumber({ description: "Such as the epoch; 0 when left out" })),
    atMs: Type.Optional(wholeNumber({ minimum: 0, description: "When it was measured; now when left out" })),
  },
  { additionalProperties: false },
);
export type MetricPoint = Static<typeof MetricPoint>;

export const ArtifactEntry = Type.Object(
  {
    path: Type.String({ maxLength: 1024, description: "A key such as `plots/roc.svg`" }),
    blob: Type.String({ pattern: "^sha256:[0-9a-f]{64}$", description: "The blob, uploaded before" }),
  },
  { additionalProperties: false },
);
export type ArtifactEntry = Static<typeof ArtifactEntry>;

/** What may be logged in one go. */
export const RunLog = Type.Object(
  {
    params: Type.Optional(RunParams),
    tags: Type.Optional(RunTags),
    metrics: Type.Optional(Type.Array(MetricPoint, { maxItems: 1000 })),
    artifacts: Type.Optional(Type.Array(ArtifactEntry, { maxItems: 1000 })),
  },
  { title: "RunLog", additionalProperties: false },
);
export type RunLog = Static<typeof RunLog>;
