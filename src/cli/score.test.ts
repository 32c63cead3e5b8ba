import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { educationEndpoint, protocolServer, vectorEndpoint, type ProtocolServer } from "../../test/protocol-server.ts";
import { said } from "../../test/said.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let server: ProtocolServer;
let folder: string;
beforeAll(async () => {
  server = await protocolServer(vectorEndpoint, educationEndpoint, { ...vectorEndpoint, name: "many" });
});
afterAll(() => server.drop());
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "evenkeel-score-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const argvOf = (args: readonly string[], token = server.tokens.application) => ["score", ...args, "--url", server.url, "--token", token];
/** A process of its own, that can be killed. */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...argvOf(args)], { cwd: folder });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (err += chunk.toString()));
  const ended = new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((done) =>
    child.on("close", (code) => done({ code, out, err })),
  );
  return { child, ended };
}
const run = (args: readonly string[], token?: string) => said(argvOf(args, token), {}, folder);
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const answers = (name: string) =>
  readFileSync(join(folder, name), "utf8")
    .trimEnd()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line));
const idsOf = async (endpoint: string) => {
  const analyst = await server.as("analyst");
  const ids: string[] = [];
  for (let after: number | null | undefined; after !== null;) {
    const query: Record<string, number> = after === undefined ? { limit: 1000 } : { limit: 1000, after };
    const page = await analyst.get<{ readonly decisions: readonly { readonly id: string }[]; readonly next: number | null }>(
      `/v1/endpoints/${endpoint}/decisions`,
      query,
    );
    ids.push(...page.decisions.map(({ id }) => id));
    after = page.next;
  }
  return ids;
};

describe("scoring a file", () => {
  test("CSV is typed by the endpoint's inputs, and each row has its answer with its line", async () => {
    write("people.csv", 'income,debt,sex,subject,note\n52000,0.31,f,"p, 1",x\n1e3,.62,m,p2,"two\nlines"\n7,0.1,,p3,\n');
    const { code, out } = await run(["loans", "--in", "people.csv", "--drop", "note"]);
    expect([code, out]).toEqual([0, expect.stringContaining("3 rows in")]);
    expect(answers("people.answers.ndjson")).toMatchObject([
      { row: 1, line: 2, action: "approve", score: 0.88, release: "r1" },
      { row: 2, line: 3, action: "refer" },
      { row: 3, line: 5, action: "approve" },
    ]);
    expect((await server.recorded()).slice(-3).map(({ request }) => request)).toEqual([
      { subject: "p, 1", inputs: { income: 52000, debt: 0.31 }, groups: { sex: "f" } },
      { subject: "p2", inputs: { income: 1000, debt: 0.62 }, groups: { sex: "m" } },
      { subject: "p3", inputs: { income: 7, debt: 0.1 }, groups: { sex: null } },
    ]);
    expect(existsSync(join(folder, "people.answers.ndjson.journal"))).toBe(false);
  });

  test("a group with the name of an input has a column of its own", async () => {
    write("people.csv", "income,education,group_education\n1,high school,university\n");
    expect((await run(["schooling", "--in", "people.csv"])).code).toBe(0);
    expect((await server.recorded("schooling")).at(-1)?.request).toEqual({
      inputs: { income: 1, education: "high school" },
      groups: { education: "university" },
    });
  });

  test("NDJSON lines are bodies of decisions; empty lines are passed over, the last needs no newline", async () => {
    const line = (income: number) => JSON.stringify({ inputs: { income, debt: 0.1 } });
    write("people.ndjson", `${line(1)}\n\n${line(2)}`);
    const { code, out } = await run(["loans", "--in", "people.ndjson", "--out", "a.ndjson", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ endpoint: "loans", rows: 2, skipped: 0, actions: { approve: 2 } });
    expect(answers("a.ndjson")).toMatchObject([
      { row: 1, line: 1 },
      { row: 2, line: 3 },
    ]);
  });

  test("one clear line tells a bad row and its line; with --skip-bad the others are decided", async () => {
    write("people.csv", "income,debt\n1,0.1\n2,0.2\n3,high\n4,0.4\n");
    const stopped = await run(["loans", "--in", "people.csv", "--batch", "2"]);
    expect(stopped.code).toBe(1);
    expect(stopped.err.split("\n")[0]).toBe('people.csv:4: inputs/debt: expected a number, got "high"');
    expect(answers("people.answers.ndjson")).toHaveLength(2);
    const passed = await run(["loans", "--in", "people.csv", "--batch", "2", "--skip-bad"]);
    expect([passed.code, passed.err]).toEqual([3, "going on after 2 rows\n"]);
    expect(answers("people.answers.ndjson")).toMatchObject([
      { row: 1, action: "approve" },
      { row: 2, action: "approve" },
      { row: 3, line: 4, error: 'inputs/debt: expected a number, got "high"' },
      { row: 4, action: "approve" },
    ]);
  });

  test("what can't be read is told with its place", async () => {
    const faults: readonly (readonly [name: string, text: string | null, wording: RegExp])[] = [
      ["unknown.csv", "income,debt,zip\n1,0.1,2\n", /^unknown\.csv:1: column "zip": expected one of .*--drop zip/],
      ["lacking.csv", "income\n1\n", /^lacking\.csv:1: expected a column "debt"/],
      ["quote.csv", 'income,debt\n1,"0.1\n', /^quote\.csv:2: /],
      ["json.ndjson", '{"inputs":{"income":1,"debt":1}}\n{"inputs"\n', /^json\.ndjson:2: expected JSON/],
      ["missing.csv", null, /there is no file missing\.csv/],
    ];
    const told = faults.map(async ([name, text, wording]) => {
      if (text !== null) write(name, text);
      const { code, err } = await run(["loans", "--in", name]);
      expect(err).toMatch(wording);
      expect(code).toBe(1);
    });
    await Promise.all(told);
  });
});

describe("a job that was stopped", () => {
  const ROWS = 3000;
  const people = () => `income,debt\n${Array.from({ length: ROWS }, (_, i) => `${i},${(i % 100) / 100}`).join("\n")}\n`;
  const args = ["many", "--in", "people.csv", "--batch", "40"];

  test("killed at any moment it goes on where it was: every row has one answer, and is decided about once", async () => {
    write("people.csv", people());
    let kills = 0;
    for (; kills < 4; kills++) {
      const { child, ended } = start(args);
      const before = doneRows();
      while (doneRows() < before + 200 && child.exitCode === null) await sleep(2);
      child.kill("SIGKILL");
      await ended;
      // What was cut in the middle of a line is no answer.
      if (kills === 1) appendFileSync(join(folder, "people.answers.ndjson"), '{"row":99999,"li');
    }
    expect(doneRows()).toBeGreaterThan(0);
    const { code, err } = await start(args).ended;
    expect([code, err]).toEqual([0, expect.stringMatching(/^going on after [\d,]+ rows/)]);
    const all = answers("people.answers.ndjson");
    expect(all.map(({ row }) => row)).toEqual(Array.from({ length: ROWS }, (_, i) => i + 1));
    const recorded = await idsOf("many");
    expect(new Set(recorded)).toEqual(new Set(all.map(({ id }) => id)));
    expect(recorded).toHaveLength(ROWS);
  });

  const doneRows = (): number => {
    try {
      return JSON.parse(readFileSync(join(folder, "people.answers.ndjson.journal"), "utf8")).rows;
    } catch {
      return 0;
    }
  };

  test("does not go on with another input, another token or answers that are in the way", async () => {
    write("people.csv", "income,debt\n1,0.1\n2,high\n");
    expect((await run(["loans", "--in", "people.csv", "--batch", "1"])).code).toBe(1);
    const [otherToken, otherEndpoint] = await Promise.all([
      run(["loans", "--in", "people.csv"], server.tokens.operator),
      run(["schooling", "--in", "people.csv", "--drop", "debt"]),
    ]);
    expect(otherToken.err).toContain("another token");
    expect(otherEndpoint.code).toBe(1);
    write("people.csv", "income,debt\n1,0.1\n2,0.2\n");
    expect((await run(["loans", "--in", "people.csv"])).err).toContain("not what this job began with");
    rmSync(join(folder, "people.answers.ndjson.journal"));
    expect((await run(["loans", "--in", "people.csv"])).err).toContain("is there already");
  });
});
