/** Reports: made when somebody asks, and by schedule; those are kept as they were made. */
import { Type } from "typebox";
import type { Principal } from "../../access/index.ts";
import { checked, object } from "../../checked.ts";
import type { EndpointRoom } from "../../releases/index.ts";
import { asError, type BlobId, type EndpointName } from "../../std.ts";
import { canonicalJson } from "../../store/index.ts";
import { composeReport, type ReportParts } from "./compose-report.ts";
import { DAY_MS, type ReportPeriod } from "./period.ts";
import { reportPage } from "./page.ts";
import type { ReportView } from "./report-view.ts";

export interface KeptReport {
  readonly id: string;
  readonly schedule: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bytes: number;
  readonly madeAtMs: number;
}

/** For one reader: the data as it was then, and the page, byte for byte. */
export interface ReportText {
  readonly json: string;
  readonly page: string;
}

export interface ReportsParts extends ReportParts {
  /** Told of a scheduled report that couldn't be made; it is tried again. */
  readonly onTrouble: (error: Error) => void;
}

/** What is kept: for those who may see groups, and for others. */
const Text = object({ json: Type.String(), page: Type.String() });
const parseKept = checked(object({ withGroups: Text, withoutGroups: Text }));

const SCHEDULER = "the endpoint's schedule";
/** Whom the two texts of a kept report are made for. */
const WITHOUT_GROUPS: Principal = { tokenId: "report", name: "report", role: "viewer", endpoints: null, grants: [] };
const WITH_GROUPS: Principal = { ...WITHOUT_GROUPS, role: "analyst", grants: ["protected:read"] };

export class Reports {
  readonly #parts: ReportsParts;
  /** The period whose report each endpoint is known to have, so that the database isn't asked every minute. */
  readonly #made = new Map<EndpointName, string>();

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  compose(room: EndpointRoom, period: ReportPeriod, reader: Principal, madeBy: string): Promise<ReportView> {
    return composeReport(this.#parts, room, period, { reader, madeBy });
  }

  /** Kept reports of an endpoint, newest period first. */
  async list(endpoint: EndpointName): Promise<readonly KeptReport[]> {
    const rows = await this.#parts.store.db
      .selectFrom("report")
      .select(["id", "schedule", "from_ms", "to_ms", "bytes", "made_at_ms"])
      .where("endpoint", "=", endpoint)
      .orderBy("from_ms", "desc")
      .orderBy("schedule")
      .limit(1000)
      .execute();
    return rows.map((row) => ({
      id: row.id,
      schedule: row.schedule,
      fromMs: row.from_ms,
      toMs: row.to_ms,
      bytes: row.bytes,
      madeAtMs: row.made_at_ms,
    }));
  }

  /** A kept one, as a reader may see it. */
  async get(endpoint: EndpointName, id: string, seesGroups: boolean): Promise<ReportText | undefined> {
    const { store } = this.#parts;
    const row = await store.db.selectFrom("report").select("blob").where("endpoint", "=", endpoint).where("id", "=", id).executeTakeFirst();
    if (!row) return undefined;
    const kept = parseKept(JSON.parse((await store.blobs.get(asBlobId(row.blob))).toString("utf8")));
    if (!kept.ok) throw new Error(`report ${id} can't be read: ${JSON.stringify(kept.error)}`);
    return seesGroups ? kept.value.withGroups : kept.value.withoutGroups;
  }

  /** Makes the reports that are due: of the last period that is over, once. */
  async tick(): Promise<void> {
    const { releases, store } = this.#parts;
    const today = Math.floor(store.runtime.clock.nowMs() / DAY_MS);
    for (const room of releases.rooms()) {
      const { reports } = room.definition.spec;
      if (!reports) continue;
      const period = lastPeriod(reports.every, today);
      const due = `${reports.every} ${period.fromDay}`;
      if (this.#made.get(room.name) === due) continue;
      try {
        if (!(await this.#isKept(room.name, reports.every, period)) && (await this.#wasThere(room.name, period)))
          await this.#keep(room, reports.every, period);
        this.#made.set(room.name, due);
      } catch (error) {
        this.#parts.onTrouble(asError(error));
      }
    }
  }

  async #isKept(endpoint: EndpointName, schedule: string, { fromDay }: ReportPeriod): Promise<boolean> {
    const row = await this.#parts.store.db
      .selectFrom("report")
      .select("id")
      .where("endpoint", "=", endpoint)
      .where("schedule", "=", schedule)
      .where("from_ms", "=", fromDay * DAY_MS)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Of the time before there was an endpoint there is nothing to tell. */
  async #wasThere(endpoint: EndpointName, { toDay }: ReportPeriod): Promise<boolean> {
    const row = await this.#parts.store.db
      .selectFrom("transition")
      .select("generation")
      .where("endpoint", "=", endpoint)
      .where("at_ms", "<", toDay * DAY_MS)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  async #keep(room: EndpointRoom, schedule: string, period: ReportPeriod): Promise<void> {
    const { store, audit } = this.#parts;
    const text = async (reader: Principal): Promise<ReportText> => {
      const view = await this.compose(room, period, reader, SCHEDULER);
      return { json: canonicalJson(view), page: reportPage(view) };
    };
    const bytes = Buffer.from(
      canonicalJson({ withGroups: { ...(await text(WITH_GROUPS)) }, withoutGroups: { ...(await text(WITHOUT_GROUPS)) } }),
    );
    const blob = await store.blobs.put(bytes);
    const id = store.runtime.ids.next();
    await store.transaction(async (tx) => {
      await audit.lock(tx);
      const made = await tx
        .insertInto("report")
        .values({
          id,
          endpoint: room.name,
          schedule,
          from_ms: period.fromDay * DAY_MS,
          to_ms: period.toDay * DAY_MS,
          blob,
          bytes: bytes.length,
          made_at_ms: store.runtime.clock.nowMs(),
          made_by: SCHEDULER,
        })
        .onConflict((on) => on.columns(["endpoint", "schedule", "from_ms"]).doNothing())
        .returning("id")
        .executeTakeFirst();
      // Another server was quicker: its report is the one.
      if (made)
        await audit.append(tx, {
          actor: "reports",
          action: "report.made",
          object: `endpoint/${room.name}`,
          payload: { id, schedule, blob },
        });
    });
  }
}

/** The last whole week or month before a day. */
export function lastPeriod(every: "week" | "month", today: number): ReportPeriod {
  if (every === "week") {
    // Day 0, the first of 1970, was a Thursday.
    const monday = today - ((today + 3) % 7);
    return { fromDay: monday - 7, toDay: monday };
  }
  const date = new Date(today * DAY_MS);
  const first = (monthsAgo: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - monthsAgo, 1) / DAY_MS;
  return { fromDay: first(1), toDay: first(0) };
}

/** The column holds ids that were made before they were written. */
const asBlobId = (id: string): BlobId => id as BlobId;
