/** Server-sent events: what changed, to every open page, as one stream a tab. */
import type { ServerResponse } from "node:http";
import type { Principal } from "../access/index.ts";
import type { Timers } from "../store/index.ts";
import type { Server } from "./server.ts";

const PERIOD_MS = 1000;
const MAX_QUEUED_BYTES = 256 * 1024;

interface Listener {
  readonly principal: Principal;
  readonly response: ServerResponse;
  last: string;
}

/**
 * Once a second, while anybody listens, composes the home view for each listener's rights and sends it where it has changed;
 * else a `ping`, by which a page knows that it is not stale. A reader that doesn't keep up is dropped and comes back by itself.
 */
export class EventStream {
  readonly #listeners = new Set<Listener>();
  readonly #stop: () => void;

  constructor(timers: Timers, compose: (principal: Principal) => Promise<unknown>) {
    this.#stop = timers.every(PERIOD_MS, async () => {
      // Tabs with one token see one view: it is composed once for all of them.
      const viewByToken = new Map<string, string>();
      for (const listener of this.#listeners) {
        if (listener.response.writableLength > MAX_QUEUED_BYTES) {
          listener.response.destroy();
          continue;
        }
        const { principal } = listener;
        const view = viewByToken.get(principal.tokenId) ?? JSON.stringify(await compose(principal));
        viewByToken.set(principal.tokenId, view);
        // The clock in the view moves always; what it shows counts as changed only with the rest.
        const content = view.replace(/"(at|now)Ms":\d+/g, "");
        if (content === listener.last) listener.response.write("event: ping\ndata: {}\n\n");
        else listener.response.write(`event: home\ndata: ${view}\n\n`);
        listener.last = content;
      }
    });
  }

  add(principal: Principal, response: ServerResponse): void {
    const listener: Listener = { principal, response, last: "" };
    this.#listeners.add(listener);
    response.on("close", () => this.#listeners.delete(listener));
  }

  close(): void {
    this.#stop();
    for (const { response } of this.#listeners) response.end();
    this.#listeners.clear();
  }
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
