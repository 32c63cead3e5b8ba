/** What holds now that somebody should be told of: from incidents, guardrails, route tables, drills and sinks as they stand. */
import type { RecordedCount, SinkStatus, Sinks } from "../decisions/index.ts";
import {
  ABOUT_NOTHING,
  breachFigures,
  type AlertKind,
  type Breach,
  type Condition,
  type ExpectationWarning,
  type ExpectationWatch,
  type Facts,
  type RunningTest,
  type Seen,
} from "../monitoring/index.ts";
import { unreachable, type ReleaseId } from "../std.ts";
import type { Clock } from "../store/index.ts";
import type { Drill, Drills } from "./drill.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { findingOf, type GuardrailControl } from "./guardrail-control.ts";
import { breachIn, type IncidentHead, type IncidentState } from "./incident-record.ts";
import type { Incidents } from "./incidents.ts";
import type { Releases } from "./releases.ts";
import { StandIns } from "./stand-ins.ts";
import type { Transition } from "./transition.ts";

export interface ConditionParts {
  readonly clock: Clock;
  readonly releases: Releases;
  readonly incidents: Pick<Incidents, "list">;
  readonly control: Pick<GuardrailControl, "tests">;
  readonly drills: Pick<Drills, "latest">;
  readonly sinks: Pick<Sinks, "list">;
  readonly expectations: Pick<ExpectationWatch, "warnings">;
  /** What this process has recorded, and how much of it another release answered than the planned one. */
  readonly recorded: () => readonly Pick<RecordedCount, "endpoint" | "count" | "fellBack">[];
}

const UNSETTLED: readonly IncidentState[] = ["open", "contained", "in_review"];
const PAGE = 200;
/** How long a rollback took is known a moment after it; then the incident is told of without. */
const TIMED_WITHIN_MS = 2000;
/** What costs a read of the log, and what happens seldom, is looked at only so often. */
const SELDOM_EVERY_MS = 30_000;
/** A sink that fails for less catches up by itself. */
const SINK_LATE_MS = 5 * 60_000;
/** That a shadow was stopped is over when it happens; it is told of for so long. */
const STOPPED_SHADOW_MS = 24 * 3_600_000;
const HISTORY = 50;
/** Fewer on a side could be told apart. */
const SMALL_SIDE = 10;

/** Looks, and keeps what needn't be read again each time. */
export class AlertConditions {
  readonly #parts: ConditionParts;
  /** Shadows that guardrails have ended, as far as the route table has come. */
  readonly #stopped = new Map<string, { readonly generation: number; readonly transitions: readonly Transition[] }>();
  #seldomAtUs = Number.NEGATIVE_INFINITY;
  readonly #standIns = new StandIns();

  constructor(parts: ConditionParts) {
    this.#parts = parts;
  }

  async look(): Promise<Seen> {
    const incidents = await this.#unsettled();
    const nowMs = this.#parts.clock.nowMs();
    const conditions: Condition[] = incidents.filter((one) => isTimed(one, nowMs)).flatMap((one) => this.#ofIncident(one));
    const troubled = new Set<string>(incidents.map(({ endpoint }) => endpoint));
    for (const room of this.#parts.releases.rooms()) {
      conditions.push(...(await this.#ofGuardrails(room)), ...(await this.#ofStoppedShadows(room)));
    }
    const nowUs = this.#parts.clock.monotonicUs();
    const isSeldom = nowUs >= this.#seldomAtUs;
    if (isSeldom) this.#standIns.look(this.#parts.recorded());
    for (const room of this.#parts.releases.rooms())
      if (!troubled.has(room.name)) conditions.push(...onFallback(room, this.#standIns.areMany(room.name)));
    if (!isSeldom) return { conditions, kinds: new Set(OFTEN) };
    this.#seldomAtUs = nowUs + SELDOM_EVERY_MS * 1000;
    for (const room of this.#parts.releases.rooms()) {
      const drill = await this.#parts.drills.latest(room.name);
      if (drill && !drill.passed) conditions.push(ofDrill(drill, room));
      conditions.push(...(await this.#parts.expectations.warnings(room.name)).map((warning) => ofExpectation(warning, room.name)));
    }
    conditions.push(...(await this.#parts.sinks.list()).flatMap(ofSink));
    return { conditions, kinds: new Set([...OFTEN, ...SELDOM]) };
  }

  async #unsettled(): Promise<readonly IncidentHead[]> {
    const found: IncidentHead[] = [];
    for (;;) {
      const before = found.at(-1)?.n;
      const page = await this.#parts.incidents.list({ states: UNSETTLED, limit: PAGE, ...(before === undefined ? {} : { before }) });
      found.push(...page);
      if (page.length < PAGE) return found;
    }
  }

  #ofIncident(incident: IncidentHead): readonly Condition[] {
    const { n, endpoint, release, body } = incident;
    const room = this.#parts.releases.room(endpoint);
    if (!room.ok) return [];
    const name = nameIn(room.value, release);
    const breach = breachIn(incident);
    const facts: Facts = {
      severity: SEVERITY[incident.state],
      title: body.title,
      blindTitle: breach ? blindFinding(breach, name) : body.title,
      endpoint,
      release: name,
      guardrail: body.guardrail,
      group: breach ? groupOf(breach) : null,
      figures: breach && figuresOf(breach),
      done: doneAbout(incident, room.value),
      path: `/incidents/${n}`,
      command: `evenkeel incidents ${n}`,
      tell: tellOf(room.value, body.guardrail),
    };
    return [{ key: `incident/${n}`, kind: "incident", facts }];
  }

  /** Proven breaches that open no incident, of what answers or would. */
  async #ofGuardrails(room: EndpointRoom): Promise<readonly Condition[]> {
    const tests = await this.#parts.control.tests(room);
    const proven = tests.flatMap(({ breach }): readonly Condition[] => {
      if (!breach || (breach.armClass === "serving" && (breach.action === "roll_back" || breach.action === "fall_back"))) return [];
      const name = nameIn(room, breach.release);
      const action = breach.armClass === "shadow" ? room.definition.onShadowBreach : breach.action;
      const facts: Facts = {
        severity: "warning",
        title: findingOf(breach.metric, name, peopleOf(breach)),
        blindTitle: blindFinding(breach, name),
        endpoint: room.name,
        release: name,
        guardrail: breach.guardrail,
        group: groupOf(breach),
        figures: figuresOf(breach),
        done: action === "hold" ? { text: "automatic rollouts are held", ms: null } : null,
        path: "/",
        command: `evenkeel status ${room.name}`,
        tell: tellOf(room, breach.guardrail),
      };
      return [{ key: `guardrail/${breach.test}`, kind: "guardrail", facts }];
    });
    return [...proven, ...ofPaused(room, tests)];
  }

  /** A shadow that a guardrail has ended is watched no more: its route table says that it was. */
  async #ofStoppedShadows(room: EndpointRoom): Promise<readonly Condition[]> {
    const { releases, clock } = this.#parts;
    const { name: endpoint, table } = room;
    let known = this.#stopped.get(endpoint);
    if (known?.generation !== table.generation) {
      const history = await releases.history(endpoint, { limit: HISTORY });
      known = { generation: table.generation, transitions: history.filter(isGuardrailsCondemnation) };
      this.#stopped.set(endpoint, known);
    }
    return known.transitions
      .filter(({ atMs }) => clock.nowMs() - atMs < STOPPED_SHADOW_MS)
      .flatMap(({ change, actor, generation }): readonly Condition[] => {
        if (change.kind !== "condemned" || change.from !== "shadow" || !table.condemned.has(change.release)) return [];
        const name = nameIn(room, change.release);
        const guardrail = actor.name.slice(GUARDRAIL.length);
        const title = `${name} would have harmed applicants, and was stopped as a shadow before it answered any`;
        const facts: Facts = {
          ...ABOUT_NOTHING,
          severity: "warning",
          title,
          blindTitle: title,
          endpoint,
          release: name,
          guardrail,
          done: { text: `${name} is condemned`, ms: null },
          path: "/",
          command: `evenkeel status ${endpoint}`,
          tell: tellOf(room, guardrail),
        };
        return [{ key: `guardrail/${endpoint}/${generation}`, kind: "guardrail", facts }];
      });
  }
}

const OFTEN: readonly AlertKind[] = ["incident", "guardrail", "fallback"];
const SELDOM: readonly AlertKind[] = ["drill", "expectation", "sink"];
const GUARDRAIL = "guardrail:";

const isGuardrailsCondemnation = ({ change, actor }: Transition): boolean =>
  change.kind === "condemned" && actor.kind === "system" && actor.name.startsWith(GUARDRAIL);

/** `open`: harm may go on. `contained`: it doesn't, and nobody has looked yet. `in_review`: somebody does. */
const SEVERITY = {
  open: "critical",
  contained: "error",
  in_review: "warning",
  resolved: "warning",
  closed: "warning",
} as const satisfies Record<IncidentState, Facts["severity"]>;

/** Tests whose counts can't be trusted bet on nothing more: one condition a guardrail and release, however many groups it has. */
function ofPaused(room: EndpointRoom, tests: readonly RunningTest[]): readonly Condition[] {
  const paused = Map.groupBy(
    tests.filter((test) => test.paused !== null),
    ({ release, armClass, plan }) => `${release}/${armClass}/${plan.guardrail}`,
  );
  return [...paused].flatMap(([key, [first]]): readonly Condition[] => {
    if (!first) return [];
    const name = nameIn(room, first.release);
    const title = `${first.plan.guardrail} no longer watches ${name}: ${first.paused}`;
    const facts: Facts = {
      ...ABOUT_NOTHING,
      severity: "error",
      title,
      blindTitle: title,
      endpoint: room.name,
      release: name,
      guardrail: first.plan.guardrail,
      path: "/",
      command: `evenkeel guardrail show ${room.name}`,
      tell: tellOf(room, first.plan.guardrail),
    };
    return [{ key: `guardrail/paused/${key}`, kind: "guardrail", facts }];
  });
}

function isTimed({ body: { rollback }, openedAtMs }: IncidentHead, nowMs: number): boolean {
  return rollback === null || rollback.drainedUs !== null || nowMs - openedAtMs >= TIMED_WITHIN_MS;
}

function doneAbout({ body: { rollback, notRolledBack } }: IncidentHead, room: EndpointRoom): Facts["done"] {
  if (rollback) {
    const by = rollback.automatic ? "by itself" : "by a person";
    const isTimedToo = rollback.automatic && rollback.switchedUs > 0;
    return { text: `rolled back to ${nameIn(room, rollback.to)} ${by}`, ms: isTimedToo ? rollback.switchedUs / 1000 : null };
  }
  return notRolledBack === null ? null : { text: `not rolled back: ${notRolledBack}`, ms: null };
}

const groupOf = ({ group, groupLabel }: Breach): string | null => (Object.keys(group).length === 0 ? null : groupLabel);
const inWords = (value: string): string => value.replaceAll("_", " ");
function peopleOf({ group }: Breach): string {
  const parts = Object.entries(group).map(([attribute, value]) => `${inWords(attribute)} ${inWords(value)}`);
  return parts.length === 0 ? "applicants" : `applicants with ${parts.join(" and ")}`;
}
const blindFinding = (breach: Breach, release: string): string =>
  findingOf(breach.metric, release, groupOf(breach) === null ? "applicants" : "applicants of one group");

function figuresOf(breach: Breach): NonNullable<Facts["figures"]> {
  const { metric, limit, logE, threshold, decisions, groupN, referenceN, reference } = breach;
  const isSmall = groupN < SMALL_SIDE || (reference !== null && referenceN < SMALL_SIDE);
  return {
    metric,
    estimate: isSmall ? null : breachFigures(breach).estimate,
    limit,
    evidence: Math.exp(Math.min(logE, 700)),
    needed: Math.exp(threshold),
    decisions,
  };
}

/** Whom the guardrail itself tells. */
function tellOf({ definition }: EndpointRoom, guardrail: string | null): string[] | null {
  const tell = definition.guardrails.find(({ name }) => name === guardrail)?.tell;
  return tell ? [...tell] : null;
}

/** Guardrails of an endpoint that tell a channel, in words. */
export const guardrailsTelling = ({ name: endpoint, definition }: EndpointRoom, channel: string): readonly string[] =>
  definition.guardrails.filter(({ tell }) => tell?.includes(channel)).map(({ name }) => `guardrail ${name} of ${endpoint}`);

/** With a history it has answered by something else before: the fallback is what it was put back to. */
function onFallback({ name: endpoint, table }: EndpointRoom, areMany: boolean): readonly Condition[] {
  const isPutBack = table.live === table.fallback && (table.history.length > 0 || table.condemned.size > 0);
  if (!isPutBack && !areMany) return [];
  const title = isPutBack
    ? "applicants are answered by the fallback rule alone, and no incident is open"
    : "most applicants are answered by another release than the planned one, since that can't answer";
  const command = `evenkeel status ${endpoint}`;
  const facts: Facts = { ...ABOUT_NOTHING, severity: "warning", title, blindTitle: title, endpoint, path: "/", command };
  return [{ key: `fallback/${endpoint}`, kind: "fallback", facts }];
}

function ofDrill({ endpoint, target, failed, answers, mode }: Drill, room: EndpointRoom): Condition {
  const name = nameIn(room, target);
  const of = failed + answers;
  const what = of === 0 ? `${name} was asked nothing` : `${name} had no answer to ${failed} of ${of}`;
  const title = `the last rehearsal of a rollback (${mode}) failed: ${what}`;
  const command = `evenkeel drill ${endpoint}`;
  const facts: Facts = { ...ABOUT_NOTHING, severity: "error", title, blindTitle: title, endpoint, release: name, path: "/", command };
  return { key: `drill/${endpoint}`, kind: "drill", facts };
}

/** Proven once a day at most, and told of until the day ends. */
function ofExpectation({ expectation, breach, limit }: ExpectationWarning, endpoint: string): Condition {
  const title = `the expectation ${expectation} is broken (${breach}) by more than ${Number((limit * 100).toPrecision(3))} % of what comes in`;
  const command = `evenkeel expectations show ${endpoint}`;
  const facts: Facts = { ...ABOUT_NOTHING, severity: "warning", title, blindTitle: title, endpoint, path: "/", command };
  return { key: `expectation/${endpoint}/${expectation}/${breach}`, kind: "expectation", facts };
}

function ofSink({ spec: { name }, state, lagMs, lastError }: SinkStatus): readonly Condition[] {
  const title = sinkTrouble(state, lastError !== null && lagMs >= SINK_LATE_MS);
  if (title === null) return [];
  const facts: Facts = {
    ...ABOUT_NOTHING,
    severity: state === "disabled" ? "error" : "warning",
    title: `the sink ${name} ${title}`,
    blindTitle: `the sink ${name} ${title}`,
    command: `evenkeel sinks show ${name}`,
  };
  return [{ key: `sink/${name}`, kind: "sink", facts }];
}

function sinkTrouble(state: SinkStatus["state"], isLate: boolean): string | null {
  switch (state) {
    case "disabled":
      return "was disabled by its target";
    case "paused":
      return null;
    case "running":
      return isLate ? "fails, and what was recorded five minutes ago and more isn't delivered" : null;
    default:
      return unreachable(state);
  }
}

/** An endpoint's release as people name it; a release that is gone keeps its id. */
const nameIn = ({ releases }: EndpointRoom, id: ReleaseId): string => {
  const number = releases.get(id)?.number;
  return number === undefined ? id : `r${number}`;
};
