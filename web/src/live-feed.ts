/** Keeps the query cache as fresh as the server: by its events, or by asking every few seconds while they don't come. */
import type { QueryClient } from "@tanstack/react-query";
import type { HomeView, PingView } from "../../src/api/ui-view.ts";
import { isSignedOut } from "./api.ts";
import { homeQuery } from "./queries.ts";

export type Live =
  | { readonly kind: "connecting" }
  | { readonly kind: "fresh"; readonly nowMs: number; readonly zone: string }
  /** Nothing has come for some seconds: what is shown is from `sinceMs`. */
  | { readonly kind: "stale"; readonly sinceMs: number; readonly zone: string };

/** What a tab hears, from the server or from the tab that listens for all. */
type Message =
  | { readonly kind: "home"; readonly view: HomeView }
  | { readonly kind: "ping"; readonly nowMs: number }
  | { readonly kind: "signed-out" };

const POLL_MS = 5000;
const STREAM_FRESH_MS = 5000;
/** An answer to polling lasts until the next one may have come. */
const POLL_FRESH_MS = POLL_MS + 3000;

/**
 * One for the page. Of several tabs only one has a stream (a browser opens six connections to a server, and a stream holds one): whichever
 * has the lock listens and tells the others. Where the browser has no locks (plain HTTP from another machine), each listens for itself.
 */
export class LiveFeed {
  readonly #client: QueryClient;
  readonly #listeners = new Set<() => void>();
  #live: Live = { kind: "connecting" };
  #zone = "UTC";
  #lastMs: number | undefined;
  #channel: BroadcastChannel | undefined;
  #ageing: ReturnType<typeof setTimeout> | undefined;
  #polling: ReturnType<typeof setInterval> | undefined;

  constructor(client: QueryClient) {
    this.#client = client;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly current = (): Live => this.#live;

  /** Listens until the returned function is called. */
  start(): () => void {
    const stop = new AbortController();
    this.#channel = new BroadcastChannel("evenkeel-events");
    this.#channel.addEventListener("message", (event) => this.#hear(asMessage(event.data)));
    this.#age(STREAM_FRESH_MS);
    void this.#whenAlone(stop.signal, () => this.#listen(stop.signal));
    return () => {
      stop.abort();
      this.#channel?.close();
      clearTimeout(this.#ageing);
      clearInterval(this.#polling);
      this.#polling = undefined;
    };
  }

  /** For the other tabs: the session has ended. */
  tellSignedOut(): void {
    this.#channel?.postMessage({ kind: "signed-out" } satisfies Message);
  }

  /** Runs `work` while no other tab does; resolves when it is over. */
  async #whenAlone(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (!("locks" in navigator)) return work();
    await navigator.locks.request("evenkeel-events", { signal }, work).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Holds a stream open, opening it again when the server has ended it; resolves on `signal`. */
  async #listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const source = new EventSource("/v1/events");
      await new Promise<void>((resolve) => {
        source.addEventListener("home", (event) => this.#tell({ kind: "home", view: asHome(event.data) }));
        source.addEventListener("ping", (event) => this.#tell({ kind: "ping", nowMs: asPing(event.data).nowMs }));
        source.addEventListener("error", () => {
          this.#poll();
          // A network error is retried by the browser; a refusal is not.
          if (source.readyState === EventSource.CLOSED) resolve();
        });
        signal.addEventListener("abort", () => resolve());
      });
      source.close();
      if (!signal.aborted) await pause(POLL_MS, signal);
    }
  }

  #tell(message: Message): void {
    this.#channel?.postMessage(message);
    this.#hear(message);
  }

  #hear(message: Message): void {
    if (message.kind === "signed-out") {
      void this.#client.resetQueries();
      return;
    }
    if (message.kind === "home") {
      this.#zone = message.view.zone;
      this.#client.setQueryData(homeQuery.queryKey, message.view);
    }
    clearInterval(this.#polling);
    this.#polling = undefined;
    this.#freshen(message.kind === "home" ? message.view.nowMs : message.nowMs, STREAM_FRESH_MS);
  }

  #freshen(nowMs: number, forMs: number): void {
    this.#lastMs = nowMs;
    // What failed while the server was away is asked for again.
    if (this.#live.kind === "stale") void this.#client.refetchQueries({ predicate: ({ state }) => state.status === "error" });
    this.#show({ kind: "fresh", nowMs, zone: this.#zone });
    this.#age(forMs);
  }

  #age(forMs: number): void {
    clearTimeout(this.#ageing);
    this.#ageing = setTimeout(() => {
      const sinceMs = this.#lastMs ?? this.#client.getQueryData(homeQuery.queryKey)?.nowMs;
      if (sinceMs !== undefined) this.#show({ kind: "stale", sinceMs, zone: this.#zone });
      this.#poll();
    }, forMs);
  }

  /** Asks now and every few seconds, until events come again. */
  #poll(): void {
    if (this.#polling !== undefined) return;
    const ask = () => {
      this.#client.fetchQuery({ ...homeQuery, staleTime: 0, retry: false }).then(
        (view) => {
          this.#zone = view.zone;
          if (this.#polling !== undefined) this.#freshen(view.nowMs, POLL_FRESH_MS);
        },
        (error: unknown) => {
          // The query keeps its error, and the page asks for a token.
          if (isSignedOut(error)) clearInterval(this.#polling);
        },
      );
    };
    this.#polling = setInterval(ask, POLL_MS);
    ask();
  }

  #show(live: Live): void {
    this.#live = live;
    for (const listener of this.#listeners) listener();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Only tabs of this application, from the same origin, speak on its channel. */
const asMessage = (data: unknown): Message => data as Message;
/** The server writes its events by the schemas that these types come from. */
const asHome = (data: string): HomeView => JSON.parse(data) as HomeView;
const asPing = (data: string): PingView => JSON.parse(data) as PingView;
