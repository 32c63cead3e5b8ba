/**
 * What MLflow's client and MLflow's own server said to each other (compat/record-mlflow.ts), said again to ours: every request gets the same
 * answer, but for ids and times, fields that only ours has, and the differences that are meant.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordedExchanges, type Exchange, type RecordedBody } from "../../../test/mlflow-exchange.ts";
import { freshServer, type FreshServer } from "../../../test/server.ts";
import { isObject } from "./fields.ts";

let server: FreshServer;
let token: string;
beforeAll(async () => {
  server = await freshServer();
  token = await server.token("trainer");
});
afterAll(() => server.drop());

/** What the other server called things, and ours calls them. */
const ids = new Map<string, string>();
const ID = /[0-9a-f]{32}/g;
const inOurs = (text: string): string => text.replaceAll(ID, (id) => ids.get(id) ?? id);

/** Moments differ, and so do these, on purpose. */
const LEFT_OUT = new Set([
  ..."creation_time last_update_time start_time end_time timestamp creation_timestamp last_updated_timestamp".split(" "),
  ..."workspace creation_timestamp_ms last_updated_timestamp_ms sqlstate error_class next_page_token".split(" "),
  "artifact_uri", // of a version: ours is that of the files that were kept
]);
/** Their server keeps a list of versions in a tag as well as its client does. */
const LEFT_OUT_TAGS = new Set(["mlflow.modelVersions"]);
/** Runs whose names nobody gave, and pages' tokens, can't be the same. */
const isLeftOut = (name: string) => LEFT_OUT.has(name);

function learn(theirs: unknown, ours: unknown): void {
  if (typeof theirs === "string" && typeof ours === "string") {
    const [a, b] = [theirs.match(ID) ?? [], ours.match(ID) ?? []];
    for (const [i, id] of a.entries()) {
      const mine = b[i];
      if (mine !== undefined && !ids.has(id) && a.length === b.length) ids.set(id, mine);
    }
  } else if (Array.isArray(theirs) && Array.isArray(ours)) {
    for (const [i, each] of theirs.entries()) learn(each, ours[i]);
  } else if (isObject(theirs) && isObject(ours)) {
    for (const [name, each] of Object.entries(theirs)) learn(each, ours[name]);
  }
}

/** In an order and form in which equal answers are equal. @param model - keeps only what the other side has */
function comparable(value: unknown, model?: unknown): unknown {
  if (typeof value === "string") return inOurs(value);
  if (Array.isArray(value)) {
    const models: readonly unknown[] = Array.isArray(model) ? sorted(model) : [];
    return sorted(value).map((each, i) => comparable(each, model === undefined ? undefined : (models[i] ?? {})));
  }
  if (!isObject(value)) return value;
  const names = Object.keys(value)
    .toSorted()
    .filter((name) => !isLeftOut(name) && (model === undefined || (isObject(model) && Object.hasOwn(model, name))));
  return Object.fromEntries(
    names.map((name) => [name, comparable(value[name], model === undefined || !isObject(model) ? undefined : model[name])]),
  );
}
const sorted = (list: readonly unknown[]): readonly unknown[] =>
  list
    .filter((each) => !isObject(each) || typeof each["key"] !== "string" || !LEFT_OUT_TAGS.has(each["key"]))
    .toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : placeOf(a) > placeOf(b) ? 1 : 0));
/** What tells members of a list apart: a tag's key, a file's path. */
const placeOf = (each: unknown): string => {
  const place = isObject(each) ? (each["key"] ?? each["path"]) : undefined;
  return typeof place === "string" ? place : "";
};

const bytesOf = (body: RecordedBody | undefined): Buffer<ArrayBuffer> | undefined =>
  body === undefined ? undefined : "json" in body ? Buffer.from(inOurs(JSON.stringify(body.json))) : Buffer.from(body.base64, "base64");

async function replay({ method, url, type, body }: Exchange) {
  const sent = bytesOf(body);
  const answer = await fetch(server.url + inOurs(url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(type === undefined ? {} : { "content-type": type }) },
    ...(sent === undefined || method === "GET" ? {} : { body: sent }),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") ?? false;
  return { status: answer.status, body: isJson ? (JSON.parse(bytes.toString()) as unknown) : bytes.toString("base64") };
}

test("the recorded session of a training script gets the answers that MLflow's own server gave", async () => {
  const exchanges = recordedExchanges();
  expect(exchanges.length).toBeGreaterThan(100);
  const different: object[] = [];
  for (const [n, exchange] of exchanges.entries()) {
    const got = await replay(exchange);
    const wanted =
      exchange.answer.body === undefined
        ? undefined
        : "json" in exchange.answer.body
          ? exchange.answer.body.json
          : exchange.answer.body.base64;
    learn(wanted, got.body);
    // It answers uploads with nothing, ours with an empty object.
    if (wanted === undefined && got.status === exchange.answer.status) continue;
    const model = got.status >= 400 ? { error_code: "" } : wanted;
    const [ours, theirs] = [comparable(got.body, model), comparable(wanted, model)];
    if (got.status !== exchange.answer.status || JSON.stringify(ours) !== JSON.stringify(theirs))
      different.push({
        exchange: `${n}: ${exchange.method} ${exchange.url}`,
        ours: [got.status, ours],
        theirs: [exchange.answer.status, theirs],
      });
  }
  expect(different).toEqual([]);
}, 60_000);
