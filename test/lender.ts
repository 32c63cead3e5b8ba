/** A small lender for tests of control and redress: real store, log, gateway and guardrails, and releases made of rules. */
import { rmSync } from "node:fs";
import { Audit } from "../src/access/index.ts";
import { DecisionLog } from "../src/decisions/index.ts";
import { GuardrailEvaluator } from "../src/monitoring/index.ts";
import { openRegistry } from "../src/registry/index.ts";
import {
  FailureControl,
  GuardrailControl,
  Incidents,
  Releases,
  Rollbacks,
  type By,
  type ReleaseInfo,
  type Switched,
  type Wish,
} from "../src/releases/index.ts";
import { Gateway, type DecisionReply } from "../src/serving/index.ts";
import { openStore, type Runtime, type Store } from "../src/store/index.ts";
import { readyFolder } from "./ready-database.ts";

/** Approves above an income, and denies below. The rule of last resort refers everybody below to a person. */
export const endpoint = {
  kind: "endpoint",
  name: "loans",
  inputs: {
    income: { type: "number", min: 0, max: 100 },
    education: { type: "string", values: ["university", "high_school"] },
  },
  groups: { education: ["university", "high_school"] },
  actions: { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } },
  fallback: {
    name: "income rule",
    scorer: { kind: "rules", rules: [{ when: "income >= 60", score: 1 }], otherwise: { score: 0.5 } },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "refer", from: 0.3 },
        { action: "approve", from: 0.7 },
      ],
    },
  },
  guardrails: [{ name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8, action: "roll_back" }],
};

type Policy = typeof endpoint.fallback.policy;
export const policy: Policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};
/** Approves whoever earns enough. */
export const fairRelease = (income: number) => ({
  endpoint: "loans",
  name: `income above ${income}`,
  scorer: { kind: "rules", rules: [{ when: `income >= ${income}`, score: 0.9 }], otherwise: { score: 0.1, reason: "income" } },
  policy,
});
/** The same, but people with high school education need a higher income. */
export const harmfulRelease = (income: number, forHighSchool: number) => ({
  endpoint: "loans",
  name: `unfair above ${income}`,
  scorer: {
    kind: "rules",
    rules: [
      { when: `education == "high_school" && income < ${forHighSchool}`, score: 0.2, reason: "education" },
      { when: `income >= ${income}`, score: 0.9 },
    ],
    otherwise: { score: 0.1, reason: "income" },
  },
  policy,
});

export const ada: By = { actor: { kind: "person", name: "ada" }, reason: "because" };

export interface Applicant {
  readonly subject?: string;
  readonly income: number;
  readonly education: "university" | "high_school";
}

export class Lender {
  readonly folder: string;
  readonly runtime: Runtime;
  readonly troubles: Error[] = [];
  readonly store: Store;
  readonly audit: Audit;
  readonly log: DecisionLog;
  readonly gateway: Gateway;
  readonly releases: Releases;
  readonly incidents: Incidents;
  readonly control: GuardrailControl;
  readonly rollbacks: Rollbacks;
  readonly failures: FailureControl;

  private constructor(
    folder: string,
    runtime: Runtime,
    parts: Pick<Lender, "store" | "audit" | "log" | "gateway" | "releases" | "incidents" | "troubles">,
  ) {
    this.folder = folder;
    this.runtime = runtime;
    this.store = parts.store;
    this.audit = parts.audit;
    this.log = parts.log;
    this.gateway = parts.gateway;
    this.releases = parts.releases;
    this.incidents = parts.incidents;
    this.troubles = parts.troubles;
    this.rollbacks = new Rollbacks(parts);
    this.failures = new FailureControl({ releases: parts.releases, rollbacks: this.rollbacks });
    this.control = new GuardrailControl({
      ...parts,
      rollbacks: this.rollbacks,
      evaluator: new GuardrailEvaluator(parts.store),
    });
  }

  /** @param folder - an earlier lender's, to open it again */
  static async open(runtime: Runtime, folder?: string): Promise<Lender> {
    const store = await openStore({ folder: folder ?? (await readyFolder()) }, runtime);
    const troubles: Error[] = [];
    const audit = new Audit(store);
    const log = await DecisionLog.open(store);
    const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32, 7), maxWaitMs: 60_000 });
    const releases = await Releases.open({
      store,
      audit,
      registry: openRegistry(store, audit),
      gateway,
      load: { blobs: store.blobs, clock: runtime.clock, inline: true },
      onTrouble: (error) => void troubles.push(error),
    });
    const incidents = new Incidents(store, audit);
    return new Lender(store.folder, runtime, { store, audit, log, gateway, releases, incidents, troubles });
  }

  /** Defines the endpoint, and makes releases known; `r1` is the fallback. */
  async define(...releases: readonly object[]): Promise<readonly ReleaseInfo[]> {
    const applied = await this.releases.applyEndpoint(endpoint, ada);
    if (!applied.ok) throw new Error(JSON.stringify(applied.error));
    const made: ReleaseInfo[] = [];
    for (const spec of releases) made.push(await this.release(spec));
    return made;
  }
  async release(spec: object): Promise<ReleaseInfo> {
    const made = await this.releases.createRelease(spec, ada);
    if (!made.ok) throw new Error(JSON.stringify(made.error));
    return made.value.info;
  }
  get room() {
    const room = this.releases.room("loans");
    if (!room.ok) throw new Error("no endpoint");
    return room.value;
  }
  get table() {
    return this.room.table;
  }
  async command(wish: Wish, by: By = ada): Promise<Switched> {
    const done = await this.releases.command("loans", wish, by);
    if (!done.ok) throw new Error(JSON.stringify(done.error));
    return done.value;
  }
  /** `good` answers, then `bad`, until the guardrail has found it. @returns the incident's number */
  async untilIncident(good: ReleaseInfo, bad: ReleaseInfo): Promise<number> {
    await this.promote(good);
    await this.applications(300, "before");
    await this.promote(bad);
    for (let round = 0; round < 10; round++) {
      await this.applications(100, `round-${round}`);
      await this.control.tick();
      const [n] = await this.incidentNumbers();
      if (n !== undefined) return n;
    }
    throw new Error("nothing was found");
  }
  promote({ id: release }: ReleaseInfo): Promise<Switched> {
    return this.command({ kind: "promote", release });
  }
  /** Numbers of all incidents, oldest first. */
  async incidentNumbers(): Promise<readonly number[]> {
    return (await this.incidents.list()).map(({ n }) => n).toReversed();
  }
  rollback(by: By = ada): Promise<Switched> {
    return this.command({ kind: "rollback", from: null, to: null, condemn: true }, by);
  }

  async decide({ subject, income, education }: Applicant): Promise<DecisionReply> {
    const body = { inputs: { income, education }, groups: { education }, ...(subject === undefined ? {} : { subject }) };
    const meta = { payload: JSON.stringify(body), source: "web", idempotencyKey: null, bodyHash: null };
    const decided = await this.gateway.decide("loans", body, meta);
    if (!decided.ok) throw new Error(JSON.stringify(decided.error));
    return decided.value.reply;
  }
  /** `count` people of each education, incomes 0 to 100 evenly. */
  async applications(count: number, prefix?: string): Promise<readonly DecisionReply[]> {
    const people = Array.from({ length: count }, (_, i) => i).flatMap((i) =>
      (["university", "high_school"] as const).map((education): Applicant => ({
        income: (i * 37) % 100,
        education,
        ...(prefix === undefined ? {} : { subject: `${prefix}-${education}-${i}` }),
      })),
    );
    return Promise.all(people.map((person) => this.decide(person)));
  }

  /** Stops as a server does; the folder stays. */
  async stop(): Promise<void> {
    await this.releases.close();
    await this.log.close();
    await this.store.close();
  }
  async drop(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
