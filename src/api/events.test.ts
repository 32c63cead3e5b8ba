/** What a page hears: over HTTP where the server tells it, and on a simulated clock where time has to pass. */
import { once } from "node:events";
import { connect } from "node:net";
import { request } from "undici";
import type { ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { checked } from "../checked.ts";
import type { Principal } from "../access/index.ts";
import { simulatedRuntime } from "../store/index.ts";
import { freshServer } from "../../test/server.ts";
import { EventStream } from "./events.ts";
import { HomeView, PingView } from "./ui-view.ts";
import type { NewTokenView } from "./access-routes.ts";

test("a page hears what there is, and then the server's time as long as nothing changes", async () => {
  const server = await freshServer();
  onTestFinished(() => server.drop());
  const { token } = await server.admin.post<NewTokenView>("/v1/tokens", { name: "a page", role: "viewer" });
  const stop = new AbortController();
  const { body, headers } = await request(`${server.url}/v1/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop.signal,
  });
  expect(headers["content-type"]).toBe("text/event-stream");
  let text = "";
  for await (const chunk of body) {
    text += String(chunk);
    if (text.includes("event: ping")) break;
  }
  stop.abort();
  const heard = [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, event, data]): [string, unknown] => [
    event ?? "",
    JSON.parse(data ?? ""),
  ]);
  expect(heard.map(([event]) => event)).toEqual(["home", "ping"]);
  const home = checked(HomeView)(heard[0]?.[1]);
  const ping = checked(PingView)(heard[1]?.[1]);
  if (!home.ok || !ping.ok) throw new Error(text);
  expect(ping.value.nowMs).toBeGreaterThan(home.value.nowMs);
});

test("a server stops at once, although a connection is open on which nothing was ever asked", async () => {
  const server = await freshServer();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  const startedMs = performance.now();
  await server.drop();
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test("a server stops while a page listens, and ends its stream", async () => {
  const server = await freshServer();
  const { token } = await server.admin.post<NewTokenView>("/v1/tokens", { name: "a page", role: "viewer" });
  const { body } = await request(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  const ended = body.text();
  await server.drop();
  expect(await ended).toMatch(/^retry: 2000/);
}, 10_000);

const principal: Principal = { tokenId: "t", name: "ada", role: "viewer", endpoints: null, grants: [] };
const viewAt = (nowMs: number, endpoints: number): HomeView => ({
  nowMs,
  zone: "UTC",
  viewer: { name: "ada", role: "viewer", seesGroups: false },
  totals: {
    endpoints,
    withLiveRelease: 0,
    perMinute: 0,
    failed: { requests: 0, of: 0, fromMs: 0 },
    openIncidents: 0,
    lastRollback: null,
  },
  needsYou: [],
  endpoints: [],
});

/** As much of a response as a stream uses. */
class Reader {
  readonly written: string[] = [];
  readonly writableLength: number;
  isOver = false;
  #onClose: () => void = () => undefined;
  constructor(writableLength = 0) {
    this.writableLength = writableLength;
  }
  write(text: string): void {
    this.written.push(text.split("\n")[0] ?? "");
  }
  on(_event: "close", listener: () => void): void {
    this.#onClose = listener;
  }
  end(): void {
    this.isOver = true;
    this.#onClose();
  }
  destroy(): void {
    this.end();
  }
  /** An `EventStream` calls nothing else on it. */
  get response(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}

test("while views can't be composed nothing is sent, the process lives, and it is told once", async () => {
  const runtime = simulatedRuntime(1, 1_000_000);
  const troubles: string[] = [];
  let isAway = false;
  const events = new EventStream({
    runtime,
    compose: async () => {
      if (isAway) throw new Error("the database is away");
      return viewAt(runtime.clock.nowMs(), 0);
    },
    onTrouble: (error) => troubles.push(error.message),
  });
  const reader = new Reader();
  events.add(principal, reader.response);
  await runtime.advance(2000);
  isAway = true;
  await runtime.advance(3000);
  isAway = false;
  await runtime.advance(1000);
  expect(reader.written).toEqual(["event: home", "event: ping", "event: ping"]);
  expect(troubles).toEqual(["the database is away"]);
});

test("a stream ends after five minutes, so that a token that was revoked is asked for again", async () => {
  const runtime = simulatedRuntime(1, 1_000_000);
  const events = new EventStream({ runtime, compose: async () => viewAt(0, 0), onTrouble: () => undefined });
  const reader = new Reader();
  events.add(principal, reader.response);
  await runtime.advance(299_000);
  expect(reader.isOver).toBe(false);
  await runtime.advance(3000);
  expect(reader.isOver).toBe(true);
});

test("a reader that doesn't keep up is let go, and the others are told", async () => {
  const runtime = simulatedRuntime(1, 1_000_000);
  const events = new EventStream({ runtime, compose: async () => viewAt(0, 0), onTrouble: () => undefined });
  const [slow, quick] = [new Reader(1024 * 1024), new Reader()];
  events.add(principal, slow.response);
  events.add(principal, quick.response);
  await runtime.advance(1000);
  expect([slow.isOver, slow.written, quick.written]).toEqual([true, [], ["event: home"]]);
});
