/** Who is to be told what now. Pure: alerts, what each channel was told of them, silences, declarations and the time in; notices out. */
import { millisecondsOf } from "../../duration.ts";
import { isSilencedBy, severities, type Alert, type Entry, type News, type Silence, type Told } from "./alert.ts";
import type { AlertsSpec } from "./spec.ts";

/** What is declared, as far as deciding needs it. */
export interface Telling {
  readonly alerts: readonly AlertsSpec[];
  /** By name: whether the channel is told that somebody has acknowledged. */
  readonly channels: ReadonlyMap<string, { readonly wantsAcks: boolean }>;
}

export interface TellState {
  /** Open ones, and resolved ones that some channel hasn't been told of. */
  readonly alerts: readonly Alert[];
  readonly told: readonly Told[];
  readonly silences: readonly Silence[];
  /** Channels and endpoints, as {@link groupOf} names them, that have a notice on its way: none is repeated meanwhile. */
  readonly busy: ReadonlySet<string>;
}

/** What one channel is told now about one endpoint, and what is remembered of it. */
export interface Due {
  readonly channel: string;
  readonly endpoint: string | null;
  readonly entries: readonly Entry[];
  readonly told: readonly Told[];
}

/** How a channel comes to be told of an alert. */
interface Responsible {
  readonly sinceMs: number;
  readonly isEscalation: boolean;
  readonly waitMs: number;
  readonly intervalMs: number;
  readonly repeatMs: number;
}
interface Item {
  readonly alert: Alert;
  readonly news: News;
  /** Since when it could have been told. */
  readonly sinceMs: number;
  readonly waitMs: number;
}

const DEFAULTS = { group_wait: "10s", group_interval: "1m", repeat_interval: "4h" } as const;
/** More in one message nobody reads; the others come with the next. */
const ENTRIES_MAX = 200;

/** What an alert about a channel is about. */
export const channelKey = (channel: string): string => `channel/${channel}`;
export const groupOf = (channel: string, endpoint: string | null): string => `${channel}\0${endpoint ?? ""}`;

export function due(state: TellState, telling: Telling, nowMs: number): readonly Due[] {
  const told = new Map(state.told.map((one) => [`${one.alert}\0${one.channel}`, one]));
  const groups = new Map<string, { readonly channel: string; readonly endpoint: string | null; items: Item[]; intervalMs: number }>();
  for (const alert of state.alerts) {
    const silences = state.silences.filter((silence) => isSilencedBy(alert, silence, nowMs));
    const responsible = responsibleFor(alert, telling, nowMs);
    for (const [channel, { wantsAcks }] of telling.channels) {
      const at = responsible.get(channel);
      const item = newsFor(alert, { told: told.get(`${alert.id}\0${channel}`), at, isSilenced: silences.length > 0, wantsAcks }, nowMs);
      if (!item) continue;
      const key = groupOf(channel, alert.facts.endpoint);
      if (item.news === "repeated" && state.busy.has(key)) continue;
      const group = groups.get(key) ?? { channel, endpoint: alert.facts.endpoint, items: [], intervalMs: 0 };
      group.items.push(item);
      group.intervalMs = Math.max(group.intervalMs, at?.intervalMs ?? millisecondsOf(DEFAULTS.group_interval));
      groups.set(key, group);
    }
  }
  const lastMs = lastTold(state);
  return [...groups].flatMap(([key, { channel, endpoint, items, intervalMs }]): readonly Due[] => {
    const isRipe = items.some(({ sinceMs, waitMs }) => nowMs >= sinceMs + waitMs);
    const last = lastMs.get(key);
    if (!isRipe || (last !== undefined && nowMs < last + intervalMs)) return [];
    const chosen = items.toSorted(bySeverity).slice(0, ENTRIES_MAX);
    return [{ channel, endpoint, entries: chosen.map(entryOf), told: chosen.map(({ alert }) => toldNow(alert, channel, nowMs)) }];
  });
}

/** Channels that are told of an alert by now: at once, and those that it has escalated to. */
export function responsibleFor(alert: Alert, { alerts, channels }: Telling, nowMs: number): ReadonlyMap<string, Responsible> {
  const found = new Map<string, Responsible>();
  const add = (channel: string, responsible: Responsible) => {
    // A channel that fails can't be told so by itself.
    if (alert.key === channelKey(channel)) return;
    const known = found.get(channel);
    if (!known || responsible.sinceMs < known.sinceMs) found.set(channel, responsible);
  };
  const named = (alert.facts.tell ?? []).filter((channel) => channels.has(channel));
  const matching = alerts.filter((spec) => isAbout(spec, alert));
  const timesOf = (spec: Partial<AlertsSpec>) => ({
    waitMs: millisecondsOf(spec.group_wait ?? DEFAULTS.group_wait),
    intervalMs: millisecondsOf(spec.group_interval ?? DEFAULTS.group_interval),
    repeatMs: millisecondsOf(spec.repeat_interval ?? DEFAULTS.repeat_interval),
  });
  // Nobody is called any more once somebody has acknowledged, or it is over; whoever was called before remains told.
  const untilMs = Math.min(nowMs, alert.acked?.atMs ?? nowMs, alert.resolvedAtMs ?? nowMs);
  const atOnce = { sinceMs: alert.openedAtMs, isEscalation: false };
  for (const channel of named) add(channel, { ...atOnce, ...timesOf(matching[0] ?? {}) });
  for (const spec of matching) {
    const times = timesOf(spec);
    // A guardrail that says whom it tells tells nobody else at first; who isn't heard of is escalated all the same.
    if (named.length === 0) for (const channel of spec.tell) add(channel, { ...atOnce, ...times });
    for (const step of spec.escalate ?? []) {
      const sinceMs = alert.openedAtMs + millisecondsOf(step.after);
      if (untilMs >= sinceMs) for (const channel of step.tell) add(channel, { sinceMs, isEscalation: true, ...times, waitMs: 0 });
    }
  }
  return found;
}

function isAbout({ endpoints, kinds, severity = "warning" }: AlertsSpec, { kind, facts, openedAs }: Alert): boolean {
  if (endpoints && (facts.endpoint === null || !endpoints.includes(facts.endpoint))) return false;
  if (kinds && !kinds.includes(kind)) return false;
  // By what it was at its worst: whoever was told that it began is told how it goes on.
  return Math.max(rank(openedAs), rank(facts.severity)) >= rank(severity);
}

interface Standing {
  readonly told: Told | undefined;
  readonly at: Responsible | undefined;
  readonly isSilenced: boolean;
  readonly wantsAcks: boolean;
}

function newsFor(alert: Alert, { told, at, isSilenced, wantsAcks }: Standing, nowMs: number): Item | undefined {
  const item = (news: News, sinceMs: number, waitMs = 0): Item => ({ alert, news, sinceMs, waitMs });
  if (!told) {
    // Whoever was told nothing needn't hear that it is over, nor that somebody else sees to it.
    if (!at || isSilenced || alert.acked || alert.resolvedAtMs !== null) return undefined;
    return item(at.isEscalation ? "escalated" : "opened", at.sinceMs, at.waitMs);
  }
  if (alert.resolvedAtMs !== null) return told.isResolved ? undefined : item("resolved", alert.resolvedAtMs);
  if (isSilenced) return undefined;
  if (alert.changedAtMs > told.changedAtMs) return item("changed", alert.changedAtMs);
  if (alert.acked) return wantsAcks && !told.isAcked ? item("acknowledged", alert.acked.atMs) : undefined;
  const againMs = told.atMs + (at?.repeatMs ?? millisecondsOf(DEFAULTS.repeat_interval));
  return nowMs >= againMs ? item("repeated", againMs) : undefined;
}

/** When each group was last told anything. */
function lastTold({ alerts, told }: TellState): ReadonlyMap<string, number> {
  const endpointOf = new Map(alerts.map(({ id, facts }) => [id, facts.endpoint]));
  const last = new Map<string, number>();
  for (const { alert, channel, atMs } of told) {
    const key = groupOf(channel, endpointOf.get(alert) ?? null);
    last.set(key, Math.max(last.get(key) ?? 0, atMs));
  }
  return last;
}

const toldNow = (alert: Alert, channel: string, nowMs: number): Told => ({
  alert: alert.id,
  channel,
  atMs: nowMs,
  changedAtMs: alert.changedAtMs,
  isAcked: alert.acked !== null,
  isResolved: alert.resolvedAtMs !== null,
});

export const entryOf = ({ alert, news }: { readonly alert: Alert; readonly news: News }): Entry => ({
  alert: alert.id,
  key: alert.key,
  kind: alert.kind,
  news,
  openedAs: alert.openedAs,
  openedAtMs: alert.openedAtMs,
  resolvedAtMs: alert.resolvedAtMs,
  facts: alert.facts,
});

/** What was on its way and hadn't been tried yet, with what has become known since. */
export function merged(before: readonly Entry[], now: readonly Entry[]): readonly Entry[] {
  const byAlert = new Map(before.map((entry) => [entry.alert, entry]));
  for (const entry of now) {
    const known = byAlert.get(entry.alert);
    const isStillNew = known && entry.news !== "resolved" && (known.news === "opened" || known.news === "escalated");
    byAlert.set(entry.alert, isStillNew ? { ...entry, news: known.news } : entry);
  }
  return [...byAlert.values()];
}

const rank = (severity: Alert["openedAs"]): number => severities.indexOf(severity);
const bySeverity = (a: Item, b: Item): number => rank(b.alert.facts.severity) - rank(a.alert.facts.severity) || a.sinceMs - b.sinceMs;
