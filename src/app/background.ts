/** What goes on without being asked: watching, acting on what is found, telling, delivering. */
import { Reports } from "../api/index.ts";
import { Sinks } from "../decisions/index.ts";
import { Blame, Reasons } from "../diagnosis/index.ts";
import { Alerts, ExpectationWatch, GuardrailEvaluator, RequestTally } from "../monitoring/index.ts";
import { FollowUp, Redress } from "../redress/index.ts";
import {
  AbControl,
  AlertConditions,
  Drills,
  FailureControl,
  GuardrailControl,
  Incidents,
  InputProfiles,
  Looks,
  OpenLineage,
  Rollbacks,
  RolloutControl,
  ScoreReferences,
  guardrailsTelling,
} from "../releases/index.ts";
import { Attributor } from "../serving/index.ts";
import { asError } from "../std.ts";
import type { Foundations, Start } from "./foundations.ts";

export interface Background {
  readonly expectations: ExpectationWatch;
  readonly sinks: Sinks;
  readonly openLineage: OpenLineage;
  readonly incidents: Incidents;
  readonly blame: Blame;
  readonly reasons: Reasons;
  readonly redress: Redress;
  readonly rollbacks: Rollbacks;
  readonly control: GuardrailControl;
  readonly rollouts: RolloutControl;
  readonly ab: AbControl;
  readonly drills: Drills;
  readonly alerts: Alerts;
  readonly reports: Reports;
  /** Resolves when nothing that has begun goes on. */
  settled(): Promise<void>;
}

/** Evidence that proves nothing yet is stored this often; what a crash loses of it is formed anew from the counts. */
const EVIDENCE_EVERY_MS = 5000;
/** Between two looks of the guardrails. */
const LOOK_EVERY_MS = 500;
const COUNT_REQUESTS_EVERY_MS = 2000;
/** A scheduled report is made so soon after its period is over. */
const REPORTS_EVERY_MS = 60_000;

export async function startBackground(start: Start, foundations: Foundations): Promise<Background> {
  const { options, runtime, lifetime, onError } = start;
  const { store, audit, registry, gateway, releases, load, log, egress, secrets, told } = foundations;
  const telling = (reference: string) => (error: unknown) => onError(asError(error), reference);
  const around = await startAround(start, foundations);
  const { expectations, sinks } = around;

  const incidents = new Incidents(store, audit);
  const blame = new Blame({ store, releases, incidents, load });
  const attributor = new Attributor();
  lifetime.onEnd(() => attributor.close());
  const reasons = new Reasons({ store, releases, attributor });
  lifetime.onEnd(() => reasons.settled());
  const redress = new Redress({ store, releases, incidents });
  const rollbacks = new Rollbacks({ store, releases, incidents });
  const evaluator = new GuardrailEvaluator(store, { storeEveryMs: EVIDENCE_EVERY_MS, audit, onTrouble: telling("guardrails") });
  lifetime.onEnd(() => evaluator.flush().catch(telling("guardrails")));
  const control = new GuardrailControl({ store, releases, incidents, evaluator, rollbacks });
  const failures = new FailureControl({ releases, rollbacks });
  told.failures = failures;
  const rollouts = new RolloutControl({ store, releases, control });
  const ab = new AbControl({ store, releases });
  const drills = new Drills({ store, audit, releases, gateway, incidents, onTrouble: telling("drills") });
  const followUp = new FollowUp({ store, incidents, redress, blame, onTrouble: telling("incidents") });
  const recorded = () => log.recorded();
  const conditions = new AlertConditions({
    ...{ clock: runtime.clock, releases, incidents, control, drills, sinks, expectations, recorded },
  });
  const alerts = new Alerts({
    ...{ store, audit, egress, secrets },
    publicUrl: options.publicUrl?.replace(/\/+$/, "") ?? null,
    look: () => conditions.look(),
    endpoints: () => releases.rooms().map(({ name }) => name),
    guardrailsTelling: (channel) => releases.rooms().flatMap((room) => guardrailsTelling(room, channel)),
    onTrouble: telling("alerts"),
  });
  lifetime.onEnd(() => alerts.stop());

  const lookEveryMs = options.lookEveryMs ?? LOOK_EVERY_MS;
  const looks = new Looks({ runtime, lookAt: (endpoint) => control.lookBetween(endpoint), onError: telling("guardrails") });
  told.looks = looks;
  lifetime.onEnd(() => looks.stop());
  const tick = async () => {
    await failures.tick();
    await control.tick();
    await rollouts.tick();
    await ab.tick();
  };
  const looking = lifetime.repeat(lookEveryMs, "guardrails", () => looks.inTurn(tick));
  const requests = new RequestTally(store);
  const countRequests = () =>
    requests.write(
      releases.rooms().map(({ name }) => ({ endpoint: name, ...gateway.counts(name) })),
      gateway.planned(),
    );
  const counting = lifetime.repeat(COUNT_REQUESTS_EVERY_MS, "requests", countRequests);
  lifetime.onEnd(() => countRequests().catch(telling("requests")));
  // Apart from the looks: whoever is to be told never delays what is done.
  const alerting = lifetime.repeat(2 * lookEveryMs, "alerts", () => alerts.tick());
  // Apart from the looks: a drill on live traffic takes two seconds.
  lifetime.repeat(lookEveryMs, "drills", () => drills.tick());
  // Apart from the looks: while one incident is looked into, every endpoint goes on being watched.
  const following = lifetime.repeat(lookEveryMs, "incidents", () => followUp.tick());
  const reports = new Reports({
    ...{ store, audit, registry, releases, control, incidents, expectations, redress, drills, onTrouble: telling("reports") },
  });
  lifetime.repeat(REPORTS_EVERY_MS, "reports", () => reports.tick());
  return {
    ...{ ...around, incidents, blame, reasons, redress, rollbacks, control, rollouts, ab, drills, alerts, reports },
    async settled() {
      await gateway.idle();
      for (const each of [looking, looks, following, reasons, sinks, around.openLineage, alerting, alerts, around, counting])
        await each.settled();
      await countRequests();
      await log.flush();
    },
  };
}

/** Counts of inputs that aren't as expected: so much of them is lost when the process is killed. */
const EXPECTATIONS_EVERY_MS = 5000;
/** Between two looks for what is to be delivered: a batch is what was recorded meanwhile. */
const DELIVER_EVERY_MS = 500;
/** Between two looks for releases whose inputs aren't counted yet. */
const PROFILES_EVERY_MS = 1000;

/** What goes in and out around decisions. */
async function startAround(
  { options, lifetime, onError }: Start,
  { store, audit, registry, gateway, releases, egress, secrets, told }: Foundations,
) {
  const telling = (reference: string) => (error: unknown) => onError(asError(error), reference);
  const expectations = new ExpectationWatch({
    store,
    gateway,
    endpoints: () => releases.rooms().map(({ name, definition }) => ({ name, expectations: definition.compiled.expectations })),
  });
  lifetime.onEnd(() => expectations.close().catch(telling("expectations")));
  lifetime.repeat(EXPECTATIONS_EVERY_MS, "expectations", () => expectations.tick());
  const endpoints = () => releases.rooms().map(({ name }) => name);
  const sinks = await Sinks.open({ store, audit, egress, secrets, endpoints, onTrouble: telling("sinks") });
  lifetime.onEnd(() => sinks.stop());
  lifetime.repeat(DELIVER_EVERY_MS, "sinks", () => sinks.tick());
  const target = options.openLineage ?? null;
  const openLineage = new OpenLineage({ store, audit, registry, egress, target, onTrouble: telling("openlineage") });
  lifetime.onEnd(() => openLineage.stop());
  lifetime.repeat(DELIVER_EVERY_MS, "openlineage", () => openLineage.tick());
  const rooms = () => releases.rooms();
  const profiles = new InputProfiles({ store, registry, rooms, onTrouble: telling("input profiles") });
  told.profiles = profiles;
  const profiling = lifetime.repeat(PROFILES_EVERY_MS, "input profiles", () => profiles.tick());
  const references = new ScoreReferences({ store, registry, rooms, onTrouble: telling("score references") });
  const referring = lifetime.repeat(PROFILES_EVERY_MS, "score references", () => references.tick());
  return {
    ...{ expectations, sinks, openLineage },
    async settled() {
      await profiling.settled();
      await referring.settled();
    },
  };
}
