import { expect, test } from "vitest";
import { decisionRecord } from "../../test/decisions.ts";
import { describePostgres, freshDatabase, freshPostgresStore } from "../../test/postgres.ts";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { openStore, simulatedRuntime, systemRuntime } from "../store/index.ts";
import { describeBins } from "./bins.suite.ts";
import { DecisionLog } from "./decision-log.ts";
import { recount } from "./recount.ts";

describePostgres("counts by bin on PostgreSQL", () => {
  describeBins(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshPostgresStore(runtime)), runtime };
  });

  test("what a gateway that is gone hadn't counted is counted by the next that comes, while others go on", async () => {
    const database = await freshDatabase();
    const { store: folders, drop } = await freshSqliteStore();
    const runtime = systemRuntime();
    const open = () => openStore({ folder: folders.folder, postgresUrl: database.url }, runtime);
    const [gone, stays] = [await open(), await open()];
    const [left, stayed] = [await DecisionLog.open(gone), await DecisionLog.open(stays)];
    const ask = (log: DecisionLog) => Promise.all(Array.from({ length: 30 }, () => log.append(decisionRecord(runtime))));
    await Promise.all([ask(left), ask(stayed)]);
    await gone.close(); // without a word to its log
    const next = await open();
    const log = await DecisionLog.open(next);
    await Promise.all([ask(log), ask(stayed)]);
    await log.close();
    await stayed.close();
    expect(await recount(next)).toMatchObject({ ok: true, differences: [] });
    const total = await next.db
      .selectFrom("latency_total")
      .select((eb) => eb.fn.sum<number>("count").as("count"))
      .executeTakeFirstOrThrow();
    expect(total.count).toBe(120);
    await Promise.all([stays.close(), next.close()]);
    await drop();
    await database.drop();
  });
});
