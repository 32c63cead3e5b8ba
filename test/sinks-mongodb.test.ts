/** The sink of MongoDB against a real server of its protocol. Skipped, and said so, where there is none. */
import { randomInt } from "node:crypto";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { SinkView } from "../src/api/index.ts";
import { EvenkeelClient } from "../src/client.ts";
import { freshMongodb, ownMongodb, whyNoMongodb, type FreshMongodb } from "./mongodb.ts";
import { freshServer } from "./server.ts";
import { LENDING, applied, caughtUp, caughtUpAgain, decided, told, tokenFor } from "./sinks.ts";
import { ServerProcess, endLeftovers } from "./torture/server-process.ts";

if (whyNoMongodb !== undefined) process.stderr.write(`tests of the sink of MongoDB are skipped: ${whyNoMongodb}\n`);
afterAll(endLeftovers);

/** Between the server and the database: can be cut. */
class Cable {
  #isCut = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.#server = createServer((near) => {
      if (this.#isCut) return void near.destroy();
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined).on("close", () => void (near.destroy(), far.destroy()));
      }
      near.pipe(far);
      far.pipe(near);
    });
  }
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => void this.#server.listen(0, "127.0.0.1", resolve));
    return `mongodb://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
  mend(): void {
    this.#isCut = false;
  }
  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const sinkInto = (database: string, more = "") =>
  `kind: sink\nname: warehouse\ntarget: { kind: mongodb, secret: warehouse, database: ${database}${more} }\n`;
const documentsOf = ({ db }: FreshMongodb) => db.collection<{ _id: string; seq: number }>("decisions").find().sort({ seq: 1 }).toArray();

describe.skipIf(whyNoMongodb !== undefined)("the sink of MongoDB", () => {
  let mongodb: FreshMongodb;
  let cable: Cable;
  let address: string;
  beforeEach(async () => {
    mongodb = await freshMongodb();
    cable = new Cable(mongodb.url);
    address = await cable.listen();
    return async () => {
      await cable.close();
      await mongodb.drop();
    };
  });
  const sink = (more = "") => sinkInto(mongodb.name, more);
  const documents = () => documentsOf(mongodb);

  test("decisions and outcomes are documents under their own ids, with dates and indexes", async () => {
    const server = await freshServer({ secrets: { warehouse: address } });
    try {
      await applied(server.admin, LENDING);
      await applied(server.admin, sink());
      const ids = await decided(await server.as("application"), "a", 30);
      await told(await server.as("outcomes"), ids.slice(0, 4), "repaid");
      await caughtUp(server.admin, "warehouse");
      const found = await documents();
      expect(found.map(({ _id }) => _id).toSorted()).toEqual(ids.toSorted());
      expect(found[0]).toMatchObject({ endpoint: "loans", release: "r1", decidedAt: expect.any(Date), seq: 1 });
      expect(found[0]).not.toHaveProperty("groups");
      const outcomes = await mongodb.db.collection<{ _id: string }>("outcomes").find().toArray();
      expect(outcomes.map(({ _id }) => _id.replace(/\/[1-4]$/, "")).toSorted()).toEqual(ids.slice(0, 4).toSorted());
      expect((await mongodb.db.collection("decisions").indexes()).map(({ name }) => name)).toContain("evenkeel_order");
      expect((await mongodb.db.collection("outcomes").indexes()).map(({ name }) => name)).toContain("evenkeel_decision");
    } finally {
      await server.drop();
    }
  });

  test("keep_days makes the index by which the database deletes; one that can't is told of, and gets everything", async () => {
    const troubles: string[] = [];
    const server = await freshServer({ secrets: { warehouse: address }, onError: (error) => void troubles.push(error.message) });
    try {
      await applied(server.admin, LENDING);
      await applied(server.admin, sink(", keep_days: 30"));
      await decided(await server.as("application"), "a", 3);
      await caughtUp(server.admin, "warehouse");
      expect(await documents()).toHaveLength(3);
      const keep = (await mongodb.db.collection("decisions").indexes()).find(({ name }) => name === "evenkeel_keep");
      if (keep) expect(keep["expireAfterSeconds"]).toBe(30 * 86_400);
      else expect(troubles.join()).toContain("can't delete by age");
    } finally {
      await server.drop();
    }
  });

  test("a database that goes away and comes back delays nothing and misses nothing", { timeout: 60_000 }, async () => {
    const server = await freshServer({ secrets: { warehouse: address } });
    try {
      await applied(server.admin, LENDING);
      await applied(server.admin, sink());
      const application = await server.as("application");
      await decided(application, "a", 10);
      await caughtUp(server.admin, "warehouse");
      cable.cut();
      await decided(application, "b", 20);
      await expect
        .poll(async () => (await server.admin.get<SinkView>("/v1/sinks/warehouse")).failures, { timeout: 20_000 })
        .toBeGreaterThan(0);
      cable.mend();
      await caughtUp(server.admin, "warehouse", 20_000);
      expect((await documents()).map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    } finally {
      await server.drop();
    }
  });
});

// Beside each other from here on: both mostly wait.

test.concurrent("what an error says never holds the address's password", async (context) => {
  const troubles: string[] = [];
  const secret = "mongodb://ana:s3cret-word@127.0.0.1:1/";
  const server = await freshServer({ secrets: { warehouse: secret }, onError: (error) => void troubles.push(error.message) });
  try {
    await applied(server.admin, LENDING);
    await decided(await server.as("application"), "a", 1);
    const changes = await applied(server.admin, sinkInto("decisions"));
    await context.expect
      .poll(async () => (await server.admin.get<SinkView>("/v1/sinks/warehouse")).failures, { timeout: 20_000 })
      .toBeGreaterThan(0);
    const shown = await server.admin.get("/v1/sinks/warehouse");
    expect(changes[0]?.note).toContain("ECONNREFUSED");
    expect(troubles.length).toBeGreaterThan(0);
    expect(JSON.stringify([changes, shown, troubles])).not.toContain("s3cret-word");
  } finally {
    await server.drop();
  }
});

/** On a server of its own: one that only its client leaves in the middle of a write may hang for ever (docs/decisions/sinks.md). */
test
  .skipIf(whyNoMongodb !== undefined)
  .concurrent(
    "killed at random moments while it delivers, and the database with it, each document is there once",
    { timeout: 60_000 },
    async (context) => {
      const own = await ownMongodb();
      if (!own) return context.skip("no server that speaks MongoDB's protocol can be built here");
      const folder = mkdtempSync(join(tmpdir(), "evenkeel-sinks-"));
      const env = { EVENKEEL_SECRET_WAREHOUSE: own.url };
      try {
        const mongodb = await freshMongodb(own.url);
        const acknowledged: string[] = [];
        let token = "";
        for (let round = 0; round < 2; round++) {
          const server = await ServerProcess.start({ folder, env });
          if (round === 0) {
            await applied(server.control, LENDING);
            await applied(server.control, sinkInto(mongodb.name));
            token = await tokenFor(server.control, "application");
          }
          const client = new EvenkeelClient({ url: server.url, token });
          let isKilled = false;
          const load = (async () => {
            for (let batch = 0; !isKilled; batch++) {
              acknowledged.push(...(await decided(client, `r${round}`, 30, batch * 30).catch(() => [])));
              // No more than is delivered: catching up is not what is tried.
              await new Promise((resolve) => setTimeout(resolve, 100));
            }
          })();
          // After the first look, so that it delivers; where in that, chance says.
          await new Promise((resolve) => setTimeout(resolve, 550 + randomInt(500)));
          isKilled = true;
          await Promise.all([server.kill(), own.kill()]);
          await Promise.all([load, own.start()]);
          await client.close();
        }
        await caughtUpAgain(folder, "warehouse", { secrets: { warehouse: own.url } });
        const found = await documentsOf(mongodb);
        expect(found.map(({ seq }) => seq)).toEqual(found.map((_, i) => i + 1));
        const delivered = new Set(found.map(({ _id }) => _id));
        expect(acknowledged.filter((id) => !delivered.has(id))).toEqual([]);
        await mongodb.drop();
      } finally {
        await own.down();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
