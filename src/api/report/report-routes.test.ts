import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { protocolServer, type ProtocolServer } from "../../../test/protocol-server.ts";
import { said } from "../../../test/said.ts";
import { problemOf } from "../../../test/server.ts";
import type { ReportView } from "./report-view.ts";

let server: ProtocolServer;
let folder: string;
beforeAll(async () => {
  server = await protocolServer();
  folder = mkdtempSync(join(tmpdir(), "evenkeel-report-"));
  for (const sex of ["f", "m", "f", "m", "f"])
    await server.send(
      "POST",
      "/v1/endpoints/loans/decisions",
      JSON.stringify({ inputs: { income: 1000, debt: sex === "f" ? 0.9 : 0.1 }, groups: { sex } }),
      { "content-type": "application/json" },
    );
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.drop();
});

const evenkeel = (...words: string[]) => said(words, { EVENKEEL_DATA: server.folder }, folder);

test("the data and the page come by route, the page with a policy that lets it do nothing", async () => {
  const analyst = await server.as("analyst", ["protected:read"]);
  const report = await analyst.get<ReportView>("/v1/endpoints/loans/report");
  expect(report).toMatchObject({ endpoint: "loans", decisions: { total: 5, favourable: { favourable: 2 } }, showsGroups: true });
  const token = await server.token("analyst", { grants: ["protected:read"] });
  const page = await fetch(`${server.url}/v1/endpoints/loans/report/page`, { headers: { authorization: `Bearer ${token}` } });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'$/);
  expect(await page.text()).toContain("5 decisions that people received");
});

test("what isn't a period or a kept report is refused with its place", async () => {
  const viewer = await server.as("viewer");
  const issueOf = async (query: Record<string, string>) => {
    const { status, errors } = await problemOf(viewer.get("/v1/endpoints/loans/report", query));
    return [status, errors?.[0]?.path];
  };
  expect(await issueOf({ from: "2026-02-30" })).toEqual([400, "/from"]);
  expect(await issueOf({ form: "2026-02-01" })).toEqual([400, "/form"]);
  expect(await issueOf({ id: "x", to: "2026-02-01" })).toEqual([400, "/id"]);
  expect(await issueOf({ id: "x" })).toEqual([404, undefined]);
});

test("the verb writes one file, whole, and never over another one unless it is told to", async () => {
  const written = await evenkeel("report", "loans", "--out", "a.html");
  expect(written).toMatchObject({ code: 0, out: expect.stringContaining("a.html: 5 decisions") });
  const first = readFileSync(join(folder, "a.html"), "utf8");
  expect(first.endsWith("</html>\n")).toBe(true);
  expect(await evenkeel("report", "loans", "--out", "a.html")).toMatchObject({ code: 1, err: expect.stringContaining("--force") });
  expect(readFileSync(join(folder, "a.html"), "utf8")).toBe(first);
  expect(await evenkeel("report", "loans", "--out", "a.html", "--force")).toMatchObject({ code: 0 });
  expect(await evenkeel("report", "loans", "--out", "nowhere/a.html")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no such folder"),
  });
  expect(await evenkeel("report", "loans")).toMatchObject({ code: 0 });
  expect(readdirSync(folder).toSorted()).toEqual([
    "a.html",
    expect.stringMatching(/^report-loans-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d[.]html$/),
  ]);
});

test("the verb says what it lacks, and what is kept", async () => {
  expect(await evenkeel("report")).toMatchObject({ code: 2 });
  expect(await evenkeel("report", "get", "loans")).toMatchObject({ code: 2 });
  expect(await evenkeel("report", "get", "loans", "x", "--from", "2026-01-01")).toMatchObject({ code: 2 });
  expect(await evenkeel("report", "nowhere", "--out", "b.html")).toMatchObject({ code: 1 });
  expect(await evenkeel("report", "ls", "loans")).toMatchObject({ code: 0, out: expect.stringContaining("reports: { every: month }") });
  expect(JSON.parse((await evenkeel("report", "loans", "--json")).out)).toMatchObject({ endpoint: "loans" });
  expect(existsSync(join(folder, "b.html"))).toBe(false);
});
