/** The one place that knows everything: builds every room once, from top to bottom, and stops them in reverse. */
import { join } from "node:path";
import type { Principal } from "./access/index.ts";
import { Connections, buildServer, handOverRoutes, type EventStream } from "./api/index.ts";
import { startBackground } from "./app/background.ts";
import { openFoundations, type Start } from "./app/foundations.ts";
import { assertFree, handOverTo } from "./app/hand-over.ts";
import { Lifetime } from "./app/lifetime.ts";
import type { App, AppOptions } from "./app/options.ts";
import { routesOf } from "./app/routes.ts";
import { listenPrivately } from "./app/take-over.ts";
import { asError } from "./std.ts";
import { systemRuntime } from "./store/index.ts";

export type { App, AppOptions } from "./app/options.ts";
export { VERSION } from "./app/routes.ts";

/** Often enough to see a standstill, seldom enough to cost nothing. */
const BEAT_MS = 250;

/** Starts the whole product. Two may run in one process, on folders of their own. */
export async function startApp(options: AppOptions): Promise<App> {
  const runtime = options.runtime ?? systemRuntime();
  const onError = options.onError ?? (() => undefined);
  const lifetime = new Lifetime(runtime, onError);
  const port = options.port ?? 7070;
  const start: Start = { options, runtime, lifetime, onError, ownPorts: new Set([port]), port };
  try {
    // Ended late, though begun last: whoever is answered while everything stops must not look stale.
    let endBeats: () => void = () => undefined;
    lifetime.onEnd(() => endBeats());
    const foundations = await openFoundations(start);
    const background = await startBackground(start, foundations);
    const { gateway, tokens, isShortOfMemory, taking, firstAdmin } = foundations;
    const { routes, events } = routesOf(start, foundations, background);
    const common = {
      tokens,
      ids: runtime.ids,
      timers: runtime.timers,
      isShortOfMemory,
      onError,
      ...(options.allowedHosts ? { allowedHosts: options.allowedHosts } : {}),
      ...(options.tracer ? { tracer: options.tracer } : {}),
    };
    const connections = new Connections();
    const server = await buildServer({ ...common, connections }, routes);
    const closeServer = (): Promise<void> => server.close();
    lifetime.onEnd(closeServer);
    const host = options.host ?? "127.0.0.1";
    const shared = { host, port, reusePort: process.platform === "linux" };
    if (!taking && shared.reusePort) await assertFree(host, port);
    const url = await server.listen(shared);
    start.ownPorts.add(Number(new URL(url).port));
    // Those who were asked for by a predecessor's clients wait already; control can wait a moment longer.
    taking?.successor.deliverTo(server.server);
    const handOver = new HandOver(start, { url, connections, events, closeServer });
    const local = await buildServer({ ...common, localPrincipal: LOCAL }, [...routes, handOverRoutes(() => handOver)]);
    lifetime.onEnd(() => local.close());
    // Before the servers: a stream never ends by itself, and they would wait for it.
    lifetime.onEnd(() => events.close());
    await listenPrivately(join(options.folder, "control.sock"), (path, done) =>
      local.listen({ path }, (error) => done(error ?? undefined)),
    );
    await taking?.ahead.close();
    // Only now: while it starts it stands still at times, and nobody waits yet.
    endBeats = runtime.timers.every(BEAT_MS, () => gateway.beat());
    return { url, firstAdmin, settled: () => background.settled(), stop: () => lifetime.end(), replaced: handOver.replaced };
  } catch (error) {
    await lifetime.end();
    throw error;
  }
}

/** What a successor asks of a server under way. */
class HandOver {
  readonly #start: Start;
  readonly #parts: HandOverParts;
  readonly replaced: Promise<"successor" | "nobody">;
  #isReplacedBy: (by: "successor" | "nobody") => void = () => undefined;
  #hasBegun = false;

  constructor(start: Start, parts: HandOverParts) {
    this.#start = start;
    this.#parts = parts;
    this.replaced = new Promise((resolve) => {
      this.#isReplacedBy = resolve;
    });
  }

  get port(): number {
    return Number(new URL(this.#parts.url).port);
  }

  /** @returns whether the place is given */
  begin(socket: string): boolean {
    const { options, lifetime, onError } = this.#start;
    if (lifetime.isEnding || this.#hasBegun) return false;
    this.#hasBegun = true;
    const { connections, events, closeServer } = this.#parts;
    const letGo = async () => {
      events.close();
      await lifetime.endAllBut(closeServer);
    };
    handOverTo(join(options.folder, socket), connections, letGo).then(this.#isReplacedBy, (error: unknown) => {
      onError(asError(error), "hand-over");
      this.#isReplacedBy("nobody");
    });
    return true;
  }
}

interface HandOverParts {
  readonly url: string;
  readonly connections: Connections;
  readonly events: EventStream;
  readonly closeServer: () => Promise<void>;
}

/** Whoever may open a socket in the data folder owns the machine's files anyway; the audit log says that it was somebody there. */
const LOCAL: Principal = {
  tokenId: "local",
  name: "local",
  role: "admin",
  endpoints: null,
  grants: ["decisions:read", "protected:read", "review"],
};
