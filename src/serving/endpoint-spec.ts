/** What an endpoint asks of its callers: inputs, groups, and the actions that may come back. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";
import { NamePattern } from "../registry/index.ts";

/** One input of an endpoint. */
export const InputSpec = Type.Object(
  {
    type: Type.Union([Type.Literal("number"), Type.Literal("integer"), Type.Literal("string"), Type.Literal("boolean")]),
    min: Type.Optional(Type.Number({ description: "Smallest number that is accepted" })),
    max: Type.Optional(Type.Number({ description: "Greatest number that is accepted" })),
    values: Type.Optional(
      Type.Array(Type.String({ maxLength: 1000 }), { minItems: 1, maxItems: 1000, description: "The only texts that are accepted" }),
    ),
    optional: Type.Optional(Type.Boolean({ description: "May be left out or null" })),
    twin_of: Type.Optional(
      Type.String({
        maxLength: 250,
        description: "A protected attribute of which it tells as much as the attribute itself: no routing condition may read it",
      }),
    ),
    text: Type.Optional(Type.String({ maxLength: 5000, description: "What it means, for people" })),
  },
  { title: "Input", additionalProperties: false },
);
export type InputSpec = Static<typeof InputSpec>;

/** The inputs of an endpoint by name. */
export const InputsSpec = Type.Record(Type.String({ pattern: NamePattern }), InputSpec, {
  maxProperties: 1000,
  additionalProperties: false,
});
export type InputsSpec = Static<typeof InputsSpec>;

/** Values by protected attribute. A person's group that isn't told is `unknown`. */
export const GroupsSpec = Type.Record(
  Type.String({ pattern: NamePattern }),
  Type.Array(Type.String({ minLength: 1, maxLength: 250 }), { minItems: 1, maxItems: 100 }),
  { maxProperties: 20, additionalProperties: false },
);
export type GroupsSpec = Static<typeof GroupsSpec>;

/** The actions that policies of an endpoint may give, each with whether the person is served by it. */
export const ActionsSpec = Type.Record(
  Type.String({ pattern: "^[a-z][a-z0-9_-]{0,62}$" }),
  Type.Object(
    {
      favourable: Type.Boolean({ description: "Counts as selected in selection rates" }),
      text: Type.Optional(Type.String({ maxLength: 5000 })),
    },
    { additionalProperties: false },
  ),
  { minProperties: 1, maxProperties: 20, additionalProperties: false },
);
export type ActionsSpec = Static<typeof ActionsSpec>;

/** What to do with a group value that isn't declared: refuse the request (default), or count the person as `unknown`. */
export const UndeclaredGroups = Type.Union([Type.Literal("refuse"), Type.Literal("unknown")]);
export type UndeclaredGroups = Static<typeof UndeclaredGroups>;
