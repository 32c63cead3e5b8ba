/** What README.md and docs/guide.md show is tried here: their commands are run in order, their YAML and JSON go through the server's own checks. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { ChangeView, ReleaseView } from "../src/api/index.ts";
import { parsePipeline } from "../src/pipelines/index.ts";
import { parsePlan } from "../src/releases/rollout-plan.ts";
import { said } from "./said.ts";
import { freshServer } from "./server.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DOCUMENTS = ["README.md", "docs/guide.md", "docs/pipelines.md"] as const;

/** A part of a release's YAML. */
const asRollout = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "rollout" in value ? value.rollout : undefined;

interface Block {
  readonly language: string;
  /** The word after the language: what the block is an example of. */
  readonly of: string;
  readonly text: string;
}

function blocksIn(document: string): readonly Block[] {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language = "", of = "", block = ""]) => ({
    language,
    of,
    text: block,
  }));
}

/** Words of a line as a shell splits them, without its comment. */
const wordsOf = (line: string) =>
  [...line.replace(/\s+#.*$/, "").matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

/** What a test can't do: start servers for good, install, and what is tried by `npm run demo`. */
const isForPeople = (line: string) => /^(npm |npx evenkeel|alias |#|$)/.test(line) || / up\b/.test(line);

test.each(DOCUMENTS)("the commands of %s do what they say, in their order", { timeout: 120_000 }, async (document) => {
  const lines = blocksIn(document)
    .filter(({ language, of }) => language === "sh" && of === "")
    .flatMap(({ text }) => text.split("\n"))
    .filter((line) => !isForPeople(line));
  expect(lines.length).toBeGreaterThan(5);
  const server = await freshServer();
  const tour = mkdtempSync(join(tmpdir(), "evenkeel-tour-"));
  try {
    const variables = new Map<string, string>();
    for (const line of lines) {
      const [, variable, inner] = /^(\w+)=\$\((.*)\)$/.exec(line) ?? [];
      const words = wordsOf(inner ?? line).map((word) =>
        word.replace(/^tour\b/, tour).replace(/^\$(\w+)$/, (_, name: string) => variables.get(name) ?? ""),
      );
      const ran = await run(words, server.folder);
      // 3: done, and something needs a person.
      expect(ran.code, `${line}\n${ran.err}`).toBeOneOf([0, 3]);
      // As a shell does: without the newline at the end.
      if (variable !== undefined) variables.set(variable, ran.out.trimEnd());
    }
  } finally {
    await server.drop();
    rmSync(tour, { recursive: true, force: true });
  }
});

async function run([program = "", ...argv]: readonly string[], data: string) {
  if (program === "npx") return { code: 0, out: execFileSync(process.execPath, argv.slice(1), { cwd: ROOT, encoding: "utf8" }), err: "" };
  expect(program).toBe("evenkeel");
  return said(argv, { EVENKEEL_DATA: data }, ROOT);
}

test("the YAML and JSON of the guide is what the server takes", async () => {
  const blocks = DOCUMENTS.flatMap(blocksIn);
  const all = (language: string, of: string) =>
    blocks.filter((block) => block.language === language && block.of === of).map(({ text }) => text);
  const [endpoint = ""] = all("yaml", "");
  const [release = ""] = all("yaml", "release");
  const server = await freshServer();
  try {
    const applied = await server.admin.post<{ readonly changes: readonly ChangeView[] }>("/v1/apply", {
      yaml: `${endpoint}---\n${release}`,
    });
    expect(applied.changes.map(({ kind, change }) => [kind, change])).toEqual([
      ["endpoint", "created"],
      ["release", "created"],
    ]);
    for (const text of all("yaml", "rollout")) {
      const guardrails = ["approval-parity"];
      expect(parsePlan(asRollout(parse(text)), guardrails, false)).toMatchObject({ ok: true });
    }
    for (const text of all("yaml", "pipeline")) expect(parsePipeline(text)).toMatchObject({ ok: true });
    const application = await server.as("application");
    for (const text of all("json", "decision"))
      expect(await application.post("/v1/endpoints/loans/decisions", JSON.parse(text))).toMatchObject({ action: "approve", route: "live" });
    for (const text of all("json", "outcomes")) {
      const outcomes = await server.as("outcomes");
      expect(await outcomes.post("/v1/endpoints/loans/outcomes", JSON.parse(text))).toMatchObject({ recorded: 0 });
    }
    for (const text of all("json", "feature-set"))
      expect(await server.admin.post("/v1/feature-sets", JSON.parse(text))).toMatchObject({ number: 1 });
    for (const text of all("json", "policy")) {
      const scorer = { kind: "rules", rules: [], otherwise: { score: 0.6 } };
      const made = await server.admin.post<ReleaseView>("/v1/endpoints/loans/releases", { scorer, policy: JSON.parse(text) });
      expect(made.policy).toEqual(JSON.parse(text));
    }
    const tried = ["release", "rollout", "pipeline", "decision", "outcomes", "feature-set", "policy", ""];
    expect(blocks.filter(({ language, of }) => language !== "sh" && language !== "text" && !tried.includes(of))).toEqual([]);
    expect(all("yaml", "")).toHaveLength(1);
  } finally {
    await server.drop();
  }
});

test("every link of the documents leads to a file, and every anchor to a heading", () => {
  const anchorsOf = (text: string) =>
    new Set(
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      ),
    );
  for (const document of [...DOCUMENTS, "docs/api.md", "docs/scorers.md", "CONTRIBUTING.md"]) {
    const text = readFileSync(join(ROOT, document), "utf8");
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const file = path === "" ? join(ROOT, document) : join(ROOT, dirname(document), path);
      expect({ document, link, isThere: existsSync(file) }).toEqual({ document, link, isThere: true });
      if (anchor !== undefined)
        expect({ document, link, hasHeading: anchorsOf(readFileSync(file, "utf8")).has(anchor) }).toMatchObject({ hasHeading: true });
    }
  }
});
