/** Evenkeel in the comparison: an endpoint with groups and a guardrail, the same models from ONNX, every answer in the durable log. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { GROUPS } from "../../examples/loans/clients.ts";
import { EvenkeelClient, startApp, type ModelVersionView, type NewTokenView, type ReleaseView } from "../../src/index.ts";
import type { Command } from "./peers.ts";
import { FEATURES, type Row } from "./rows.ts";

/** Each request has a subject of its own, so that nobody's second application is measured as their first. */
const SUBJECTS = 40_000;
export const DECISIONS_PATH = "/v1/endpoints/loans/decisions";

const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "refer", from: 0.5 },
    { action: "approve", from: 0.7 },
  ],
};

const endpoint = {
  kind: "endpoint",
  name: "loans",
  inputs: Object.fromEntries(FEATURES.map((name) => [name, { type: "number" }])),
  groups: GROUPS,
  actions: { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } },
  // It looks and counts as ever, but may not change who answers in the middle of a measurement.
  guardrails: [{ name: "approval-parity", metric: "adverse_impact_ratio", groups: "all", reference: "rest", limit: 0.8, action: "warn" }],
  fallback: {
    name: "payment rule",
    scorer: { kind: "rules", rules: [{ when: "pay_0 <= 0", score: 0.9 }], otherwise: { score: 0.3 } },
    policy,
  },
};

/** Puts the model in front of the endpoint in a new folder. @returns the application's token */
export async function makeEvenkeel(folder: string, onnx: string): Promise<string> {
  const app = await startApp({ folder, port: 0 });
  const admin = new EvenkeelClient({ url: app.url, token: app.firstAdmin?.token ?? "", timeoutMs: 60_000 });
  try {
    await admin.post("/v1/apply", { yaml: stringify(endpoint) });
    const { id: blob } = await admin.put<{ readonly id: string }>("/v1/blobs", readFileSync(onnx));
    const features = FEATURES.map((name) => ({ name, from: name }));
    const { id: featureSet } = await admin.post<{ readonly id: string }>("/v1/feature-sets", { name: "clients", features });
    const model = await admin.post<ModelVersionView>("/v1/models/credit/versions", { blob, featureSet });
    const { release } = await admin.post<ReleaseView>("/v1/endpoints/loans/releases", { model: `${model.model}/${model.number}`, policy });
    await admin.post("/v1/endpoints/loans/promote", { release, reason: "to be measured" });
    return (await admin.post<NewTokenView>("/v1/tokens", { name: "load", role: "application", endpoints: ["loans"] })).token;
  } finally {
    await admin.close();
    await app.stop();
  }
}

/** As a user starts it. */
export function evenkeelCommand(folder: string, port: number): Command {
  const program = fileURLToPath(new URL("../../bin/evenkeel.cjs", import.meta.url));
  return { program: process.execPath, args: [program, "up", "--data", folder, "--port", String(port)], env: {} };
}

export const applicationOf = ({ features, groups }: Row, subject: number) => ({
  subject: `applicant-${String(subject).padStart(8, "0")}`,
  inputs: Object.fromEntries(FEATURES.map((name, i) => [name, features[i]])),
  groups,
});

/** Enough applications of different people, in the order of the rows. */
export const applicationsOf = (rows: readonly Row[]): readonly unknown[] =>
  Array.from({ length: SUBJECTS }, (_, i) => applicationOf(rows[i % rows.length] ?? { features: [], groups: {} }, i));
