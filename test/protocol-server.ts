/** A server with the endpoint of the protocols' test vectors, and raw requests to it. */
import { stringify } from "yaml";
import type { NewTokenView } from "../src/api/index.ts";
import { freshServer, type FreshServer } from "./server.ts";

/** Inputs income and debt, group sex: approves whoever earns more than a thousand times the debt ratio. */
export const vectorEndpoint = {
  kind: "endpoint",
  name: "loans",
  inputs: { income: { type: "number" }, debt: { type: "number" } },
  groups: { sex: ["f", "m"] },
  actions: { approve: { favourable: true }, refer: { favourable: false } },
  fallback: {
    scorer: { kind: "rules", rules: [{ when: "debt < 0.5", score: 0.88, reason: "little debt" }], otherwise: { score: 0.41 } },
    policy: {
      bands: [
        { action: "refer", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  },
};

/** Income and education, as in the vectors with binary tensors. */
export const educationEndpoint = {
  ...vectorEndpoint,
  name: "schooling",
  inputs: { income: { type: "number" }, education: { type: "string" } },
  groups: { education: ["high school", "university"] },
  fallback: {
    ...vectorEndpoint.fallback,
    scorer: { kind: "rules", rules: [{ when: "income > 50000", score: 0.88 }], otherwise: { score: 0.41 } },
  },
};

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The JSON of the answer. */
  readonly json: Record<string, unknown>;
}

export interface ProtocolServer extends FreshServer {
  readonly tokens: Readonly<Record<"application" | "operator" | "analyst", string>>;
  /** As an application, unless told otherwise; `null` sends no token. */
  send(method: string, path: string, body?: string | Buffer, headers?: Record<string, string>, token?: string | null): Promise<Answer>;
  /** Requests of recorded decisions, oldest first. */
  recorded(endpoint?: string): Promise<readonly RecordedRequest[]>;
}

export interface RecordedRequest {
  readonly id: string;
  readonly route: string;
  readonly request: unknown;
  readonly isCounted: boolean;
}

export async function protocolServer(...endpoints: readonly object[]): Promise<ProtocolServer> {
  const server = await freshServer();
  for (const endpoint of endpoints.length > 0 ? endpoints : [vectorEndpoint])
    await server.admin.post("/v1/apply", { yaml: stringify(endpoint) });
  const token = async (role: string) => (await server.admin.post<NewTokenView>("/v1/tokens", { name: `the ${role}`, role })).token;
  const tokens = { application: await token("application"), operator: await token("operator"), analyst: await token("analyst") };
  const analyst = await server.as("analyst", ["protected:read"]);
  return {
    ...server,
    tokens,
    async send(method, path, body, headers = {}, as = tokens.application) {
      const answer = await fetch(server.url + path, {
        method,
        headers: { ...(as === null ? {} : { authorization: `Bearer ${as}` }), ...headers },
        // As bytes, or fetch would send a content type of its own.
        ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const type = answer.headers.get("content-type");
      const json = type === "application/json" && bytes.length > 1 ? asRecord(JSON.parse(bytes.toString())) : {};
      return { status: answer.status, type, headers: answer.headers, bytes, json };
    },
    async recorded(endpoint = "loans") {
      const base = `/v1/endpoints/${endpoint}/decisions`;
      const page = await analyst.get<{ readonly decisions: readonly { readonly id: string }[] }>(base, { limit: 1000 });
      const details: RecordedRequest[] = [];
      for (const { id } of page.decisions.toReversed()) details.push(await analyst.get<RecordedRequest>(`${base}/${id}`));
      return details;
    },
  };
}

/** Every answer of these protocols is an object. */
const asRecord = (value: unknown) => value as Record<string, unknown>;
