/** The one place that knows everything: builds every room once, from top to bottom, and stops them in reverse. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Audit, Tokens, type NewToken, type Principal } from "./access/index.ts";
import { EventStream, accessRoutes, buildServer, eventRoutes, healthRoutes, sessionRoutes, webRoutes, type Server } from "./api/index.ts";
import { openStore, systemRuntime, type Runtime, type Store } from "./store/index.ts";

export interface AppOptions {
  /** The data folder; made when missing. */
  readonly folder: string;
  /** Keep the database in PostgreSQL instead of in the folder. */
  readonly postgresUrl?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. Default 7070. */
  readonly port?: number;
  readonly allowedHosts?: readonly string[];
  /** Clock, ids, randomness and timers; the system's own by default. */
  readonly runtime?: Runtime;
  /** Told of errors that are our fault, and of what an operator should see. */
  readonly onError?: (error: Error, reference: string) => void;
  /** Told once when the process can't promise anything any more and must end. */
  readonly onFatal?: (why: string) => void;
}

export interface App {
  /** Where it listens, once started. */
  readonly url: string;
  /** On the first start of a folder: the token that all others are made with. */
  readonly firstAdmin: NewToken | undefined;
  /** Finishes what is under way, then closes everything. May be called twice. */
  stop(): Promise<void>;
}

/** Starts the whole product. Two may run in one process, on folders of their own. */
export async function startApp(options: AppOptions): Promise<App> {
  const runtime = options.runtime ?? systemRuntime();
  const onError = options.onError ?? (() => undefined);
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const close of undo.splice(0).toReversed()) await close();
  };
  try {
    const store: Store = await openStore(
      {
        folder: options.folder,
        ...(options.postgresUrl ? { postgresUrl: options.postgresUrl } : {}),
        onFatal: options.onFatal ?? (() => undefined),
        onTrouble: (error) => onError(error, "database"),
      },
      runtime,
    );
    undo.push(() => store.close());
    const audit = new Audit(store);
    const tokens = new Tokens(store, audit);
    const firstAdmin = await tokens.ensureFirstAdmin();

    const events = new EventStream(runtime.timers, async () => ({}));
    undo.push(() => events.close());
    const routes = [healthRoutes(() => true), sessionRoutes(tokens), accessRoutes(tokens, audit), eventRoutes(events), webRoutes()];
    const common = { tokens, ids: runtime.ids, onError, ...(options.allowedHosts ? { allowedHosts: options.allowedHosts } : {}) };
    const server = await buildServer(common, routes);
    undo.push(() => server.close());
    const control = await buildServer({ ...common, localPrincipal: LOCAL }, routes);
    undo.push(() => control.close());
    await listenOnSocket(control, join(options.folder, "control.sock"));
    const url = await server.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 7070 });
    return { url, firstAdmin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whoever may open a socket in the data folder owns the machine's files anyway; the audit log says that it was somebody there. */
const LOCAL: Principal = {
  tokenId: "local",
  name: "local",
  role: "admin",
  endpoints: null,
  grants: ["decisions:read", "protected:read", "review"],
};

/** Control has a way in of its own, which a flood of decisions can't fill. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await server.listen({ path });
  } finally {
    process.umask(before);
  }
}
