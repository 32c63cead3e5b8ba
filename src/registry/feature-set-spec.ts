/** What a feature set is: the ordered inputs of a model, each with how it comes from the inputs of an endpoint. Data; serving compiles it. */
import { Type, type Static } from "typebox";

/** A name that CEL can say: a letter or underscore, then letters, digits, underscores. */
export const NamePattern = "^[A-Za-z_][A-Za-z0-9_]{0,249}$";

const fields = {
  name: Type.String({ pattern: NamePattern, description: "Name of the feature; models are trained on features in this order" }),
  text: Type.Optional(Type.String({ maxLength: 5000, description: "What it means, for people" })),
  reason: Type.Optional(
    Type.String({ minLength: 1, maxLength: 250, description: "Told to people whom it counted against: Recent payments were late" }),
  ),
  code: Type.Optional(
    Type.String({
      pattern: "^[A-Za-z][A-Za-z0-9_-]{0,31}$",
      description: "Stable code of the reason; its name by default. Features with the same code are one reason",
    }),
  ),
};

/** An input of the endpoint, passed through: numbers as they are, booleans as 0 and 1, texts for models that take texts. */
const PassedThrough = Type.Object(
  { ...fields, from: Type.String({ pattern: NamePattern, description: "Input of the endpoint" }) },
  { additionalProperties: false },
);
/** Computed by a CEL expression over the inputs, which must give a number or a boolean. */
const Derived = Type.Object(
  { ...fields, cel: Type.String({ minLength: 1, maxLength: 4096, description: "CEL expression over the inputs" }) },
  { additionalProperties: false },
);

/** One feature: exactly one of `from` and `cel` says where it comes from. */
export const FeatureSpec = Type.Union([PassedThrough, Derived], { title: "Feature" });
export type FeatureSpec = Static<typeof FeatureSpec>;

/** The ordered features that a model sees. Its content id (`fs:…`) is over the whole of it. */
export const FeatureSetSpec = Type.Object(
  { name: Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" }), features: Type.Array(FeatureSpec, { minItems: 1, maxItems: 1000 }) },
  { title: "FeatureSet", additionalProperties: false },
);
export type FeatureSetSpec = Static<typeof FeatureSetSpec>;
