/** What the command line says to mistakes: one clear line (and their places), on standard error, with the exit code that its help tells. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint } from "../../test/lender.ts";
import { said, type Said } from "../../test/said.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-calls-"));
let server: FreshServer;
const tokens = new Map<string, string>();
beforeAll(async () => {
  server = await freshServer();
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  for (const role of ["operator", "viewer", "application"]) tokens.set(role, await server.token(role));
  const files: Readonly<Record<string, string | Buffer>> = {
    "typo.yaml": "kind: endpoint\nname: flats\nguardrils: []\n",
    "broken.yaml": "kind: endpoint\nname: [flats\n",
    "expression.yaml": `kind: release\nendpoint: loans\nscorer: { kind: rules, rules: [{ when: incom > 1.0, score: 1 }], otherwise: { score: 0 } }\npolicy: { bands: [{ action: deny, from: 0 }] }\n`,
    "gap.yaml": "bands: [{ action: deny, from: 0, to: 0.4 }, { action: approve, from: 0.5 }]\n",
    "policy.yaml": "bands: [{ action: deny, from: 0 }\n",
    "broken.json": '{"inputs": {"income": 40}',
    "wrong.json": '{"inputs": {"incme": 40, "education": "university"}}',
    "model.pkl": Buffer.from("\x80\x04\x95\x1e\0\0\0\0\0\0\0.", "latin1"),
    "data.csv": "id,sex\n1,f\n1\n",
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.drop();
});

/** In this process, with what is said kept. */
const saidTo = (words: string, role?: string): Promise<Said> =>
  said(words.split(" "), role ? { EVENKEEL_URL: server.url, EVENKEEL_TOKEN: tokens.get(role) ?? role } : {}, folder);

/** What is called, by whom, the exit code, and what must be said. */
const CALLS: readonly (readonly [words: string, role: string | undefined, code: number, says: RegExp])[] = [
  ["aply -f typo.yaml", undefined, 2, /no verb "aply"; did you mean "apply"\?/],
  ["apply --fil typo.yaml", "operator", 2, /--fil/],
  ["apply", "operator", 2, /which file\?/],
  ["apply -f typo.yaml", "operator", 1, /line 3, column 1 \(\/guardrils\).*did you mean "guardrails"\?/],
  ["apply -f broken.yaml", "operator", 1, /line 3, column 1: expected valid YAML/],
  ["apply -f expression.yaml", "operator", 1, /line 3, column 40 .*did you mean income\?/],
  ["apply -f nowhere.yaml", "operator", 1, /nowhere\.yaml can't be read: there is no such file/],
  ["apply -f .", "operator", 1, /\. can't be read: it is a folder/],
  ["apply -f typo.yaml", "viewer", 1, /lacks the right apply, which operator, admin can have/],
  ["apply -f typo.yaml", "ek_viewer_nonsense", 1, /The token is unknown, expired, revoked or mistyped/],
  ["apply -f typo.yaml --url http://127.0.0.1:9", undefined, 1, /no answer from http:\/\/127\.0\.0\.1:9/],
  ["apply -f typo.yaml --url nonsense", undefined, 2, /--url takes http/],
  ["deploy loans --model credit/1 --policy policy.yaml", "operator", 1, /policy\.yaml is no YAML:\s+line 2, column 1/],
  ["deploy loans --release r1 --as canary:150% --reason x", "operator", 2, /canary/],
  ["deploy lones --release r1", "operator", 1, /There is no endpoint lones/],
  ["rollback loans", "operator", 2, /--reason/],
  ["models register model.pkl --name credit", "operator", 1, /pickle.*ONNX/s],
  ["data add data.csv --dataset people", "operator", 1, /line 3/],
  ["decide loans --file broken.json", "application", 1, /broken\.json is no JSON/],
  ["decide loans --file wrong.json", "application", 1, /\/inputs\/incme: .*did you mean "income"\?/],
  ["up --port 99999", undefined, 2, /--port/],
];

/** Of an error that nobody meant to show. */
const STACK = /^\s+at |node:internal|\[cause\]/m;

test.each(CALLS)("evenkeel %s (%s) ends with %i and says what to do", async (words, role, code, says) => {
  const done = await saidTo(words, role);
  expect(done).toEqual({ code, out: "", err: expect.stringMatching(says) });
  expect(done.err).not.toMatch(STACK);
  expect(done.err.split("\n")[0]?.length).toBeLessThan(300);
});

test("the process itself ends as its call does, and says it on standard error", async () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "aply"], {
    cwd: folder,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect({ code: await ended, out, err }).toEqual({ code: 2, out: "", err: expect.stringContaining('did you mean "apply"?') });
  expect(err).not.toMatch(STACK);
});
