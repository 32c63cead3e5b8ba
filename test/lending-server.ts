/** A server with something of everything on it: two endpoints that decide, an incident of each, a dataset, a model, a run, a sink. */
import type { AlertView, BlobView, DecisionReplyView, ModelVersionView, NewTokenView, RunView, SilenceView } from "../src/api/index.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { logisticModel } from "./fixtures/onnx-models.ts";
import { endpoint, harmfulRelease } from "./lender.ts";

export interface LendingServer extends FreshServer {
  /** Values for the parameters of every route, naming things that are there; `endpoint` is `loans`. */
  readonly known: Readonly<Record<string, string>>;
  /** The same of the other endpoint, `cards`. */
  readonly others: Readonly<Record<string, string>>;
}

/** How what is protected is called: tests plant words in it that they look for elsewhere. */
export interface Words {
  readonly group: (value: string) => string;
  readonly subject: (id: string) => string;
}
const PLAIN: Words = { group: (value) => value, subject: (id) => id };

export async function lendingServer(words: Words = PLAIN): Promise<LendingServer> {
  const server = await freshServer({ lookEveryMs: 50 });
  const { admin } = server;
  const people = (count: number) =>
    Buffer.from(
      ["id,sex,income", ...Array.from({ length: count }, (_, i) => `${i},${words.group(i % 2 ? "f" : "m")},${i}`), ""].join("\n"),
    );
  const blob = await admin.put<BlobView>("/v1/blobs", logisticModel([0.02, -0.01]));
  await admin.put("/v1/datasets/people/versions", people(3), {
    query: { tag: "clean", reason: "first", spec: JSON.stringify({ key: ["id"], protected: [{ column: "sex" }] }) },
  });
  await admin.put("/v1/datasets/people/versions", people(2));
  await admin.post("/v1/feature-sets", {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  });
  const model = await admin.post<ModelVersionView>("/v1/models/credit/versions", { blob: blob.id, featureSet: "loans/1" });
  const run = await admin.post<RunView>("/v1/runs", { experiment: "loans", name: "first" });
  const doomed = await admin.post<RunView>("/v1/runs", { experiment: "loans", name: "doomed" });
  const gone = await admin.post<NewTokenView>("/v1/tokens", { name: "gone", role: "viewer" });
  await admin.delete(`/v1/tokens/${gone.id}`);
  const step = { key: `step:${"0".repeat(64)}`, pipeline: "loans", step: "train", outs: {}, metrics: {}, log: "", durationMs: 1 };
  await admin.post("/v1/steps", step);
  const registry = {
    "blobs/id": blob.id,
    "tokens/id": gone.id,
    key: step.key,
    pipeline: step.pipeline,
    step: step.step,
    dataset: "people",
    version: "1",
    // No version has it: what everything else is tried on is not deleted.
    number: "99",
    model: "credit",
    reference: model.id,
    run: run.id,
    doomed: doomed.id,
    sink: "archive",
    // None of these is there: nobody is told anything.
    channel: "nobody",
    rule: "nothing",
    notice: "msg_nothing",
  };
  const one = await lendTo(server, "loans", words);
  const other = await lendTo(server, "cards", words);
  // Paused, or it would write to the database while tests look that nothing does.
  await admin.post("/v1/apply", { yaml: "kind: sink\nname: archive\nstart: now\ntarget: { kind: ndjson }" });
  await admin.post("/v1/sinks/archive/pause", { reason: "tests" });
  return { ...server, known: { ...registry, ...one }, others: { ...registry, ...other } };
}

/** An endpoint whose release turned some people down until its guardrail found out. */
export async function lendTo(
  server: Pick<FreshServer, "admin" | "as">,
  name: string,
  { group, subject }: Words = PLAIN,
): Promise<Record<string, string>> {
  const { admin } = server;
  const educations = ["university", "high_school"] as const;
  const values = educations.map(group);
  await admin.post("/v1/apply", {
    yaml: JSON.stringify({
      ...endpoint,
      name,
      inputs: { ...endpoint.inputs, education: { type: "string", values } },
      groups: { education: values },
      outcomes: { repaid: { good: true } },
      guardrails: [
        ...endpoint.guardrails,
        { name: "to-university", metric: "adverse_impact_ratio", groups: "all", reference: values[0], limit: 0.8, action: "roll_back" },
      ],
    }),
  });
  const { endpoint: _named, ...harmful } = harmfulRelease(20, 95);
  const release: object = JSON.parse(JSON.stringify(harmful).replace("high_school", group("high_school")));
  await admin.post(`/v1/endpoints/${name}/releases`, release);
  await admin.post(`/v1/endpoints/${name}/promote`, { release: "r2", reason: "it is better" });
  const application = await server.as("application");
  let decision = "";
  let round = 0;
  const lendUntilFound = async (): Promise<number | undefined> => {
    const people = Array.from({ length: 80 }, (_, i) => {
      const education = values[i % 2] ?? "";
      return { inputs: { income: (i * 37) % 100, education }, groups: { education }, subject: subject(`${name}-${round}-${i}`) };
    });
    round++;
    for (const { id } of await Promise.all(
      people.map((person) => application.post<DecisionReplyView>(`/v1/endpoints/${name}/decisions`, person)),
    ))
      decision = id;
    return incidentOf(admin, name);
  };
  // However many people one look sees are one block, and one block proves little: people come until several looks have seen some.
  const n = await waitFor(lendUntilFound, `what the guardrail of ${name} finds`);
  const { id: silence } = await admin.post<SilenceView>("/v1/alert-silences", {
    endpoint: name,
    kind: "drill",
    for: "1h",
    reason: "tests",
  });
  // Waited for, or it would be written to the database while tests look that nothing does.
  const alert = await waitFor(() => alertOf(admin, n), `the alert of incident ${n}`);
  return { endpoint: name, release: "r1", "decisions/id": decision, n: String(n), alert, silence };
}

async function incidentOf(admin: FreshServer["admin"], endpoint: string): Promise<number | undefined> {
  const { incidents } = await admin.get<{ readonly incidents: readonly { readonly n: number }[] }>("/v1/incidents", { endpoint });
  return incidents[0]?.n;
}

async function alertOf(admin: FreshServer["admin"], incident: number): Promise<string | undefined> {
  const { alerts } = await admin.get<{ readonly alerts: readonly AlertView[] }>("/v1/alerts", { about: `incident/${incident}` });
  return alerts[0]?.id;
}

async function waitFor<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
