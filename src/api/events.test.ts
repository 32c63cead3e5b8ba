import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { freshServer } from "../../test/server.ts";

test("a server stops at once, although a connection is open on which nothing was ever asked", async () => {
  const server = await freshServer();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  const startedMs = performance.now();
  await server.drop();
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test("a server stops at once, although a page is open on its event stream", async () => {
  const server = await freshServer();
  const answer = await fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${await server.token("viewer")}` } });
  const page = answer.body?.getReader();
  expect((await page?.read())?.done).toBe(false);
  const startedMs = performance.now();
  await server.drop();
  expect(performance.now() - startedMs).toBeLessThan(5000);
});
