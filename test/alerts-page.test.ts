/** What docs/alerts.md shows is tried here: its YAML is declared, its commands run, its document has the fields that are sent. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { BLIND, entry } from "./fixtures/notices.ts";
import { GuardrailSpec } from "../src/monitoring/index.ts";
import { documentOf } from "../src/monitoring/alerts/words.ts";
import { checked } from "../src/checked.ts";
import { said } from "./said.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied } from "./sinks.ts";

const text = readFileSync(new URL("../docs/alerts.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, of, body = ""]) => ({ language, of, body }));
const bodiesOf = (of: string) => blocks.filter((block) => block.of === of).map(({ body }) => body);
const commands = blocks
  .filter(({ language }) => language === "sh")
  .flatMap(({ body }) => body.split("\n"))
  .map((line) => line.replace(/\s+#.*$/, ""))
  .filter((line) => line !== "");

let server: FreshServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-alerts-page-"));
  // Addresses that nothing here may call: what is declared is never told.
  server = await freshServer({ secrets: { chat: "https://hooks.slack.com/services/x", pager: "0".repeat(32) } });
  await applied(server.admin, LENDING);
});
afterAll(async () => {
  await server.drop();
  rmSync(folder, { recursive: true, force: true });
});

test("its YAML is taken, and a second time changes nothing", async () => {
  const [yaml = ""] = bodiesOf("alerts");
  expect((await applied(server.admin, yaml)).map(({ change }) => change)).toEqual(["created", "created", "created", "created"]);
  expect((await applied(server.admin, yaml)).map(({ change }) => change)).toEqual(["unchanged", "unchanged", "unchanged", "unchanged"]);
  const [guardrail = ""] = bodiesOf("guardrail");
  expect(checked(GuardrailSpec)(parse(guardrail))).toMatchObject({ ok: true });
});

test("its commands are ones that the command line has", async () => {
  const [yaml = ""] = bodiesOf("alerts");
  writeFileSync(join(folder, "alerts.yaml"), yaml);
  expect(commands.length).toBeGreaterThan(8);
  for (const line of commands) {
    // The test of channels would go out.
    if (line === "evenkeel alerts test") continue;
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
    const ran = await said(words.slice(1), { EVENKEEL_DATA: server.folder }, folder);
    // 1: there is no incident 7 here, no such silence, and the channel is in use.
    expect(ran.code, `${line}\n${ran.err}`).toBeOneOf([0, 1]);
    if (ran.code === 1) expect(line).toMatch(/ 7( |$)|unsilence|remove/);
  }
});

test("its document has the fields that a webhook is sent", () => {
  const [json = ""] = bodiesOf("webhook");
  const shown = JSON.parse(json) as { readonly data: { readonly alerts: readonly object[] } };
  expect(Object.keys(shown.data.alerts[0] ?? {})).toEqual(Object.keys(documentOf(entry(), BLIND)));
});
