/** Sinks of files, on the whole product: in through the API, out as lines, once each whatever dies. */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { EvenkeelClient } from "../src/client.ts";
import { freshServer } from "./server.ts";
import { LENDING, applied, caughtUp, caughtUpAgain, decided, linesOf, told, tokenFor } from "./sinks.ts";
import { ServerProcess, endLeftovers } from "./torture/server-process.ts";

afterAll(endLeftovers);

const SINK = "kind: sink\nname: archive\nendpoints: [loans]\ntarget: { kind: ndjson }\n";

test.concurrent("every decision and every outcome, corrections too, becomes one line, in the log's order and without anything personal", async () => {
  const server = await freshServer();
  try {
    expect(await applied(server.admin, `${LENDING}---\n${SINK}`)).toMatchObject([
      { kind: "endpoint" },
      { kind: "sink", change: "created" },
    ]);
    const ids = await decided(await server.as("application"), "a", 25);
    const outcomes = await server.as("outcomes");
    await told(outcomes, ids.slice(0, 10), "repaid");
    await told(outcomes, ids.slice(0, 1), "defaulted");
    const sink = await caughtUp(server.admin, "archive");
    expect(sink).toMatchObject({ state: "running", delivered: { decisions: 25, outcomes: 11 }, failures: 0, lastError: null });
    const lines = linesOf(server.folder, "archive", "decision");
    expect(lines.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, i) => i + 1));
    expect(lines[0]).toMatchObject({ kind: "decision", endpoint: "loans", release: "r1", route: "live", isCounted: true });
    const corrections = linesOf(server.folder, "archive", "outcome").filter(({ isCorrection }) => isCorrection);
    expect(corrections).toMatchObject([{ decision: ids[0], value: "defaulted", good: false }]);
    expect(JSON.stringify(lines)).not.toMatch(/university|high_school|income"|"a-\d/);
    expect(await applied(server.admin, SINK)).toMatchObject([{ change: "unchanged" }]);
  } finally {
    await server.drop();
  }
});

test.concurrent("killed at random moments while it delivers, each line is there once and in order", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-sinks-"));
  try {
    const acknowledged: string[] = [];
    let token = "";
    for (let round = 0; round < 2; round++) {
      const server = await ServerProcess.start({ folder });
      if (round === 0) {
        await applied(server.control, LENDING);
        await applied(server.control, "kind: sink\nname: archive\ntarget: { kind: ndjson, max_bytes: 20000 }\n");
        token = await tokenFor(server.control, "application");
      }
      const client = new EvenkeelClient({ url: server.url, token });
      let isKilled = false;
      const load = (async () => {
        for (let batch = 0; !isKilled; batch++) {
          const ids = await decided(client, `r${round}`, 40, batch * 40).catch(() => []);
          acknowledged.push(...ids);
        }
      })();
      // After the first look, so that it delivers; where in that, chance says.
      await new Promise((resolve) => setTimeout(resolve, 550 + randomInt(500)));
      isKilled = true;
      await server.kill();
      await load;
      await client.close();
    }
    await caughtUpAgain(folder, "archive");
    const lines = linesOf(folder, "archive", "decision");
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, i) => i + 1));
    const delivered = new Set(lines.map(({ id }) => id));
    expect(acknowledged.filter((id) => !delivered.has(id))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(100);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
