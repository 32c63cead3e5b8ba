/** The lender of the example with its real models, made once in a folder that every server of a run gets a copy of. */
import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { tellStory } from "../examples/loans/data.ts";
import { FOLDER, make, registerData } from "../examples/loans/making.ts";
import type { Teller } from "../examples/loans/teller.ts";
import { EvenkeelClient, inlineExecutor, startApp, systemRuntime, type ReleaseView } from "../src/index.ts";

export const MODELS = ["no model", "rules", "logistic regression", "random forest"] as const;
export type ModelName = (typeof MODELS)[number];

export interface Lender {
  readonly adminToken: string;
  readonly applicationToken: string;
  /** Release of the endpoint `loans` by what it decides with. */
  readonly releases: Readonly<Record<ModelName, string>>;
  /** The random forest again under a policy that differs by a hair: another release that costs the same. */
  readonly twin: string;
}

const SEED = 7;
const LOANS = "/v1/endpoints/loans";

/** Applications of real people, each under a name that only it has, as JSON. */
export function applications(count: number): readonly string[] {
  const { applications: people } = tellStory(SEED);
  return Array.from({ length: count }, (_, i) => {
    const { inputs, groups } = people[i % people.length] ?? { inputs: {}, groups: {} };
    return JSON.stringify({ subject: `applicant-${String(i).padStart(8, "0")}`, inputs, groups });
  });
}

export async function makeLender(folder: string, tell: Teller): Promise<Lender> {
  const app = await startApp({ folder, port: 0 });
  const adminToken = app.firstAdmin?.token ?? "";
  const admin = new EvenkeelClient({ url: app.url, token: adminToken, timeoutMs: 120_000 });
  try {
    const { version1 } = tellStory(SEED);
    await registerData(admin, version1, "v1", "for the benchmark");
    // The forest's own declaration trains on v2: here on the same rows, for the benchmark is about speed.
    await registerData(admin, version1, "v2", "for the benchmark");
    const kitchen = { client: admin, folder: FOLDER, execute: inlineExecutor, clock: systemRuntime().clock };
    const [logistic, forest] = [await make(kitchen, tell, "logistic", SEED), await make(kitchen, tell, "forest", SEED)];
    await admin.post("/v1/apply", { yaml: watchedOnly(readFileSync(new URL("../examples/loans/loans.yaml", import.meta.url), "utf8")) });
    const release = async (spec: object) => (await admin.post<ReleaseView>(`${LOANS}/releases`, spec)).release;
    const releases: Record<ModelName, string> = {
      "no model": await release({
        name: "always the same",
        scorer: { kind: "rules", rules: [], otherwise: { score: 0.9 } },
        policy: {
          bands: [
            { action: "deny", from: 0 },
            { action: "approve", from: 0.5 },
          ],
        },
      }),
      rules: "r1",
      "logistic regression": await release({ model: logistic.model, policy: logistic.policy }),
      "random forest": await release({ model: forest.model, policy: forest.policy }),
    };
    const twin = await release({ model: forest.model, policy: aHairApart(forest.policy) });
    const token = async (name: string, role: string) =>
      (await admin.post<{ readonly token: string }>("/v1/tokens", { name, role, endpoints: ["loans"] })).token;
    return { adminToken, applicationToken: await token("load", "application"), releases, twin };
  } finally {
    await admin.close();
    await app.stop();
  }
}

/** The guardrails look and count as ever, but none may change who answers in the middle of a measurement. */
function watchedOnly(yaml: string): string {
  const endpoint = asObject(parse(yaml));
  const guardrails = Array.isArray(endpoint["guardrails"])
    ? endpoint["guardrails"].map((one) => ({ ...asObject(one), action: "warn" }))
    : [];
  return stringify({ ...endpoint, guardrails });
}
/** Every border between two bands a little higher. */
function aHairApart(policy: unknown): object {
  const { bands, ...rest } = asPolicy(policy);
  const moved = (border: number) => (border === 0 || border === 1 ? border : border + 1e-4);
  return {
    ...rest,
    bands: bands.map(({ from, to, ...band }) => ({ ...band, from: moved(from), ...(to === undefined ? {} : { to: moved(to) }) })),
  };
}
/** Written by the example's own pipeline. */
const asPolicy = (value: unknown) => value as { readonly bands: readonly { readonly from: number; readonly to?: number }[] };
/** The example's own file. */
const asObject = (value: unknown): Record<string, unknown> => value as Record<string, unknown>;
