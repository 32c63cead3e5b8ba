/** Takes a release away from people: asks the targets of a rollback first, switches, and opens the incident, all stored together. */
import type { ReplayableDecision } from "../decisions/index.ts";
import type { ReplayedAnswer } from "../serving/index.ts";
import type { ReleaseId, Result } from "../std.ts";
import type { Store } from "../store/index.ts";
import { askAgain } from "./ask-again.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { CandidateTried, IncidentBody, IncidentHead, RollbackFacts } from "./incident-record.ts";
import type { Incidents, NewEvent } from "./incidents.ts";
import { FAILURE_WORDS, type PreflightVerdict } from "./preflight.ts";
import { explain, type ReleaseRefusal } from "./refusals.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import type { By } from "./release-writer.ts";
import type { Releases, Switched } from "./releases.ts";
import { placesOf, rollbackCandidates } from "./route-table.ts";
import type { Wish } from "./route-commands.ts";
import type { Actor, Change, Place } from "./transition.ts";

export interface RollbacksParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
}

/** Why a release must not go on answering people, and what a better one is. */
export interface Finding {
  readonly kind: Exclude<IncidentHead["kind"], "by-hand">;
  readonly release: ReleaseId;
  readonly actor: Actor;
  readonly reason: string;
  /** The finding as a sentence without its full stop. */
  readonly title: string;
  readonly guardrail: string | null;
  readonly group: string | null;
  /** What the guardrail handed over; null where none did. */
  readonly breach: unknown;
  /** How the finding stands in the timeline. */
  readonly event: NewEvent;
  readonly onlyFallback: boolean;
  /** Why a person has to decide whether a live release is rolled back; null: nobody has to. */
  readonly asksPerson: string | null;
  /** Whose latest applications a target is asked about; null: anybody's of the endpoint. */
  readonly askAbout: ReleaseId | null;
  /** Whether a target may take over, by its answers to what the release was asked lately, in the order of `recorded`. */
  readonly judge: (recorded: readonly ReplayableDecision[], answers: readonly ReplayedAnswer[], target: ReleaseInfo) => PreflightVerdict;
}

/** What is known of a rollback when it is stored, before it is in force. */
const UNTIMED = { switchedUs: 0, drainedUs: null, failedRequests: null };
/** Recorded applications that a target is asked about. */
const REPLAYED = 300;

export class Rollbacks {
  readonly #parts: RollbacksParts;

  constructor(parts: RollbacksParts) {
    this.#parts = parts;
  }

  /** Takes a release away from people, or says why it can't. What is known of it already is added to its incident. */
  async takeOut(room: EndpointRoom, finding: Finding): Promise<void> {
    const { store, incidents } = this.#parts;
    const known = await incidents.unsettled(store.db, room.name, finding.release);
    if (known) return store.transaction((tx) => incidents.add(tx, known.n, finding.event));
    const found = await this.#foundNow(room, finding);
    if (found.place === "canary" || found.place === "ab") return this.#stopBesideLive(found);
    if (found.place !== "live") return this.#tellOnly(found, [], "it answers nobody at the moment");
    if (finding.asksPerson !== null) return this.#tellOnly(found, [], finding.asksPerson);
    const candidates: CandidateTried[] = [];
    const { table } = room;
    for (const id of finding.onlyFallback ? [table.fallback] : rollbackCandidates(table)) {
      if (id === finding.release) continue;
      const tried = await this.#try(room, finding, room.info(id));
      candidates.push(tried);
      if (tried.passes) return this.#rollBack(found, candidates, id);
    }
    const why =
      candidates.length === 0
        ? "there is nothing to roll back to"
        : "no earlier release, nor the fallback, would do better by the same applicants";
    return this.#tellOnly(found, candidates, why);
  }

  /**
   * A person's rollback, asked for nothing first: it is never made harder. Where it condemns what was live, it opens an incident or is
   * added to the one that there is, so that the people whom the release answered are found.
   */
  async byHand(
    room: EndpointRoom,
    wish: Omit<Extract<Wish, { kind: "rollback" }>, "kind">,
    by: By,
  ): Promise<Result<Switched, ReleaseRefusal>> {
    const { releases, store } = this.#parts;
    const release = room.table.live;
    const text = `rolled back by hand: ${by.reason}`;
    const found = await this.#foundNow(room, {
      kind: "by-hand",
      release,
      actor: by.actor,
      reason: by.reason,
      title: `${room.nameOf(release)} was rolled back by hand`,
      guardrail: null,
      group: null,
      breach: null,
      event: { kind: "rolled-back-by-hand", actor: by.actor, atMs: store.runtime.clock.nowMs(), text },
    });
    let opened: { readonly n: number; readonly facts: RollbackFacts } | undefined;
    const done = await releases.command(room.name, { kind: "rollback", ...wish }, by, async (tx, { transition }) => {
      const { change, generation, atMs } = transition;
      if (change.kind !== "rolled-back" || change.condemned === null) return;
      const facts = { from: change.from, to: change.live, generation, automatic: false, ...UNTIMED };
      const present = change.from === release ? found : otherwise(found, change.from);
      opened = { n: await this.#openOrJoin(tx, present, facts, atMs), facts };
    });
    if (done.ok && opened) await this.#tellDurations(found, opened.n, done.value, found.provenUs, opened.facts);
    return done;
  }

  async #foundNow(room: EndpointRoom, finding: Told): Promise<Found> {
    const { clock } = this.#parts.store.runtime;
    return {
      room,
      finding,
      provenUs: clock.monotonicUs(),
      provenMs: clock.nowMs(),
      unanswered: room.unanswered,
      place: placesOf(room.table, finding.release)[0] ?? null,
      served: await this.#servedSince(room, finding.release),
    };
  }

  /** Answers the recent applications of the release again with a target, and judges it. */
  async #try(room: EndpointRoom, finding: Finding, info: ReleaseInfo): Promise<CandidateTried> {
    const { clock } = this.#parts.store.runtime;
    const startedUs = clock.monotonicUs();
    const base = { release: info.id, number: info.number, isFallback: info.id === room.table.fallback };
    const asked = await askAgain(this.#parts, room, info, { release: finding.askAbout, limit: REPLAYED });
    if (!asked.ok) {
      const why = explain(asked.error, (id) => room.nameOf(id));
      return { ...base, passes: false, why, figures: null, durationUs: clock.monotonicUs() - startedUs };
    }
    const verdict = finding.judge(asked.value.recorded, asked.value.answers, info);
    return {
      ...base,
      passes: verdict.passes,
      why: verdict.passes ? null : FAILURE_WORDS[verdict.why],
      figures: verdict.figures,
      durationUs: clock.monotonicUs() - startedUs,
    };
  }

  async #rollBack(found: Found, candidates: readonly CandidateTried[], to: ReleaseId): Promise<void> {
    const { room, finding, provenUs } = found;
    const { store, releases } = this.#parts;
    const { actor, reason, release } = finding;
    const checkedUs = store.runtime.clock.monotonicUs();
    const checked = candidates.map((tried) => triedEvent(tried, actor, after(found, checkedUs - provenUs), checkedUs - provenUs));
    let opened: { readonly n: number; readonly facts: RollbackFacts } | undefined;
    const wish: Wish = { kind: "rollback", from: release, to, condemn: true };
    const done = await releases.command(room.name, wish, { actor, reason }, async (tx, { transition }) => {
      const facts = { from: release, to, generation: transition.generation, automatic: true, ...UNTIMED };
      opened = { n: await this.#open(tx, found, { candidates, facts, toMs: transition.atMs }, checked), facts };
    });
    if (!done.ok) return this.#tellOnly(found, candidates, this.#whyRefused(room, done.error));
    if (opened) await this.#tellDurations(found, opened.n, done.value, checkedUs, opened.facts);
  }

  /** A canary goes, or an arm of an A/B test and the test with it; whoever is live stays. */
  async #stopBesideLive(found: Found): Promise<void> {
    const { room, finding } = found;
    const { releases, store } = this.#parts;
    const { actor, reason, release } = finding;
    const to = room.table.live;
    const checkedUs = store.runtime.clock.monotonicUs();
    let opened: { readonly n: number; readonly facts: RollbackFacts } | undefined;
    const done = await releases.command(room.name, { kind: "condemn", release }, { actor, reason }, async (tx, { transition }) => {
      const facts = { from: release, to, generation: transition.generation, automatic: true, ...UNTIMED };
      opened = { n: await this.#open(tx, found, { candidates: [], facts, toMs: transition.atMs }, []), facts };
    });
    if (!done.ok) return this.#tellOnly(found, [], this.#whyRefused(room, done.error));
    if (opened) await this.#tellDurations(found, opened.n, done.value, checkedUs, opened.facts);
  }

  #whyRefused(room: EndpointRoom, refusal: ReleaseRefusal): string {
    return explain(refusal, (id) => room.nameOf(id));
  }

  /** Completes an incident with what was only known after the switch. */
  async #tellDurations(found: Found, n: number, done: Switched, commandedUs: number, facts: RollbackFacts): Promise<void> {
    const { room, finding, provenUs } = found;
    const { store, incidents } = this.#parts;
    const before = commandedUs - provenUs;
    const switchedUs = before + done.switchedUs;
    const drainedUs = before + done.drainedUs;
    const failedRequests = room.unanswered - found.unanswered;
    const { actor } = finding;
    const [fromName, toName] = [facts.from, facts.to].map((id) => room.nameOf(id));
    await store.transaction(async (tx) => {
      await incidents.amend(tx, n, { body: { rollback: { ...facts, switchedUs, drainedUs, failedRequests } } });
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
    const { finding } = found;
    const { store } = this.#parts;
    const { actor } = finding;
    const events: readonly NewEvent[] = [
      ...candidates.map((tried) => triedEvent(tried, actor, after(found, tried.durationUs), tried.durationUs)),
      { kind: "not-rolled-back", actor, atMs: store.runtime.clock.nowMs(), text: `not rolled back: ${notRolledBack}` },
    ];
    await store.transaction((tx) => this.#open(tx, found, { candidates, facts: null, toMs: null, notRolledBack }, events));
  }

  /** An incident about the release that nothing was done about yet is the same one. */
  async #openOrJoin(tx: Tx, found: Found, facts: RollbackFacts, atMs: number): Promise<number> {
    const { incidents } = this.#parts;
    const { room, finding } = found;
    const known = await incidents.unsettled(tx, room.name, finding.release);
    if (!known || known.body.rollback !== null) return this.#open(tx, found, { candidates: [], facts, toMs: atMs }, []);
    const served = { ...known.body.served, toMs: atMs };
    const state = known.state === "open" ? { state: "contained" as const } : {};
    await incidents.amend(tx, known.n, { ...state, restored: facts.to, body: { rollback: facts, served } });
    await incidents.add(tx, known.n, finding.event);
    return known.n;
  }

  #open(
    tx: Tx,
    { room, finding, place, served, provenMs }: Found,
    known: {
      readonly candidates: readonly CandidateTried[];
      readonly facts: RollbackFacts | null;
      readonly toMs: number | null;
      readonly notRolledBack?: string;
    },
    events: readonly NewEvent[],
  ): Promise<number> {
    const { kind, release, title, actor, reason, guardrail, group, breach, event } = finding;
    const body: IncidentBody = {
      title,
      openedBy: actor,
      reason,
      place,
      guardrail,
      group,
      breach,
      notRolledBack: known.notRolledBack ?? null,
      candidates: [...known.candidates],
      rollback: known.facts,
      served: { ...served, toMs: known.toMs },
    };
    const state = known.facts === null ? "open" : "contained";
    const first = { ...event, atMs: provenMs, sinceProofUs: 0 };
    return this.#parts.incidents.open(tx, { endpoint: room.name, release, restored: known.facts?.to ?? null, state, kind, body }, [
      first,
      ...events,
    ]);
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
}

const MAKES_LIVE: ReadonlySet<Change["kind"]> = new Set(["promoted", "rolled-back", "drill-started", "drill-ended"]);

type Tx = Parameters<Incidents["open"]>[0];
/** Of a finding, what an incident tells. */
type Told = Omit<Finding, "kind" | "onlyFallback" | "asksPerson" | "askAbout" | "judge"> & { readonly kind: IncidentHead["kind"] };

interface Found {
  readonly room: EndpointRoom;
  readonly finding: Told;
  /** On the monotonic clock, and on the wall's at the same moment: times of what follows are told from there. */
  readonly provenUs: number;
  readonly provenMs: number;
  /** Requests without an answer until then, since the start. */
  readonly unanswered: number;
  readonly place: Place | null;
  readonly served: { readonly fromGeneration: number; readonly fromMs: number };
}

/** Somebody was quicker and put another release live, which then was rolled back: all that it ever answered is looked through. */
function otherwise(found: Found, release: ReleaseId): Found {
  const title = `${found.room.nameOf(release)} was rolled back by hand`;
  return { ...found, finding: { ...found.finding, release, title }, served: { fromGeneration: 0, fromMs: 0 } };
}

/** When something happened that was measured from the proof; it may be stored a little later. */
const after = ({ provenMs }: Found, us: number): number => provenMs + Math.round(us / 1000);

function triedEvent(tried: CandidateTried, actor: Actor, atMs: number, sinceProofUs: number): NewEvent {
  const asked = tried.figures?.asked ?? 0;
  const text = tried.passes
    ? `r${tried.number} answers ${asked} recent applications and would not do the same`
    : `r${tried.number} is passed over: ${tried.why ?? "refused"}`;
  return { kind: "checked", actor, atMs, text, sinceProofUs };
}
