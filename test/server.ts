/** The whole product on a free port in a folder of a test's own, and clients with the rights of each role. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NewTokenView } from "../src/api/index.ts";
import { startApp } from "../src/app.ts";
import { EvenkeelClient, EvenkeelProblem } from "../src/client.ts";

export interface FreshServer {
  readonly url: string;
  readonly folder: string;
  readonly admin: EvenkeelClient;
  /** A client with a token of that role, and of those grants on top. */
  as(role: string, grants?: readonly string[]): Promise<EvenkeelClient>;
  drop(): Promise<void>;
}

export async function freshServer(): Promise<FreshServer> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  const app = await startApp({ folder, port: 0 });
  const clients: EvenkeelClient[] = [];
  const connect = (token: string) => {
    const client = new EvenkeelClient({ url: app.url, token });
    clients.push(client);
    return client;
  };
  const admin = connect(app.firstAdmin?.token ?? "");
  return {
    url: app.url,
    folder,
    admin,
    async as(role, grants = []) {
      return connect((await admin.post<NewTokenView>("/v1/tokens", { name: `a ${role}`, role, grants })).token);
    },
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
