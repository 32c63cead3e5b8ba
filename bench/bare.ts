/**
 * What Fastify alone can do here: a route that validates the same body and gives an answer of the same size, and nothing else.
 * `node bench/bare.ts` prints `{"url"}` and ends with SIGTERM.
 */
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import Fastify from "fastify";
import { parse } from "yaml";

interface EndpointText {
  readonly inputs: Readonly<
    Record<string, { readonly type: string; readonly min?: number; readonly max?: number; readonly values?: readonly string[] }>
  >;
  readonly groups: Readonly<Record<string, readonly string[]>>;
}
/** The example's own file, which the product checks when it is applied. */
const asEndpoint = (value: unknown): EndpointText => value as EndpointText;

const { inputs, groups } = asEndpoint(parse(readFileSync(new URL("../examples/loans/loans.yaml", import.meta.url), "utf8")));
const strict = (properties: object) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const body = {
  type: "object",
  properties: {
    subject: { type: "string" },
    inputs: strict(
      Object.fromEntries(
        Object.entries(inputs).map(([name, { type, min, max, values }]) => [
          name,
          values ? { type, enum: values } : { type, minimum: min, maximum: max },
        ]),
      ),
    ),
    groups: strict(Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, { type: "string", enum: values }]))),
  },
  required: ["inputs"],
  additionalProperties: false,
};
const text = { type: "string" };
const reply = {
  id: text,
  action: text,
  score: { type: "number" },
  reasons: { type: "array", items: text },
  release: text,
  generation: { type: "integer" },
  route: text,
  decidedAt: text,
};

const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } });
app.post("/v1/endpoints/:endpoint/decisions", { schema: { body, response: { 200: strict(reply) } } }, async () => ({
  id: randomUUID(),
  action: "approve",
  score: 0.75,
  reasons: [],
  release: "r1",
  generation: 1,
  route: "live",
  decidedAt: new Date().toISOString(),
}));
console.log(JSON.stringify({ url: await app.listen({ port: 0, host: "127.0.0.1" }) }));
