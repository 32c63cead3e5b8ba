/** The whole product on a free port in a folder of a test's own, and clients with the rights of each role. */
import { rmSync } from "node:fs";
import type { NewTokenView } from "../src/api/index.ts";
import { startApp, type AppOptions } from "../src/app.ts";
import { EvenkeelClient, EvenkeelProblem } from "../src/client.ts";
import { readyFolder } from "./ready-database.ts";

export interface FreshServer {
  readonly url: string;
  readonly folder: string;
  readonly admin: EvenkeelClient;
  /** A client with a token of that role, and of those grants on top. */
  as(role: string, grants?: readonly string[]): Promise<EvenkeelClient>;
  /** The text of a new token, for tests that write their own requests. */
  token(role: string, limits?: { readonly grants?: readonly string[]; readonly endpoints?: readonly string[] }): Promise<string>;
  drop(): Promise<void>;
}

export async function freshServer(options: Partial<AppOptions> = {}): Promise<FreshServer> {
  const folder = await readyFolder();
  const app = await startApp({ folder, port: 0, ...options });
  const clients: EvenkeelClient[] = [];
  const connect = (token: string) => {
    const client = new EvenkeelClient({ url: app.url, token });
    clients.push(client);
    return client;
  };
  const admin = connect(app.firstAdmin?.token ?? "");
  const tokenOf: FreshServer["token"] = async (role, limits = {}) =>
    (await admin.post<NewTokenView>("/v1/tokens", { name: `a ${role}`, role, ...limits })).token;
  return {
    url: app.url,
    folder,
    admin,
    async as(role, grants = []) {
      return connect(await tokenOf(role, { grants }));
    },
    token: tokenOf,
    async drop() {
      for (const client of clients) await client.close();
      await app.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The problem that a request ends in. @throws when it succeeds, or fails otherwise */
export async function problemOf(request: Promise<unknown>): Promise<EvenkeelProblem["problem"]> {
  try {
    await request;
  } catch (error) {
    if (error instanceof EvenkeelProblem) return error.problem;
    throw error;
  }
  throw new Error("the request succeeded");
}
