/** What an endpoint expects of the inputs it is sent, beyond what it accepts. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";

const Name = Type.String({ pattern: "^[a-zA-Z][a-zA-Z0-9_.-]{0,62}$" });
const common = {
  on_breach: Type.Enum(["count", "warn", "refuse"], {
    description:
      "count: a metric; warn: also a warning once the share of breaches is proven to be beyond its limit; refuse: also a request that breaches it is refused",
  }),
  limit: Type.Optional(
    Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      description: "Share of requests that may breach it before a warning is given; 0.01 by default, 0: any breach is one",
    }),
  ),
  text: Type.Optional(Type.String({ maxLength: 5000, description: "Why it is expected, for people" })),
};

/** About the values of one input. */
const InputExpectation = Type.Object(
  {
    name: Type.Optional(Name),
    input: Type.String({ description: "Which input it is about" }),
    type: Type.Optional(
      Type.Enum(["number", "integer", "boolean", "string", "date", "timestamp"], {
        description: "Of a text: what it can be read as. Of a number: whether it is a whole one",
      }),
    ),
    min: Type.Optional(Type.Number()),
    max: Type.Optional(Type.Number()),
    categories: Type.Optional(
      Type.Array(Type.Union([Type.String({ maxLength: 1000 }), Type.Number()]), {
        minItems: 1,
        maxItems: 1000,
        description: "The values that are known",
      }),
    ),
    required: Type.Optional(Type.Literal(true, { description: "Every request in which an optional input is missing breaches it" })),
    missing: Type.Optional(
      Type.Number({
        minimum: 0,
        exclusiveMaximum: 1,
        description: "Share of requests in which an optional input may be missing before a warning is given",
      }),
    ),
    ...common,
  },
  { additionalProperties: false },
);
export type InputExpectation = Static<typeof InputExpectation>;

/** About several inputs together. */
const ConditionExpectation = Type.Object(
  {
    name: Name,
    condition: Type.String({ minLength: 1, maxLength: 4096, description: "In CEL, over the inputs: bill <= 2 * limit_bal" }),
    ...common,
  },
  { additionalProperties: false },
);
export type ConditionExpectation = Static<typeof ConditionExpectation>;

export const ExpectationSpec = Type.Union([InputExpectation, ConditionExpectation], { title: "Expectation" });
export type ExpectationSpec = Static<typeof ExpectationSpec>;

/** In what way an expectation can be breached. */
export const BREACHES = ["missing", "type", "below", "above", "category", "condition"] as const;
export type Breach = (typeof BREACHES)[number];

/** Share of breaches that a warning needs where nothing else is declared. */
export const DEFAULT_BREACH_LIMIT = 0.01;
