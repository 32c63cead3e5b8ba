import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ODD_MODELS } from "../../test/fixtures/odd-models.ts";
import type { Issue } from "../std.ts";
import { inspectApart } from "./inspect-apart.ts";
import { scoreCall } from "./onnx-call.ts";
import { tryModel } from "./try-model.ts";

let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "evenkeel-odd-"))));
afterAll(() => rm(folder, { recursive: true }));

/** As a model is taken in: read, then tried. */
async function troublesOf(path: string): Promise<readonly Issue[]> {
  const inspected = await inspectApart({ model: { path }, beside: new Map() });
  if (!inspected.ok) return inspected.error;
  const form = { width: 1 };
  const call = scoreCall(inspected.value, form, {});
  if (!call.ok) return call.error;
  const tried = await tryModel({ files: { model: { path } }, form, wanted: {}, call: call.value, examples: null, timeoutMs: 20_000 });
  return tried.ok ? [] : tried.error;
}

// The heavy ones are for `npm run torture` (F18).
test.each(ODD_MODELS.filter(({ isHeavy }) => !isHeavy))("$what is refused, in words", { timeout: 60_000 }, async ({ what, bytes }) => {
  const path = join(folder, what.replaceAll(/\W/g, "-"));
  await writeFile(path, bytes());
  const [issue] = await troublesOf(path);
  expect(issue).toMatchObject({ expected: expect.stringMatching(/\w/), got: expect.stringMatching(/\w/) });
  expect(JSON.stringify(issue)).not.toContain(folder);
});
