/** From proof to act: what a guardrail demands of a release whose harm is proven. */
import { armClassOf, groupsOf, readTotals, type ReplayableDecision } from "../decisions/index.ts";
import {
  PREVIOUS,
  kindOf,
  metricOf,
  restsOn,
  sideOf,
  type Breach,
  type GuardrailEvaluator,
  type MetricName,
  type RunningTest,
  type WatchedEndpoint,
} from "../monitoring/index.ts";
import type { ReplayedAnswer } from "../serving/index.ts";
import { assert, unreachable, type EndpointName, type ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { Incidents } from "./incidents.ts";
import { judgeTarget, type ComparedAnswer, type PreflightVerdict } from "./preflight.ts";
import type { Releases } from "./releases.ts";
import type { Finding, Rollbacks } from "./rollbacks.ts";
import type { Wish } from "./route-commands.ts";
import { besideLive, standbyOf } from "./route-table.ts";
import type { Actor } from "./transition.ts";

export interface GuardrailControlParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly incidents: Incidents;
  readonly evaluator: GuardrailEvaluator;
  readonly rollbacks: Rollbacks;
}

export class GuardrailControl {
  readonly #parts: GuardrailControlParts;
  /** Tests whose breach was handled since the start. */
  readonly #handled = new Set<string>();
  /** Those on whose breach it was tried in vain to act. */
  readonly #failed = new Set<string>();

  constructor(parts: GuardrailControlParts) {
    this.#parts = parts;
  }

  /** What of an endpoint is watched: whatever answers people, or might, and the shadows. */
  watched(room: EndpointRoom): WatchedEndpoint {
    const { definition, table } = room;
    const { releases } = this.#parts;
    const serving = [...new Set([table.live, ...besideLive(table), table.fallback, ...table.history.slice(-1)])];
    const { spec } = definition;
    const before = standbyOf(table) ?? (table.live === table.fallback ? null : table.fallback);
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
      route: {
        live: table.live,
        beside: besideLive(table),
        sinceMs: room.last.atMs,
        ...(before === null ? {} : { previous: before }),
      },
    };
  }

  tests(room: EndpointRoom): Promise<readonly RunningTest[]> {
    return this.#parts.evaluator.tests(this.watched(room));
  }

  /** One look at every endpoint; acts on what is proven. Also on what was proven before a crash and never acted on. */
  async tick(): Promise<void> {
    const errors: unknown[] = [];
    // What goes wrong with one endpoint leaves none of the others unwatched.
    for (const room of this.#parts.releases.rooms()) await this.#lookAt(room).catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }

  async #lookAt(room: EndpointRoom): Promise<void> {
    const watched = this.watched(room);
    const fresh = await this.#parts.evaluator.look(watched);
    const open = (await this.#parts.evaluator.latched(watched)).filter(({ test }) => !this.#handled.has(test));
    for (const breach of open) {
      const isFresh = fresh.some(({ test }) => test === breach.test) || this.#failed.has(breach.test);
      if (isFresh || (await this.#isUnhandled(breach))) await this.#actOnce(room, breach);
      else this.#handled.add(breach.test);
    }
  }

  /** A look at one endpoint between two ticks; acts on what it proves. @returns how many tests it was about; 0 where nothing is guarded */
  async lookBetween(endpoint: string): Promise<number> {
    const { releases, evaluator } = this.#parts;
    const found = releases.room(endpoint);
    if (!found.ok || found.value.definition.guardrails.length === 0) return 0;
    const room = found.value;
    const watched = this.watched(room);
    for (const breach of await evaluator.look(watched, { isBetween: true })) await this.#actOnce(room, breach);
    return (await evaluator.tests(watched)).length;
  }

  /** What can't be done now is tried again with the next tick. */
  async #actOnce(room: EndpointRoom, breach: Breach): Promise<void> {
    this.#handled.add(breach.test);
    try {
      await this.#act(room, breach);
      this.#failed.delete(breach.test);
    } catch (error) {
      this.#handled.delete(breach.test);
      this.#failed.add(breach.test);
      throw error;
    }
  }

  /** Whether a breach from before the start still waits for what its guardrail demands. */
  async #isUnhandled(breach: Breach): Promise<boolean> {
    if (breach.armClass === "shadow" || breach.action === "warn" || breach.action === "hold") return false;
    return !(await this.#parts.incidents.isKnown(this.#parts.store.db, breach));
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
        return this.#parts.rollbacks.takeOut(room, this.#findingOf(breach, room, action === "fall_back"));
    }
  }

  #command(room: EndpointRoom, wish: Wish, breach: Breach) {
    return this.#parts.releases.command(room.name, wish, { actor: actorOf(breach), reason: reasonOf(breach, room) });
  }

  /** What a proven breach is to those who take its release out. */
  #findingOf(breach: Breach, room: EndpointRoom, onlyFallback: boolean): Finding {
    const { release, guardrail, provenAtMs } = breach;
    const actor = actorOf(breach);
    const reason = reasonOf(breach, room);
    return {
      kind: "breach",
      release,
      actor,
      reason,
      title: titleOf(breach, room),
      guardrail,
      group: breach.groupLabel,
      breach,
      event: { kind: "proven", actor, atMs: provenAtMs, text: reason },
      onlyFallback,
      asksPerson: room.definition.spec.on_single_writer === "alert" ? oneOfSeveral(breach) : null,
      askAbout: release,
      judge: (recorded, answers) => this.#judge(breach, recorded, answers),
    };
  }

  /** Compares, person by person, what the harmful release answered with what a target would. */
  #judge(breach: Breach, recorded: readonly ReplayableDecision[], answers: readonly ReplayedAnswer[]): PreflightVerdict {
    const compared = recorded.map((decision, i): ComparedAnswer => {
      const answer = answers[i];
      const side = sideOf({ group: breach.group, reference: breach.reference }, groupsOf(decision.cell));
      return {
        side: side === "group" ? "harmed" : side === "reference" ? "reference" : "other",
        before: decision.favourable,
        after: answer?.kind === "answered" ? answer.favourable : null,
      };
    });
    // What a replay can tell is who would be selected; other metrics ask of a target only that it answers.
    const isSelection = metricOf(breach.metric).counts === "selections";
    const isRatio = isSelection && kindOf(breach.metric) === "ratio_min" && breach.direction !== "at_most" && breach.reference !== PREVIOUS;
    return judgeTarget(compared, { ratioLimit: isRatio ? breach.limit : null, compare: isSelection && breach.reference !== null });
  }
}

const actorOf = ({ guardrail }: Breach): Actor => ({ kind: "system", name: `guardrail:${guardrail}` });

const favourableActions = ({ definition }: EndpointRoom) =>
  Object.entries(definition.spec.actions).flatMap(([action, { favourable }]) => (favourable ? [action] : []));

/** Why a proof is left to a person: one of several who send decisions could have made it. */
function oneOfSeveral(breach: Breach): string | null {
  const writer = restsOn(breach);
  return writer !== undefined && breach.sources.length > 1
    ? `the proof rests on one writer, ${writer}, of ${breach.sources.length}: a person has to decide (on_single_writer: alert)`
    : null;
}

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
    case "net-flips":
      return `${release} would answer ${people} worse`;
    case "actions":
      return `${release} gave ${people} an answer too often`;
    case "outcomes":
      return `${release} was wrong about ${people}`;
    case "slow":
      return `${release} kept ${people} waiting`;
    case "scores":
      return `${release} gave ${people} scores beyond the limit`;
    default:
      return unreachable(counts);
  }
}

function reasonOf(breach: Breach, room: EndpointRoom): string {
  const { groupLabel, groupK, groupN, referenceK, referenceN, decisions, logE, threshold, limit, reference } = breach;
  const odds = Math.round(Math.exp(Math.min(logE, 40))).toLocaleString("en");
  const needed = Math.round(Math.exp(threshold)).toLocaleString("en");
  const others =
    reference === null
      ? ""
      : `, ${referenceK} of ${referenceN} of ${reference === PREVIOUS ? "theirs with the release beside" : "the others"}`;
  const writer = restsOn(breach);
  const one = writer !== undefined && breach.sources.length > 1 ? `; it rests on one writer, ${writer}` : "";
  return `${countedIn(breach, room)} for ${groupK} of ${groupN} with ${inWords(groupLabel)}${others} (limit ${limit}); after ${decisions.toLocaleString("en")} decisions the evidence is ${odds} to 1, needed ${needed} to 1${one}`;
}

/** What a breach counts, as the beginning of a sentence: `approve`. */
function countedIn({ metric }: Breach, room: EndpointRoom): string {
  const { counts } = metricOf(metric);
  switch (counts) {
    case "selections":
      return favourableActions(room).join(" or ");
    case "actions":
      return "the watched actions";
    case "substitutions":
      return "another release's answer";
    case "flips":
    case "net-flips":
      return "a worse answer";
    case "slow":
      return "a slow answer";
    case "scores":
    case "outcomes":
      return `${inWords(metric)}:`;
    default:
      return unreachable(counts);
  }
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
