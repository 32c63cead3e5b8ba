/** Two servers on one PostgreSQL: both decide, one delivers, and the other goes on when that one stops. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Receiver } from "./fixtures/receiver.ts";
import { describePostgres, freshDatabase } from "./postgres.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided, told, tokenFor } from "./sinks.ts";
import { EvenkeelClient } from "../src/client.ts";

describePostgres("sinks of two servers on one database", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let receiver: Receiver;
  const servers: FreshServer[] = [];
  beforeEach(async () => {
    database = await freshDatabase();
    receiver = await new Receiver().listen();
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.drop();
    await receiver.close();
    await database.drop();
  });
  const start = async () => {
    const server = await freshServer({
      postgresUrl: database.url,
      egress: { allow: [`127.0.0.1:${receiver.port}`] },
      secrets: { hook: `whsec_${Buffer.alloc(24, 5).toString("base64")}` },
    });
    servers.push(server);
    return server;
  };

  test("every decision of both is delivered once, in order, through a change of who delivers", { timeout: 90_000 }, async () => {
    const first = await start();
    await applied(first.admin, LENDING);
    await applied(
      first.admin,
      `kind: sink\nname: hook\ntarget: { kind: http, url: "http://127.0.0.1:${receiver.port}/", secrets: [hook], batch: 7 }\n`,
    );
    const [application, outcomes, viewer] = [
      await tokenFor(first.admin, "application"),
      await tokenFor(first.admin, "outcomes"),
      await tokenFor(first.admin, "viewer"),
    ];
    const second = await start();
    const clients = [first, second].map(({ url }) => new EvenkeelClient({ url, token: application }));
    const ids: string[] = [];
    for (let round = 0; round < 5; round++)
      ids.push(...(await Promise.all(clients.map((client, i) => decided(client, `r${i}`, 15, round * 15)))).flat());
    const crm = new EvenkeelClient({ url: second.url, token: outcomes });
    await told(crm, ids.slice(0, 20), "repaid");
    servers.shift();
    await first.drop();
    const [, left] = clients;
    if (left) ids.push(...(await decided(left, "r3", 20)));
    const reader = new EvenkeelClient({ url: second.url, token: viewer });
    await caughtUp(reader, "hook", 60_000);
    for (const client of [...clients, crm, reader]) await client.close();
    const events = receiver.taken.flatMap(
      ({ body }): readonly { readonly id: string; readonly type: string; readonly sequence: string }[] => JSON.parse(body),
    );
    const decisions = events.filter(({ type }) => type === "evenkeel.decision.recorded.v1");
    expect(decisions.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(decisions.map(({ sequence }) => sequence)).toEqual(decisions.map(({ sequence }) => sequence).toSorted());
    expect(events.filter(({ type }) => type === "evenkeel.outcome.recorded.v1")).toHaveLength(20);
  });
});
