/** What docs/sinks.md shows is tried here: its sinks are declared and deliver, its commands run, its documents have the fields that are delivered. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SinkView } from "../src/api/index.ts";
import { NUMBERS } from "../src/api/metrics/families.ts";
import { Receiver } from "./fixtures/receiver.ts";
import { said } from "./said.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided, linesOf, told } from "./sinks.ts";

const text = readFileSync(new URL("../docs/sinks.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, of, body = ""]) => ({ language, of, body }));
const [first = "", ...others] = blocks.filter(({ of }) => of === "sink").map(({ body }) => body);
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ body }) => body.split("\n").filter((line) => line !== ""));

let server: FreshServer;
let receiver: Receiver;
let folder: string;
beforeAll(async () => {
  receiver = await new Receiver().listen();
  folder = mkdtempSync(join(tmpdir(), "evenkeel-sinks-page-"));
  const key = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;
  const secrets = { events: key, events_old: key, warehouse: "mongodb://" };
  server = await freshServer({ secrets, egress: { allow: [`127.0.0.1:${receiver.port}`] } });
  await applied(server.admin, LENDING);
  await told(await server.as("outcomes"), await decided(await server.as("application"), "a", 3), "repaid");
});
afterAll(async () => {
  await server.drop();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});
/** Other people's servers are the test's own, and files don't wait. */
const here = (yaml: string) =>
  yaml
    .replaceAll(/http:\/\/\w+\.internal:\d+/g, `http://127.0.0.1:${receiver.port}`)
    .replace(/(kind: parquet)\n( {2}rows.*\n.*\n)?/, "$1\n  every_seconds: 1\n");

test("every block is one that is tried here", () => {
  expect(others).toHaveLength(5);
  expect(commands).toHaveLength(5);
});

test("its commands do what they say, in their order", async () => {
  writeFileSync(join(folder, "sink.yaml"), first);
  for (const command of commands) {
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "").slice(1);
    const done = await said([...words, "--data", server.folder], {}, folder);
    expect([command, done.code, done]).toEqual([command, 0, done]);
    expect(done.out + done.err).toContain("archive");
  }
  await caughtUp(server.admin, "archive");
});

test("its documents have the fields that are delivered", () => {
  for (const kind of ["decision", "outcome"] as const) {
    const shown: object = JSON.parse(blocks.find(({ of }) => of === kind)?.body ?? "{}");
    expect(Object.keys(shown)).toEqual(Object.keys(linesOf(server.folder, "archive", kind)[0] ?? {}));
  }
});

test.concurrent.for(others.map((yaml) => [/name: (\w+)/.exec(yaml)?.[1] ?? "", yaml]))(
  "its sink %s is declared, and delivers",
  async ([name = "", yaml = ""], { expect }) => {
    const admin = await server.as("admin", ["protected:read"]);
    const [change] = await applied(admin, here(yaml));
    expect(change).toMatchObject({ kind: "sink", name, change: "created" });
    // No database here, which the driver would look for during seconds (test/sinks-mongodb.test.ts): one look at such an address is enough.
    if (name === "warehouse") return expect(change?.note).toContain("the database: Protocol and host list are required");
    await decided(await server.as("application"), name, 2);
    const sink = await caughtUp(server.admin, name);
    expect(sink.delivered.decisions).toBeGreaterThan(1);
    if (sink.kind === "parquet") expect(readdirSync(join(server.folder, "sinks", name, "decisions"))).toEqual(["endpoint=loans"]);
    return expect((await server.admin.get<SinkView>(`/v1/sinks/${name}`)).lastError).toBeNull();
  },
);

test("it names every metric of sinks", () => {
  const named = [...text.matchAll(/`(evenkeel_[a-z_]+)`/g)].map(([, name = ""]) => name);
  expect(named.toSorted()).toEqual(
    Object.keys(NUMBERS)
      .filter((name) => name.startsWith("evenkeel_sink_"))
      .toSorted(),
  );
});
