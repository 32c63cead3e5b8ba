/**
 * `npm run docs:api`: writes docs/api.md from the description of the API that the running code gives.
 * `-- --check` only says whether it is up to date.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rolesWith, rights, type Right } from "../src/access/index.ts";
import { PROBLEMS, Problem } from "../src/api/problem.ts";
import { startApp } from "../src/app.ts";
import { markdownOf, type Described, type Schema } from "./api-markdown.ts";
import { ROOT } from "./programs.ts";

const { values } = parseArgs({ options: { check: { type: "boolean" } } });
const FILE = join(ROOT, "docs/api.md");

const folder = mkdtempSync(join(tmpdir(), "evenkeel-docs-"));
const app = await startApp({ folder, port: 0 });
const described = asDescribed(await (await fetch(`${app.url}/openapi.json`)).json());
await app.stop();
rmSync(folder, { recursive: true, force: true });

const text = markdownOf(described, {
  rolesWith: (right) => (isRight(right) ? rolesWith(right) : []),
  problem: asSchema(Problem),
  problems: PROBLEMS,
});
const count = Object.values(described.paths).flatMap((path) => Object.keys(path)).length;
if (values.check) {
  const isSame = readFileSync(FILE, "utf8") === text;
  console.log(isSame ? `docs/api.md describes all ${count} routes` : "docs/api.md is out of date: npm run docs:api");
  process.exitCode = isSame ? 0 : 1;
} else {
  writeFileSync(FILE, text);
  console.log(`docs/api.md: ${count} routes`);
}

function isRight(right: string): right is Right {
  return rights.some((one) => one === right);
}
/** OpenAPI 3.1, as @fastify/swagger writes it. */
function asDescribed(value: unknown): Described {
  return value as Described;
}
/** TypeBox's schemas are JSON Schema. */
function asSchema(value: unknown): Schema {
  return value as Schema;
}
