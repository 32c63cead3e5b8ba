/** From proof to act: asks the targets of a rollback first, switches, and opens the incident, all stored together. */
import { groupsOf, readTotals, armClassOf } from "../decisions/index.ts";
import {
  METRICS,
  metricOf,
  sideOf,
  type Breach,
  type GuardrailEvaluator,
  type MetricName,
  type RunningTest,
  type WatchedEndpoint,
} from "../monitoring/index.ts";
import { assert, unreachable, type EndpointName, type ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import { askAgain } from "./ask-again.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { CandidateTried, IncidentBody } from "./incident-record.ts";
import type { Incidents, NewEvent } from "./incidents.ts";
import { FAILURE_WORDS, judgeTarget, type ComparedAnswer } from "./preflight.ts";
import { explain } from "./refusals.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import type { Releases, Switched } from "./releases.ts";
import type { Wish } from "./route-commands.ts";
import { besideLive, placesOf, rollbackCandidates } from "./route-table.ts";
import type { Actor, Change, Place } from "./transition.ts";

export interface GuardrailControlParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
  readonly evaluator: GuardrailEvaluator;
}

/** What is known of a rollback when it is stored, before it is in force. */
const UNTIMED = { switchedUs: 0, drainedUs: null, failedRequests: null };
/** Recorded applications that a target is asked about. */
const REPLAYED = 300;

export class GuardrailControl {
  readonly #parts: GuardrailControlParts;
  /** Tests whose breach was handled since the start. */
  readonly #handled = new Set<string>();

  constructor(parts: GuardrailControlParts) {
    this.#parts = parts;
  }

  /** What of an endpoint is watched: whatever answers people, or might, and the shadows. */
  watched(room: EndpointRoom): WatchedEndpoint {
    const { definition, table } = room;
    const { releases } = this.#parts;
    const serving = [
      ...new Set([
        table.live,
        ...(table.canary ? [table.canary.release] : []),
        ...besideLive(table),
        table.fallback,
        ...table.history.slice(-1),
      ]),
    ];
    const { spec } = definition;
    return {
      endpoint: room.name,
      groups: spec.groups ?? {},
      guardrails: definition.guardrails,
      budget: definition.budget,
      favourable: new Set(favourableActions(room)),
      releases: [
        ...serving.map((release) => ({ release, armClass: "serving" as const, epoch: releases.lives(release) })),
        ...table.shadows.map(({ release }) => ({ release, armClass: "shadow" as const, epoch: releases.lives(release) })),
      ],
      route: { live: table.live, beside: table.canary ? [table.canary.release] : besideLive(table), sinceMs: room.last.atMs },
    };
  }

  tests(room: EndpointRoom): Promise<readonly RunningTest[]> {
    return this.#parts.evaluator.tests(this.watched(room));
  }

  /** One look at every endpoint; acts on what is proven. Also on what was proven before a crash and never acted on. */
  async tick(): Promise<void> {
    for (const room of this.#parts.releases.rooms()) {
      const watched = this.watched(room);
      const fresh = await this.#parts.evaluator.look(watched);
      const open = (await this.#parts.evaluator.latched(watched)).filter(({ test }) => !this.#handled.has(test));
      for (const breach of open) {
        this.#handled.add(breach.test);
        const isFresh = fresh.some(({ test }) => test === breach.test);
        if (isFresh || (await this.#isUnhandled(breach))) await this.#act(room, breach);
      }
    }
  }

  /** Whether a breach from before the start still waits for what its guardrail demands. */
  async #isUnhandled(breach: Breach): Promise<boolean> {
    if (breach.armClass === "shadow" || breach.action === "warn" || breach.action === "hold") return false;
    return (await this.#parts.incidents.unsettled(this.#parts.store.db, breach.endpoint, breach.release)) === undefined;
  }

  async #act(room: EndpointRoom, breach: Breach): Promise<void> {
    const action = breach.armClass === "shadow" ? room.definition.onShadowBreach : breach.action;
    switch (action) {
      case "warn":
        return;
      case "hold":
        if (!room.table.hold) await this.#command(room, { kind: "hold" }, breach);
        return;
      case "condemn":
        await this.#command(room, { kind: "condemn", release: breach.release }, breach);
        return;
      case "roll_back":
      case "fall_back":
        return this.#takeOut(room, breach, action === "fall_back");
    }
  }

  #command(room: EndpointRoom, wish: Wish, breach: Breach) {
    return this.#parts.releases.command(room.name, wish, { actor: actorOf(breach), reason: reasonOf(breach, room) });
  }

  /** Takes a release that is proven harmful away from people, or says why it can't. */
  async #takeOut(room: EndpointRoom, breach: Breach, onlyFallback: boolean): Promise<void> {
    const { clock } = this.#parts.store.runtime;
    const provenUs = clock.monotonicUs();
    const provenMs = clock.nowMs();
    const { unanswered } = room;
    const known = await this.#parts.incidents.unsettled(this.#parts.store.db, room.name, breach.release);
    const [place] = placesOf(room.table, breach.release);
    if (known) return this.#addTo(known.n, breach, room);
    const found = {
      room,
      breach,
      provenUs,
      provenMs,
      unanswered,
      place: place ?? null,
      served: await this.#servedSince(room, breach.release),
    };
    if (place === "canary" || place === "ab") return this.#stopCanary(found);
    if (place !== "live") return this.#tellOnly(found, [], "it answers nobody at the moment");
    const candidates: CandidateTried[] = [];
    const { table } = room;
    for (const id of onlyFallback ? [table.fallback] : rollbackCandidates(table)) {
      if (id === breach.release) continue;
      const tried = await this.#try(room, breach, room.info(id));
      candidates.push(tried);
      if (tried.passes) return this.#rollBack(found, candidates, id);
    }
    const why =
      candidates.length === 0
        ? "there is nothing to roll back to"
        : "no earlier release, nor the fallback, would do better by the same applicants";
    return this.#tellOnly(found, candidates, why);
  }

  /** Answers the recent applications of the harmful release again with a target, and compares person by person. */
  async #try(room: EndpointRoom, breach: Breach, info: ReleaseInfo): Promise<CandidateTried> {
    const { clock } = this.#parts.store.runtime;
    const startedUs = clock.monotonicUs();
    const base = { release: info.id, number: info.number, isFallback: info.id === room.table.fallback };
    const asked = await askAgain(this.#parts, room, info, { release: breach.release, limit: REPLAYED });
    if (!asked.ok) {
      const why = explain(asked.error, (id) => room.nameOf(id));
      return { ...base, passes: false, why, figures: null, durationUs: clock.monotonicUs() - startedUs };
    }
    const { recorded, answers } = asked.value;
    const compared = recorded.map((decision, i): ComparedAnswer => {
      const answer = answers[i];
      const side = sideOf({ group: breach.group, reference: breach.reference }, groupsOf(decision.cell));
      return {
        side: side === "group" ? "harmed" : side === "reference" ? "reference" : "other",
        before: decision.favourable,
        after: answer?.kind === "answered" ? answer.favourable : null,
      };
    });
    const isRatio = METRICS[breach.metric].kind === "ratio_min";
    const verdict = judgeTarget(compared, { ratioLimit: isRatio ? breach.limit : null, compare: breach.reference !== null });
    return {
      ...base,
      passes: verdict.passes,
      why: verdict.passes ? null : FAILURE_WORDS[verdict.why],
      figures: verdict.figures,
      durationUs: clock.monotonicUs() - startedUs,
    };
  }

  async #rollBack(found: Found, candidates: readonly CandidateTried[], to: ReleaseId): Promise<void> {
    const { room, breach, provenUs } = found;
    const { store, releases, incidents } = this.#parts;
    const actor = actorOf(breach);
    let n = 0;
    const checkedUs = store.runtime.clock.monotonicUs();
    const done = await releases.command(
      room.name,
      { kind: "rollback", from: breach.release, to, condemn: true },
      { actor, reason: reasonOf(breach, room) },
      async (tx, { transition }) => {
        const rollback = { from: breach.release, to, generation: transition.generation, automatic: true, ...UNTIMED };
        n = await incidents.open(
          tx,
          {
            endpoint: room.name,
            release: breach.release,
            restored: to,
            state: "contained",
            kind: "breach",
            body: this.#bodyOf(found, { candidates, rollback, toMs: transition.atMs }),
          },
          [
            ...provenEvents(found),
            ...candidates.map((tried) => triedEvent(tried, actor, after(found, checkedUs - provenUs), checkedUs - provenUs)),
          ],
        );
      },
    );
    if (!done.ok)
      return this.#tellOnly(
        found,
        candidates,
        explain(done.error, (id) => room.nameOf(id)),
      );
    await this.#tellDurations(found, n, done.value, checkedUs, { from: breach.release, to });
  }

  /** A canary that harms goes, or an arm of an A/B test and the test with it; whoever is live stays. */
  async #stopCanary(found: Found): Promise<void> {
    const { room, breach } = found;
    const { releases, incidents, store } = this.#parts;
    const live = room.table.live;
    const checkedUs = store.runtime.clock.monotonicUs();
    let n = 0;
    const done = await releases.command(
      room.name,
      { kind: "condemn", release: breach.release },
      { actor: actorOf(breach), reason: reasonOf(breach, room) },
      async (tx, { transition }) => {
        const rollback = {
          from: breach.release,
          to: live,
          generation: transition.generation,
          automatic: true,
          ...UNTIMED,
        };
        n = await incidents.open(
          tx,
          {
            endpoint: room.name,
            release: breach.release,
            restored: live,
            state: "contained",
            kind: "breach",
            body: this.#bodyOf(found, { candidates: [], rollback, toMs: transition.atMs }),
          },
          provenEvents(found),
        );
      },
    );
    if (!done.ok)
      return this.#tellOnly(
        found,
        [],
        explain(done.error, (id) => room.nameOf(id)),
      );
    await this.#tellDurations(found, n, done.value, checkedUs, { from: breach.release, to: live });
  }

  /** Completes an incident with what was only known after the switch. */
  async #tellDurations(
    found: Found,
    n: number,
    done: Switched,
    commandedUs: number,
    { from, to }: { readonly from: ReleaseId; readonly to: ReleaseId },
  ): Promise<void> {
    const { room, breach, provenUs } = found;
    const { store, incidents } = this.#parts;
    const before = commandedUs - provenUs;
    const switchedUs = before + done.switchedUs;
    const drainedUs = before + done.drainedUs;
    const failedRequests = room.unanswered - found.unanswered;
    const actor = actorOf(breach);
    const [fromName, toName] = [from, to].map((id) => room.nameOf(id));
    await store.transaction(async (tx) => {
      await incidents.amend(tx, n, {
        body: { rollback: { from, to, generation: done.transition.generation, automatic: true, switchedUs, drainedUs, failedRequests } },
      });
      await incidents.add(tx, n, {
        kind: "rolled-back",
        actor,
        atMs: after(found, switchedUs),
        text: `${toName} answers every new request; ${fromName} is condemned`,
        sinceProofUs: switchedUs,
      });
      await incidents.add(tx, n, {
        kind: "drained",
        actor,
        atMs: after(found, drainedUs),
        text: `the last answer of ${fromName} has been given`,
        sinceProofUs: drainedUs,
      });
    });
  }

  async #tellOnly(found: Found, candidates: readonly CandidateTried[], notRolledBack: string): Promise<void> {
    const { room, breach } = found;
    const { store, incidents } = this.#parts;
    const actor = actorOf(breach);
    await store.transaction(async (tx) =>
      incidents.open(
        tx,
        {
          endpoint: room.name,
          release: breach.release,
          restored: null,
          state: "open",
          kind: "breach",
          body: this.#bodyOf(found, { candidates, rollback: null, toMs: null, notRolledBack }),
        },
        [
          ...provenEvents(found),
          ...candidates.map((tried) => triedEvent(tried, actor, after(found, tried.durationUs), tried.durationUs)),
          { kind: "not-rolled-back", actor, atMs: this.#nowMs(), text: `not rolled back: ${notRolledBack}` },
        ],
      ),
    );
  }

  async #addTo(n: number, breach: Breach, room: EndpointRoom): Promise<void> {
    await this.#parts.store.transaction((tx) =>
      this.#parts.incidents.add(tx, n, { kind: "proven", actor: actorOf(breach), atMs: breach.provenAtMs, text: reasonOf(breach, room) }),
    );
  }

  #bodyOf(
    { room, breach, place, served }: Found,
    known: {
      readonly candidates: readonly CandidateTried[];
      readonly rollback: IncidentBody["rollback"];
      readonly toMs: number | null;
      readonly notRolledBack?: string;
    },
  ): IncidentBody {
    return {
      title: titleOf(breach, room),
      openedBy: actorOf(breach),
      reason: reasonOf(breach, room),
      place,
      guardrail: breach.guardrail,
      group: breach.groupLabel,
      breach,
      notRolledBack: known.notRolledBack ?? null,
      candidates: [...known.candidates],
      rollback: known.rollback,
      served: { ...served, toMs: known.toMs },
    };
  }

  /** Since when the release has answered people in its present life. */
  async #servedSince(room: EndpointRoom, release: ReleaseId): Promise<{ readonly fromGeneration: number; readonly fromMs: number }> {
    const history = await this.#parts.releases.history(room.name, { limit: 1000 });
    let since = { fromGeneration: room.table.generation, fromMs: room.liveSinceMs };
    for (const { change, generation, atMs } of history) {
      if (change.kind === "reinstated" && change.release === release) break;
      const begins =
        (change.kind === "canary-started" && change.release === release) ||
        (change.kind === "ab-started" && change.arms.some((arm) => arm.release === release && change.arms[0] !== arm)) ||
        (MAKES_LIVE.has(change.kind) && "live" in change && change.live === release) ||
        (change.kind === "fallback-set" && change.live === release);
      if (begins) since = { fromGeneration: generation, fromMs: atMs };
    }
    return since;
  }

  #nowMs(): number {
    return this.#parts.store.runtime.clock.nowMs();
  }
}

const MAKES_LIVE: ReadonlySet<Change["kind"]> = new Set(["promoted", "rolled-back", "drill-started", "drill-ended"]);

interface Found {
  readonly room: EndpointRoom;
  readonly breach: Breach;
  /** On the monotonic clock, and on the wall's at the same moment: times of what follows are told from there. */
  readonly provenUs: number;
  readonly provenMs: number;
  /** Requests without an answer until then, since the start. */
  readonly unanswered: number;
  readonly place: Place | null;
  readonly served: { readonly fromGeneration: number; readonly fromMs: number };
}

/** When something happened that was measured from the proof; it may be stored a little later. */
const after = ({ provenMs }: Found, us: number): number => provenMs + Math.round(us / 1000);

const actorOf = ({ guardrail }: Breach): Actor => ({ kind: "system", name: `guardrail:${guardrail}` });

const favourableActions = ({ definition }: EndpointRoom) =>
  Object.entries(definition.spec.actions).flatMap(([action, { favourable }]) => (favourable ? [action] : []));

/** `high_school` reads as `high school`. */
const inWords = (value: string) => value.replaceAll("_", " ");

/** The finding, as a sentence without its full stop: `r3 turned down applicants with education high school`. */
function titleOf({ group, release, metric }: Breach, room: EndpointRoom): string {
  const people = Object.entries(group)
    .map(([attribute, value]) => `${inWords(attribute)} ${inWords(value)}`)
    .join(" and ");
  return findingOf(metric, room.nameOf(release), people === "" ? "applicants" : `applicants with ${people}`);
}

/** What a breach of a metric means for people, without a full stop. @param people - `applicants with education high school` */
export function findingOf(metric: MetricName, release: string, people: string): string {
  const { counts } = metricOf(metric);
  switch (counts) {
    case "selections":
      return `${release} turned down ${people}`;
    case "substitutions":
      return `${release} left ${people} to another release`;
    case "flips":
      return `${release} would answer ${people} worse`;
    default:
      return unreachable(counts);
  }
}

function reasonOf(
  { groupLabel, groupK, groupN, referenceK, referenceN, decisions, logE, threshold, limit, reference }: Breach,
  room: EndpointRoom,
): string {
  const actions = favourableActions(room);
  const odds = Math.round(Math.exp(Math.min(logE, 40))).toLocaleString("en");
  const needed = Math.round(Math.exp(threshold)).toLocaleString("en");
  const others = reference === null ? "" : `, ${referenceK} of ${referenceN} of the others`;
  return `${actions.join(" or ")} for ${groupK} of ${groupN} with ${inWords(groupLabel)}${others} (limit ${limit}); after ${decisions.toLocaleString("en")} decisions the evidence is ${odds} to 1, needed ${needed} to 1`;
}

function provenEvents({ breach, room, provenMs }: Found): NewEvent[] {
  return [{ kind: "proven", actor: actorOf(breach), atMs: provenMs, text: reasonOf(breach, room), sinceProofUs: 0 }];
}

function triedEvent(tried: CandidateTried, actor: Actor, atMs: number, sinceProofUs: number): NewEvent {
  const asked = tried.figures?.asked ?? 0;
  const text = tried.passes
    ? `r${tried.number} answers ${asked} recent applications and would not do the same`
    : `r${tried.number} is passed over: ${tried.why ?? "refused"}`;
  return { kind: "checked", actor, atMs, text, sinceProofUs };
}

/** Decisions that a release has given to people, by the tallies. */
export async function decisionsOf(store: Store, endpoint: EndpointName, release: ReleaseId): Promise<number> {
  const rows = await readTotals(store.db, { endpoint, release });
  assert(
    rows.every((row) => row.release === release),
    "totals of one release",
  );
  return rows.filter((row) => armClassOf(row.arm) === "serving").reduce((sum, row) => sum + row.decisions, 0);
}
