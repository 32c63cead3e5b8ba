/**
 * Alerts of an installation: what holds is looked at, what is new is written down with who is to be told, and a courier tells them. Apart
 * from everything that acts: a rollback waits for nothing here, and what happened while this stood still is seen when it goes on.
 */
import type { Audit } from "../../access/index.ts";
import { Lease } from "../../decisions/index.ts";
import { err, ok, type Result } from "../../std.ts";
import { canonicalJson, type Json, type Store } from "../../store/index.ts";
import { isSilencedBy, type Alert, type Matcher, type Silence } from "./alert.ts";
import { openChannel, wantsAcks } from "./channels/open-channel.ts";
import type { ChannelTarget } from "./channels/target.ts";
import { DEAD_FOR_MS, failingChannels } from "./failing-channels.ts";
import { NoticeCourier } from "./courier.ts";
import { Declarations, type By, type Declared } from "./declared.ts";
import { reconcile, type Seen } from "./reconcile.ts";
import type { AlertSurroundings, ChannelSpec } from "./spec.ts";
import { tryChannel, type Tested } from "./try-channel.ts";
import {
  alertsUnderWay,
  findAlert,
  forgetAlerts,
  listAlerts,
  listSilences,
  saveAck,
  saveAlerts,
  saveSilence,
  toldOf,
  type AlertFilter,
} from "./stored-alerts.ts";
import { findNotice, listHeads, listNotices, saveDue, sendAgain, tellingsOf, type StoredNotice, type Telling } from "./stored-notices.ts";
import { due, groupOf, responsibleFor, type TellState, type Telling as Declaration } from "./tell.ts";

export interface AlertsOptions extends AlertSurroundings {
  readonly store: Store;
  readonly audit: Audit;
  /** Where people reach the server, without a slash at the end; null where nobody has said. */
  readonly publicUrl: string | null;
  /** What holds now that somebody should know of. */
  readonly look: () => Promise<Seen>;
  readonly endpoints: () => readonly string[];
  readonly guardrailsTelling: (channel: string) => readonly string[];
  readonly onTrouble: (error: Error) => void;
}

/** An alert and how it stands with people. */
export interface AlertStatus {
  readonly alert: Alert;
  readonly isSilenced: boolean;
  /** Channels that are told of it by now, or would be if it weren't silenced. */
  readonly channels: readonly string[];
}
export interface ChannelStatus {
  readonly spec: ChannelSpec;
  readonly pending: number;
  readonly dead: number;
  /** Of what waits or was given up; null where nothing is. */
  readonly lastError: string | null;
}
/** What is more about an alert: what channels were told of it, oldest first. */
export interface AlertDetail extends AlertStatus {
  readonly tellings: readonly Telling[];
}
export type AlertRefusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "resolved" }
  | { readonly kind: "ended" }
  | { readonly kind: "too-many-silences" };

const SILENCES_MAX = 500;
/** What belongs to no incident is forgotten after so long; looked at now and then. */
const KEPT_MS = 90 * 24 * 3_600_000;
const FORGET_EVERY_US = 3_600_000_000;

export class Alerts {
  readonly declarations: Declarations;
  readonly #options: AlertsOptions;
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #courier: NoticeCourier;
  #forgetAtUs = 0;

  constructor(options: AlertsOptions) {
    const { store, onTrouble } = options;
    this.#options = options;
    this.#store = store;
    this.declarations = new Declarations(options);
    this.#lease = new Lease(store, "alerts");
    this.#courier = new NoticeCourier({
      store,
      open: (spec) => this.#open(spec),
      onTrouble: (message) => onTrouble(new Error(message)),
    });
  }

  /** One look. What is to be delivered begins, and nobody waits for it. */
  async tick(): Promise<void> {
    if (!(await this.#lease.hold())) return;
    await this.#forget();
    const declared = await this.declarations.all();
    const seen = await this.#options.look();
    const { alerts, told } = await this.#turn(declared, seen);
    const pending = await listHeads(this.#store.db, { state: "pending" });
    this.#courier.start(declared.channels, (channel) => ({
      pending: pending.filter((notice) => notice.channel === channel),
      open: alerts.filter(
        ({ id, resolvedAtMs }) => resolvedAtMs === null && told.some((one) => one.alert === id && one.channel === channel),
      ),
    }));
  }

  /** Writes what is new. @returns the alerts under way as they are now, and what had been told of them before */
  async #turn(declared: Declared, seen: Seen): Promise<Pick<TellState, "alerts" | "told">> {
    const { db, runtime } = this.#store;
    const nowMs = runtime.clock.nowMs();
    const newId = () => runtime.ids.next();
    const before = await alertsUnderWay(db);
    const pending = await listHeads(db, { state: "pending" });
    const dead = await listHeads(db, { state: "dead", sinceMs: nowMs - DEAD_FOR_MS });
    const all: Seen = {
      conditions: [...seen.conditions, ...failingChannels(declared.channels, [...pending, ...dead], nowMs)],
      kinds: new Set([...seen.kinds, "channel"]),
    };
    const moved = reconcile(
      before.filter(({ resolvedAtMs }) => resolvedAtMs === null),
      all,
      { nowMs, newId },
    );
    const byId = new Map([...before, ...moved].map((alert) => [alert.id, alert]));
    const alerts = [...byId.values()];
    const state = {
      alerts,
      told: await toldOf(db, alerts),
      silences: await listSilences(db, nowMs),
      busy: new Set(pending.map(({ channel, endpoint }) => groupOf(channel, endpoint))),
    };
    const dues = due(state, tellingOf(declared), nowMs);
    if (moved.length > 0 || dues.length > 0)
      await db.transaction().execute(async (tx) => {
        await saveAlerts(tx, moved);
        const waiting = dues.length > 0 ? await listHeads(tx, { state: "pending" }) : [];
        for (const one of dues) await saveDue(tx, one, { pending: waiting, nowMs, newId });
      });
    return state;
  }

  async #forget(): Promise<void> {
    const { db, runtime } = this.#store;
    const nowUs = runtime.clock.monotonicUs();
    if (nowUs < this.#forgetAtUs) return;
    this.#forgetAtUs = nowUs + FORGET_EVERY_US;
    await db.transaction().execute((tx) => forgetAlerts(tx, runtime.clock.nowMs() - KEPT_MS));
  }

  /** Resolves when no delivery is under way. */
  settled(): Promise<void> {
    return this.#courier.settled();
  }

  async stop(): Promise<void> {
    await this.#courier.stop();
    await this.#lease.giveUp();
  }

  async list(filter: AlertFilter): Promise<readonly AlertStatus[]> {
    const { db, runtime } = this.#store;
    const nowMs = runtime.clock.nowMs();
    const silences = await listSilences(db, nowMs);
    const declared = tellingOf(await this.declarations.all());
    return (await listAlerts(db, filter)).map((alert) => statusOf(alert, { silences, declared, nowMs }));
  }

  /** @param name - an alert's id, or what it is about: then the newest */
  async show(name: string): Promise<AlertDetail | undefined> {
    const { db, runtime } = this.#store;
    const alert = await findAlert(db, name);
    if (!alert) return undefined;
    const nowMs = runtime.clock.nowMs();
    const declared = tellingOf(await this.declarations.all());
    const status = statusOf(alert, { silences: await listSilences(db, nowMs), declared, nowMs });
    return { ...status, tellings: await tellingsOf(db, alert.id) };
  }

  /** Who was told of what is about this, over all its lives; oldest first. */
  async tellings(key: string): Promise<readonly Telling[]> {
    const alerts = await listAlerts(this.#store.db, { key });
    const found = await Promise.all(alerts.toReversed().map(({ id }) => tellingsOf(this.#store.db, id)));
    return found.flat();
  }

  /** Somebody sees to it: nobody else is called, and it isn't repeated. */
  async acknowledge(name: string, by: By): Promise<Result<Alert, AlertRefusal>> {
    const alert = await findAlert(this.#store.db, name);
    if (!alert) return err({ kind: "unknown" });
    if (alert.resolvedAtMs !== null) return err({ kind: "resolved" });
    if (alert.acked) return ok(alert);
    const acked = { atMs: this.#store.runtime.clock.nowMs(), by: by.actor, reason: by.reason };
    await this.#audited(by, { action: "alert.acknowledged", object: `alert/${alert.id}`, payload: { about: alert.key } }, (tx) =>
      saveAck(tx, alert.id, acked),
    );
    return ok({ ...alert, acked });
  }

  /** The newest first, those that are over too. */
  silences(): Promise<readonly Silence[]> {
    return listSilences(this.#store.db);
  }

  async silence(matcher: Matcher, forMs: number, by: By): Promise<Result<Silence, AlertRefusal>> {
    const { db, runtime } = this.#store;
    const fromMs = runtime.clock.nowMs();
    if ((await listSilences(db, fromMs)).length >= SILENCES_MAX) return err({ kind: "too-many-silences" });
    const silence = { id: runtime.ids.next(), matcher, fromMs, untilMs: fromMs + forMs, by: by.actor, reason: by.reason, endedBy: null };
    const payload = { matcher: canonicalJson({ ...matcher }), untilMs: silence.untilMs };
    await this.#audited(by, { action: "alerts.silenced", object: `silence/${silence.id}`, payload }, (tx) => saveSilence(tx, silence));
    return ok(silence);
  }

  async unsilence(id: string, by: By): Promise<Result<Silence, AlertRefusal>> {
    const silence = (await listSilences(this.#store.db)).find((one) => one.id === id);
    if (!silence) return err({ kind: "unknown" });
    const nowMs = this.#store.runtime.clock.nowMs();
    if (silence.untilMs <= nowMs) return err({ kind: "ended" });
    const ended = { ...silence, untilMs: nowMs, endedBy: by.actor };
    await this.#audited(by, { action: "alerts.unsilenced", object: `silence/${id}`, payload: {} }, (tx) => saveSilence(tx, ended));
    return ok(ended);
  }

  /** Notices that were given up, oldest first. */
  dead(channel?: string): Promise<readonly StoredNotice[]> {
    return listNotices(this.#store.db, { state: "dead", ...(channel === undefined ? {} : { channel }) });
  }

  /** @param isReached - whether whoever asks may know of an endpoint's notices */
  async resend(id: string, by: By, isReached: (endpoint: string | null) => boolean): Promise<Result<StoredNotice, AlertRefusal>> {
    const notice = await findNotice(this.#store.db, id);
    if (!notice || !isReached(notice.endpoint)) return err({ kind: "unknown" });
    if (notice.state !== "dead" && notice.state !== "pending") return err({ kind: "ended" });
    const nowMs = this.#store.runtime.clock.nowMs();
    await this.#audited(by, { action: "alert.resent", object: `notice/${id}`, payload: { channel: notice.channel } }, (tx) =>
      sendAgain(tx, id, nowMs),
    );
    return ok({ ...notice, state: "pending", nextAtMs: nowMs });
  }

  async channels(): Promise<readonly ChannelStatus[]> {
    const { channels } = await this.declarations.all();
    const { db } = this.#store;
    const waiting = [...(await listHeads(db, { state: "pending" })), ...(await listHeads(db, { state: "dead" }))];
    return channels.map((spec) => {
      const mine = waiting.filter(({ channel }) => channel === spec.name);
      return {
        spec,
        pending: mine.filter(({ state }) => state === "pending").length,
        dead: mine.filter(({ state }) => state === "dead").length,
        lastError: mine.findLast(({ lastError }) => lastError !== null)?.lastError ?? null,
      };
    });
  }

  /** Sends each channel a message that says it is a test, and waits for what comes of it. @param only - one channel; all when left out */
  async test(only?: string): Promise<Result<readonly Tested[], AlertRefusal>> {
    const { channels } = await this.declarations.all();
    const chosen = channels.filter(({ name }) => only === undefined || name === only);
    if (only !== undefined && chosen.length === 0) return err({ kind: "unknown" });
    return ok(await Promise.all(chosen.map((spec) => tryChannel(spec, this.#open(spec), this.#store.runtime))));
  }

  #open(spec: ChannelSpec): ChannelTarget {
    const { egress, secrets, publicUrl, store } = this.#options;
    const reader = { seesGroups: spec.groups === true, publicUrl };
    return openChannel(spec, { egress, secrets, reader, nowMs: () => store.runtime.clock.nowMs() });
  }

  async #audited(
    { actor, reason }: By,
    { action, object, payload }: { readonly action: string; readonly object: string; readonly payload: Readonly<Record<string, Json>> },
    work: (tx: Parameters<Parameters<Store["transaction"]>[0]>[0]) => Promise<void>,
  ): Promise<void> {
    const { audit } = this.#options;
    await this.#store.transaction(async (tx) => {
      await audit.lock(tx);
      await work(tx);
      await audit.append(tx, { actor, action, object, payload: { ...payload, reason } });
    });
  }
}

const tellingOf = ({ channels, alerts }: Declared): Declaration => ({
  alerts,
  channels: new Map(channels.map((spec) => [spec.name, { wantsAcks: wantsAcks(spec) }])),
});

function statusOf(
  alert: Alert,
  { silences, declared, nowMs }: { readonly silences: readonly Silence[]; readonly declared: Declaration; readonly nowMs: number },
): AlertStatus {
  const channels = [...responsibleFor(alert, declared, nowMs).keys()].filter((name) => declared.channels.has(name));
  return { alert, isSilenced: silences.some((silence) => isSilencedBy(alert, silence, nowMs)), channels };
}
