/** Delivers notices, each channel by itself and one after the other, each attempt within a time. Nobody waits for it. */
import { retryDelayMs } from "../../access/index.ts";
import { asError } from "../../std.ts";
import { canonicalJson, type Store } from "../../store/index.ts";
import type { Alert } from "./alert.ts";
import { REMIND_EVERY_MS } from "./channels/alertmanager.ts";
import { NotTold, type ChannelTarget } from "./channels/target.ts";
import type { ChannelSpec } from "./spec.ts";
import { claimNotice, settleAttempt, type NoticeHead } from "./stored-notices.ts";
import { groupOf } from "./tell.ts";

export interface CourierOptions {
  readonly store: Store;
  readonly open: (spec: ChannelSpec) => ChannelTarget;
  /** Told of a channel's first failure after something was delivered, and of every notice that is given up. */
  readonly onTrouble: (message: string) => void;
}

/** What waits for a channel, and what it must not forget. */
export interface Work {
  readonly pending: readonly NoticeHead[];
  /** Open alerts that the channel was told of. */
  readonly open: readonly Alert[];
}

interface Lane {
  readonly spec: ChannelSpec;
  readonly target: ChannelTarget;
  running: Promise<void> | undefined;
  /** In a row. */
  failures: number;
  remindAtUs: number;
}

const BACKOFF_CAP_MS = 3_600_000;
/** A wall clock that was put back must not keep a notice for longer than it would ever wait. */
const LATER_THAN_EVER_MS = 2 * BACKOFF_CAP_MS;
/** What is under way when the server stops may still finish for so long. */
const GRACE_MS = 5000;

export class NoticeCourier {
  readonly #options: CourierOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** Begins to deliver what is due. What is under way goes on. */
  start(channels: readonly ChannelSpec[], workOf: (channel: string) => Work): void {
    if (this.#abort.signal.aborted) return;
    const wanted = new Map(channels.map((spec) => [spec.name, spec]));
    for (const [name, lane] of this.#lanes) {
      const spec = wanted.get(name);
      if (!spec || canonicalJson(spec) !== canonicalJson(lane.spec)) this.#leave(name, lane);
    }
    for (const spec of wanted.values()) {
      const lane = this.#laneOf(spec);
      lane.running ??= this.#run(lane, workOf(spec.name)).finally(() => (lane.running = undefined));
    }
  }

  /** Resolves when nothing is under way. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all([...[...this.#lanes.values()].map(({ running }) => running), ...this.#leaving]);
  }

  /** What is under way is finished, or given up after a few seconds: it comes again. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(), GRACE_MS);
    for (const [name, lane] of this.#lanes) this.#leave(name, lane);
    await Promise.all(this.#leaving);
    clearTimeout(timer);
    this.#abort.abort();
  }

  #laneOf(spec: ChannelSpec): Lane {
    const known = this.#lanes.get(spec.name);
    if (known) return known;
    const lane: Lane = { spec, target: this.#options.open(spec), running: undefined, failures: 0, remindAtUs: 0 };
    this.#lanes.set(spec.name, lane);
    return lane;
  }

  #leave(name: string, lane: Lane): void {
    this.#lanes.delete(name);
    const leaving = Promise.resolve(lane.running)
      .then(() => lane.target.close())
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #run(lane: Lane, { pending, open }: Work): Promise<void> {
    try {
      for (const notice of this.#dueOf(pending)) if (!(await this.#deliver(lane, notice))) return;
      await this.#remind(lane, open);
    } catch (error) {
      // The database, then: the next look finds the same.
      this.#options.onTrouble(`${lane.spec.name}: ${asError(error).message}`);
    }
  }

  /** The oldest of each endpoint, if it may be tried again: what happened later is told later. */
  #dueOf(pending: readonly NoticeHead[]): readonly NoticeHead[] {
    const nowMs = this.#options.store.runtime.clock.nowMs();
    const first = new Map<string, NoticeHead>();
    for (const notice of pending) {
      const group = groupOf(notice.channel, notice.endpoint);
      if (!first.has(group)) first.set(group, notice);
    }
    return [...first.values()].filter(({ nextAtMs }) => nextAtMs <= nowMs || nextAtMs > nowMs + LATER_THAN_EVER_MS);
  }

  /** @returns whether the channel takes anything now */
  async #deliver(lane: Lane, waiting: NoticeHead): Promise<boolean> {
    const { db, runtime } = this.#options.store;
    const notice = await claimNotice(db, waiting);
    if (!notice) return true;
    try {
      const note = await lane.target.deliver(notice, this.#abort.signal);
      lane.failures = 0;
      await settleAttempt(db, notice, { state: "delivered", nowMs: runtime.clock.nowMs(), error: note });
      return true;
    } catch (error) {
      if (!(error instanceof NotTold)) throw error;
      if (!this.#abort.signal.aborted) await this.#failed(lane, notice, error);
      return false;
    }
  }

  async #failed(lane: Lane, notice: NoticeHead, error: NotTold): Promise<void> {
    const { store, onTrouble } = this.#options;
    const nowMs = store.runtime.clock.nowMs();
    const { name } = lane.spec;
    if (++lane.failures === 1) onTrouble(`${name}: ${error.message}`);
    if (error.isFinal || nowMs >= notice.giveUpAtMs) {
      await settleAttempt(store.db, notice, { state: "dead", nowMs, error: error.message });
      onTrouble(`${name}: ${notice.id} is given up, since ${error.message}; \`evenkeel alerts resend ${notice.id}\` tries again`);
      return;
    }
    const delayMs = retryDelayMs(notice.attempts, this.#chance(), error.retryAfterMs, BACKOFF_CAP_MS);
    const nextAtMs = Math.min(nowMs + Math.round(delayMs), Math.max(nowMs, notice.giveUpAtMs));
    await settleAttempt(store.db, notice, { state: "pending", nowMs, nextAtMs, error: error.message });
  }

  async #remind(lane: Lane, open: readonly Alert[]): Promise<void> {
    const { clock } = this.#options.store.runtime;
    if (!lane.target.remind || open.length === 0 || clock.monotonicUs() < lane.remindAtUs) return;
    let againMs = REMIND_EVERY_MS;
    try {
      await lane.target.remind(open, this.#abort.signal);
      lane.failures = 0;
    } catch (error) {
      if (!(error instanceof NotTold)) throw error;
      if (++lane.failures === 1) this.#options.onTrouble(`${lane.spec.name}: ${error.message}`);
      againMs = retryDelayMs(lane.failures, this.#chance(), error.retryAfterMs);
    }
    lane.remindAtUs = clock.monotonicUs() + againMs * 1000;
  }

  #chance(): number {
    return this.#options.store.runtime.random.bytes(4).readUInt32BE() / 2 ** 32;
  }
}
