/** Server-sent events: what changed, to every open page, as one stream a tab. */
import { asError } from "../std.ts";
import type { ServerResponse } from "node:http";
import type { Principal } from "../access/index.ts";
import type { Runtime } from "../store/index.ts";
import type { Server } from "./server.ts";
import type { HomeView, PingView } from "./ui-view.ts";

const PERIOD_MS = 1000;
const MAX_QUEUED_BYTES = 256 * 1024;
/** A stream is opened by a token that was good then; whoever comes back after this is asked for it again. */
const LIFETIME_US = 5 * 60 * 1_000_000;

interface Listener {
  readonly principal: Principal;
  readonly response: ServerResponse;
  readonly untilUs: number;
  /** What the listener has been shown, without the clock in it. */
  shown: string;
}

interface Composed {
  readonly nowMs: number;
  readonly text: string;
  readonly content: string;
}

export interface EventStreamParts {
  readonly runtime: Pick<Runtime, "clock" | "timers">;
  readonly compose: (principal: Principal) => Promise<HomeView>;
  /** Told once when views can't be composed, and again only after they could. */
  readonly onTrouble: (error: Error) => void;
}

/**
 * Once a second, while anybody listens, composes the home view for each listener's rights and sends it where it has changed;
 * else a `ping`, by which a page knows that it is not stale. A reader that doesn't keep up is dropped and comes back by itself.
 * While views can't be composed (the database is away) nothing is sent, so that pages say so.
 */
export class EventStream {
  readonly #parts: EventStreamParts;
  readonly #listeners = new Set<Listener>();
  readonly #stop: () => void;
  #isTroubled = false;
  #isClosed = false;

  constructor(parts: EventStreamParts) {
    this.#parts = parts;
    this.#stop = parts.runtime.timers.every(PERIOD_MS, async () => {
      try {
        await this.#tellAll();
        this.#isTroubled = false;
      } catch (error) {
        // Must not end the process, which has people to decide about.
        if (!this.#isTroubled) parts.onTrouble(asError(error));
        this.#isTroubled = true;
      }
    });
  }

  async #tellAll(): Promise<void> {
    // Tabs with one token see one view: it is composed once for all of them.
    const viewByToken = new Map<string, Composed>();
    for (const listener of this.#listeners) {
      const { principal, response, untilUs } = listener;
      if (response.writableLength > MAX_QUEUED_BYTES) {
        response.destroy();
      } else if (this.#parts.runtime.clock.monotonicUs() > untilUs) {
        response.end();
      } else {
        const view = viewByToken.get(principal.tokenId) ?? composed(await this.#parts.compose(principal));
        viewByToken.set(principal.tokenId, view);
        tell(listener, view);
      }
    }
  }

  add(principal: Principal, response: ServerResponse): void {
    if (this.#isClosed) return void response.end();
    const untilUs = this.#parts.runtime.clock.monotonicUs() + LIFETIME_US;
    const listener: Listener = { principal, response, untilUs, shown: "" };
    this.#listeners.add(listener);
    response.on("close", () => this.#listeners.delete(listener));
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    for (const { response } of this.#listeners) response.end();
    this.#listeners.clear();
  }
}

function composed(view: HomeView): Composed {
  // The clock in the view moves always; what it shows counts as changed only with the rest.
  return { nowMs: view.nowMs, text: JSON.stringify(view), content: JSON.stringify({ ...view, nowMs: 0 }) };
}

function tell(listener: Listener, { nowMs, text, content }: Composed): void {
  if (content === listener.shown) listener.response.write(`event: ping\ndata: ${JSON.stringify({ nowMs } satisfies PingView)}\n\n`);
  else listener.response.write(`event: home\ndata: ${text}\n\n`);
  listener.shown = content;
}

export const eventRoutes = (events: EventStream) => (app: Server) => {
  // A server that stops waits for its requests, and a stream has no end of its own.
  app.addHook("preClose", async () => events.close());
  app.get(
    "/v1/events",
    // A HEAD of a stream would hold its connection for nothing.
    {
      exposeHeadRoute: false,
      config: { right: "read" },
      schema: { summary: "What changes, as server-sent events (`home`, `ping`)", tags: ["ui"] },
    },
    (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
      });
      reply.raw.write("retry: 2000\n\n");
      if (request.principal) events.add(request.principal, reply.raw);
    },
  );
};
