/** Whether scores, inputs and who applies are still what a release was made for. */
import {
  readDriftAnswers,
  readInputAnswers,
  readPublished,
  type MetricAnswer,
  type MetricSample,
  type Published,
} from "../../monitoring/index.ts";
import type { Registry } from "../../registry/index.ts";
import { metricTerms, placesOf, readInputProfile, type EndpointRoom } from "../../releases/index.ts";
import type { ReleaseId } from "../../std.ts";
import type { Store } from "../../store/index.ts";
import { tellsOfGroups } from "../protected-inputs.ts";
import { trainedOn } from "../trained-on.ts";
import type { Collected } from "./families.ts";

type Drifted = "evenkeel_drift_index" | "evenkeel_drift_detected" | "evenkeel_writers_with_another_mix";

/** Scrapes come every few seconds, and distributions move in hours. */
const FRESH_MS = 60_000;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
const MIX_DAYS = 7;
const INDEX = ["population_stability_index"] as const;

interface Drift {
  readonly labels: { readonly endpoint: string; readonly release: string; readonly of: string; readonly name: string };
  readonly answer: MetricAnswer;
  readonly isProtected: boolean;
}
interface Known {
  readonly drifts: readonly Drift[];
  readonly writers: readonly MetricSample[];
}

export class DriftGauges {
  readonly #parts: { readonly store: Pick<Store, "db" | "runtime">; readonly registry: Pick<Registry, "datasets"> };
  readonly #known = new Map<string, { readonly atMs: number; readonly found: Promise<Known> }>();

  constructor(parts: { readonly store: Pick<Store, "db" | "runtime">; readonly registry: Pick<Registry, "datasets"> }) {
    this.#parts = parts;
  }

  /** @param seesGroups - otherwise inputs that say what group somebody is in are left out */
  async collect(rooms: readonly EndpointRoom[], seesGroups: boolean): Promise<Pick<Collected, Drifted>> {
    const all: Known[] = [];
    for (const room of rooms) all.push(await this.#of(room));
    const drifts = all.flatMap(({ drifts: some }) => some).filter(({ isProtected }) => seesGroups || !isProtected);
    return {
      evenkeel_drift_index: drifts.flatMap(({ labels, answer: { value } }) => (value === null ? [] : [{ labels, value }])),
      evenkeel_drift_detected: drifts.flatMap(({ labels, answer: { value, status } }) =>
        value === null || status === "too_few" ? [] : [{ labels, value: status === "drift" ? 1 : 0 }],
      ),
      evenkeel_writers_with_another_mix: all.flatMap(({ writers }) => writers),
    };
  }

  #of(room: EndpointRoom): Promise<Known> {
    const nowMs = this.#parts.store.runtime.clock.nowMs();
    const known = this.#known.get(room.name);
    if (known && nowMs - known.atMs < FRESH_MS && nowMs >= known.atMs) return known.found;
    const found = this.#read(room, nowMs);
    this.#known.set(room.name, { atMs: nowMs, found });
    // What couldn't be read is read again by whoever asks next.
    found.catch(() => this.#known.delete(room.name));
    return found;
  }

  async #read(room: EndpointRoom, nowMs: number): Promise<Known> {
    const each: Known[] = [];
    for (const id of room.releases.keys()) {
      const arm = (["live", "canary", "ab"] as const).find((place) => placesOf(room.table, id).includes(place));
      if (arm) each.push(await this.#ofRelease(room, { release: id, arm }, nowMs));
    }
    return { drifts: each.flatMap(({ drifts }) => drifts), writers: each.flatMap(({ writers }) => writers) };
  }

  async #ofRelease(
    room: EndpointRoom,
    of: { readonly release: ReleaseId; readonly arm: "live" | "canary" | "ab" },
    nowMs: number,
  ): Promise<Known> {
    const { store, registry } = this.#parts;
    const { spec } = room.definition;
    const declared = spec.groups ?? {};
    const sets = Object.keys(declared).map((attribute) => [attribute]);
    const favourable = new Set(Object.keys(spec.actions).filter((action) => spec.actions[action]?.favourable));
    const profile = await readInputProfile(store.db, of.release);
    const against = (profile?.dataset ?? null) === null ? "launch" : "training";
    const trained = await trainedOn({ store, registry }, { release: of.release, profile, declared });
    const today = Math.floor(nowMs / MINUTE_MS / DAY_MINUTES);
    const window = { fromMinute: (today - 1) * DAY_MINUTES, toMinute: Math.floor(nowMs / MINUTE_MS) + 1 };
    const question = { endpoint: room.name, ...of, window, names: INDEX, against, nowMs } as const;
    const rest = { declared, favourable, trained, hidden: null };
    const inputs = await readInputAnswers(store.db, { ...question, profile });
    const scores = await readDriftAnswers(store.db, { ...question, ...rest, sets: [] });
    const published = await readPublished(
      store.db,
      {
        endpoint: room.name,
        declared,
        sets,
        k: metricTerms(spec.metrics).smallCell,
        favourable,
        period: { fromDay: today - MIX_DAYS, toDay: today },
      },
      [of],
    );
    const mixes = (await readDriftAnswers(store.db, { ...question, ...rest, sets, window: published.decisions.window }))
      .map(({ answer }) => answer)
      .filter((answer) => answer.drift_of === "groups" && !hasHidden(answer, published));
    const about = { endpoint: room.name, release: room.nameOf(of.release) };
    const drift = (kind: string, name: string, answer: MetricAnswer, isProtected = false): Drift => ({
      labels: { ...about, of: kind, name },
      answer,
      isProtected,
    });
    const attributeOf = ({ attributes }: MetricAnswer) => attributes?.[0] ?? "";
    const byWriter = Map.groupBy(
      mixes.filter(({ writer }) => writer !== undefined),
      attributeOf,
    );
    return {
      drifts: [
        ...scores.map(({ answer }) => drift("scores", "scores", answer)),
        ...inputs.map(({ answer }) => drift("input", answer.feature ?? "", answer, tellsOfGroups(room, answer.feature ?? ""))),
        ...mixes.filter(({ writer }) => writer === undefined).map((answer) => drift("groups", attributeOf(answer), answer)),
      ],
      writers: [...byWriter].map(([attribute, answers]) => ({
        labels: { ...about, attribute },
        value: answers.filter(({ status }) => status === "drift").length,
      })),
    };
  }
}

/** Whether a group of the mix is so small that a number of it would tell of single people. */
function hasHidden({ attributes, bins = [] }: MetricAnswer, { decisions: { hidden } }: Published): boolean {
  const [attribute = ""] = attributes ?? [];
  return hidden.total || bins.some(({ label }) => hidden.groups({ [attribute]: label }));
}
