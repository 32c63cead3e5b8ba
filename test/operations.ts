/** Every operation of a running server, as its own OpenAPI document tells it: what tests over all routes go through. */
import { Type, type Static } from "typebox";
import { rights } from "../src/access/index.ts";
import { checked } from "../src/checked.ts";

/** As much of JSON Schema as bodies of the API use. */
const Schema = Type.Cyclic(
  {
    Schema: Type.Object({
      type: Type.Optional(Type.String()),
      required: Type.Optional(Type.Array(Type.String())),
      properties: Type.Optional(Type.Record(Type.String(), Type.Ref("Schema"))),
      additionalProperties: Type.Optional(Type.Union([Type.Boolean(), Type.Ref("Schema")])),
      items: Type.Optional(Type.Ref("Schema")),
      anyOf: Type.Optional(Type.Array(Type.Ref("Schema"))),
      enum: Type.Optional(Type.Array(Type.Unknown())),
    }),
  },
  "Schema",
);
export type Schema = Static<typeof Schema>;
const Content = Type.Object({ schema: Type.Optional(Type.Unknown()) });
const Described = Type.Object({
  tags: Type.Optional(Type.Array(Type.String())),
  "x-right": Type.Union([Type.Enum(rights), Type.Literal("public")]),
  requestBody: Type.Optional(Type.Object({ content: Type.Record(Type.String(), Content) })),
  parameters: Type.Optional(Type.Array(Type.Object({ name: Type.String(), in: Type.String(), required: Type.Optional(Type.Boolean()) }))),
  responses: Type.Record(Type.String(), Type.Object({ content: Type.Optional(Type.Record(Type.String(), Content)) })),
});
const parseDocument = checked(Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Described)) }));
const parseSchema = checked(Schema);

export interface Operation {
  /** `POST /v1/endpoints/{endpoint}/canary` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly right: Static<typeof Described>["x-right"];
  /** Schema of its JSON body; undefined where it takes none, or raw bytes. */
  readonly body: Schema | undefined;
  readonly query: readonly { readonly name: string; readonly required: boolean }[];
  /** Schema of what it answers, where that is JSON. */
  readonly answer: Schema | undefined;
}

/** Other projects' protocols, whose answers have forms of their own: they have tests of their own. */
const FOREIGN = ["open inference protocol", "mlflow scoring", "mlflow tracking", "kserve v1"];

/** Of our own API. @throws when the document says less than these tests need */
export const operationsOf = (url: string): Promise<readonly Operation[]> => describedOperations(url, (tags) => !tags.some(isForeign));
/** Of other projects' protocols. */
export const foreignOperationsOf = (url: string): Promise<readonly Operation[]> => describedOperations(url, (tags) => tags.some(isForeign));
const isForeign = (tag: string) => FOREIGN.includes(tag);

async function describedOperations(url: string, isMeant: (tags: readonly string[]) => boolean): Promise<readonly Operation[]> {
  const document = parseDocument(await (await fetch(`${url}/openapi.json`)).json());
  if (!document.ok) throw new Error(JSON.stringify(document.error));
  return Object.entries(document.value.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags = [] }]) => isMeant(tags))
      .map(([method, { "x-right": right, requestBody, parameters = [], responses }]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        right,
        body: schemaIn(requestBody?.content["application/json"]),
        query: parameters.filter((one) => one.in === "query").map((one) => ({ name: one.name, required: one.required ?? false })),
        answer: schemaIn((responses["200"] ?? responses["201"])?.content?.["application/json"]),
      })),
  );
}

function schemaIn(content: Static<typeof Content> | undefined): Schema | undefined {
  if (content?.schema === undefined) return undefined;
  const parsed = parseSchema(content.schema);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

/**
 * Its address with these values in the path, by the name of the parameter, or with what stands before it where that alone says too
 * little: `tokens/id`. @throws for a parameter without a value
 */
export function addressOf({ path, name: of }: Operation, known: Readonly<Record<string, string | undefined>>): string {
  // The run that everything else is tried on stays; another one is there to be deleted.
  const values =
    of === "DELETE /v1/runs/{run}" && known["doomed"] !== undefined && known["run"] !== "@@" ? { ...known, run: known["doomed"] } : known;
  return path.replaceAll(/(\w+)\/\{(\w+)\}/g, (_all, before: string, name: string) => {
    const value = values[name] ?? values[`${before}/${name}`];
    if (value === undefined) throw new Error(`no value for {${name}} of ${path}`);
    return `${before}/${encodeURIComponent(value)}`;
  });
}
