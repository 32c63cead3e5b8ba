/** What a model takes and gives: read from the artifact when it is registered, checked against the feature set. */
import { Type, type Static } from "typebox";

const Tensor = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 1024 }),
    shape: Type.Array(Type.Union([Type.Integer({ minimum: 0 }), Type.String({ minLength: 1, maxLength: 250 }), Type.Null()]), {
      maxItems: 16,
      description: "A dimension of any length, such as the number of people, is null or has a name",
    }),
    type: Type.String({ minLength: 1, maxLength: 64, description: "Type of the elements, float32 for example" }),
  },
  { additionalProperties: false },
);

export const ModelSignature = Type.Object(
  {
    inputs: Type.Array(Tensor, { minItems: 1, maxItems: 1000 }),
    outputs: Type.Array(Tensor, { minItems: 1, maxItems: 1000 }),
    features: Type.Array(Type.String({ minLength: 1, maxLength: 250 }), {
      maxItems: 1000,
      description: "Names of the features, in the order in which the model takes them",
    }),
    scoreOutput: Type.String({ description: "The output that holds the score" }),
  },
  { title: "ModelSignature", additionalProperties: false },
);
export type ModelSignature = Static<typeof ModelSignature>;
