/** Every verb, by name. Each is read when it is called for: `up` brings the whole server along, which `status` need not wait for. */
import type { Verb } from "./verb.ts";

export interface VerbEntry {
  readonly name: string;
  readonly load: () => Promise<Verb>;
}

/** In the order of the help. */
export const verbs: readonly VerbEntry[] = [
  { name: "up", load: async () => (await import("./up.ts")).up },
  { name: "apply", load: async () => (await import("./apply.ts")).apply },
  { name: "status", load: async () => (await import("./status.ts")).status },
  { name: "deploy", load: async () => (await import("./deploy.ts")).deploy },
  { name: "promote", load: async () => (await import("./switch.ts")).promote },
  { name: "rollback", load: async () => (await import("./switch.ts")).rollback },
  { name: "rollout", load: async () => (await import("./rollout.ts")).rollout },
  { name: "ab", load: async () => (await import("./ab.ts")).ab },
  { name: "drill", load: async () => (await import("./rollout.ts")).drill },
  { name: "release", load: async () => (await import("./switch.ts")).release },
  { name: "logs", load: async () => (await import("./logs.ts")).logs },
  { name: "decide", load: async () => (await import("./decide.ts")).decide },
  { name: "score", load: async () => (await import("./score.ts")).score },
  { name: "decisions", load: async () => (await import("./decisions.ts")).decisions },
  { name: "reasons", load: async () => (await import("./reasons.ts")).reasons },
  { name: "sinks", load: async () => (await import("./sinks.ts")).sinks },
  { name: "incidents", load: async () => (await import("./incidents.ts")).incidents },
  { name: "blame", load: async () => (await import("./blame.ts")).blame },
  { name: "affected", load: async () => (await import("./affected.ts")).affected },
  { name: "metrics", load: async () => (await import("./metrics.ts")).metrics },
  { name: "guardrail", load: async () => (await import("./guardrail.ts")).guardrail },
  { name: "expectations", load: async () => (await import("./expectations.ts")).expectations },
  { name: "alerts", load: async () => (await import("./alerts.ts")).alerts },
  { name: "report", load: async () => (await import("./report.ts")).report },
  { name: "data", load: async () => (await import("./data.ts")).data },
  { name: "features", load: async () => (await import("./features.ts")).features },
  { name: "run", load: async () => (await import("./run.ts")).run },
  { name: "pipeline", load: async () => (await import("./pipeline.ts")).pipeline },
  { name: "models", load: async () => (await import("./models.ts")).models },
  { name: "import", load: async () => (await import("./import.ts")).importVerb },
  { name: "runs", load: async () => (await import("./runs.ts")).runs },
  { name: "lineage", load: async () => (await import("./lineage.ts")).lineage },
  { name: "openlineage", load: async () => (await import("./openlineage.ts")).openlineage },
  { name: "audit", load: async () => (await import("./audit.ts")).audit },
  { name: "token", load: async () => (await import("./token.ts")).token },
];
