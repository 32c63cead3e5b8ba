/** The table of days comes into a database that has a log already: run by the tests beside it on each database. */
import { expect, test } from "vitest";
import { DecisionLog, readDays, recount } from "../src/decisions/index.ts";
import { migrations } from "../src/store/migrations/index.ts";
import { decisionRecord, releaseId, shadowAnswer } from "./decisions.ts";
import type { FreshStore } from "./sqlite.ts";

/** @param open - gives an empty store */
export function describeOldLog(open: () => Promise<FreshStore>): void {
  test("a log from before days were counted is counted when the table comes", async () => {
    const { store, drop } = await open();
    const log = await DecisionLog.open(store);
    for (const arm of ["live", "canary", "pinned"] as const) await log.append(decisionRecord(store.runtime, { arm }));
    const { id } = decisionRecord(store.runtime);
    await log.append(decisionRecord(store.runtime, { id }));
    log.appendShadow(shadowAnswer(store.runtime, id));
    log.appendShadow(shadowAnswer(store.runtime, id, { release: releaseId("e"), because: "model_error" }));
    await log.flush();
    await store.db.schema.dropTable("tally_day").execute();
    for (const table of ["openlineage_export", "model_protected_alias"]) await store.db.schema.dropTable(table).execute();
    await migrations["0007-lineage"]?.up(store.db);
    const days = await readDays(store.db, [releaseId("a"), releaseId("e"), releaseId("f")]);
    expect(days.map(({ arm, decisions }) => `${arm} ${decisions}`).toSorted()).toEqual(["canary 1", "live 2", "pinned 1", "shadow 1"]);
    await log.append(decisionRecord(store.runtime));
    expect(await recount(store)).toMatchObject({ ok: true, differences: [] });
    await log.close();
    await drop();
  });
}
