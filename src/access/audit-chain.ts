/**
 * The hash chain of the audit log, pure. With `h₀` = 32 zero bytes, entry `i` has
 *
 *     hᵢ = SHA-256(hᵢ₋₁ ‖ SHA-256(JCS(entryᵢ)) ‖ SHA-256(saltᵢ ‖ JCS(payloadᵢ)))
 *
 * Payload and salt may be erased later, since their hash stays. Whoever can write the whole file can also rewrite the whole chain, or
 * cut its tail: only a head that was kept elsewhere tells.
 */
import { createHash } from "node:crypto";
import { Type } from "typebox";
import { checked } from "../checked.ts";

/** What every entry says for ever; personal parts belong into the payload. */
export interface AuditEntry {
  readonly seq: number;
  readonly action: string;
  readonly actor: string;
  readonly object: string;
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
}

/** An entry as it lies in the table: canonical JSON texts, hashes and salt in hex. */
export interface AuditRow {
  readonly seq: number;
  readonly entry_json: string;
  readonly salt: string | null;
  readonly payload_json: string | null;
  readonly payload_hash: string;
  readonly hash: string;
}

/** The last entry somebody saw. Written `SEQ:HASH`. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

export interface AuditProblem {
  /** The entry that is named. */
  readonly seq: number;
  readonly kind: "changed" | "payload-changed" | "payload-gone" | "missing" | "moved" | "cut" | "other-history";
  readonly message: string;
}

/** What the whole chain looks like. `problems` are in the order of the log; past twenty no more are listed. */
export type AuditVerdict =
  | { readonly ok: true; readonly entries: number; readonly erased: number; readonly head: AuditHead | null }
  | {
      readonly ok: false;
      readonly entries: number;
      readonly erased: number;
      readonly head: AuditHead | null;
      readonly problems: readonly AuditProblem[];
    };

/** The hash before the first entry. */
export const GENESIS = "00".repeat(32);
/** The action of the entry that says that another entry's payload was erased; its object is `audit/SEQ`. */
export const ERASED = "audit.erased";
const PROBLEMS_KEPT = 20;

/** @param salt - 16 bytes as hex */
export function payloadHash(salt: string, payloadJson: string): string {
  return createHash("sha256").update(Buffer.from(salt, "hex")).update(payloadJson).digest("hex");
}

export function chainHash(link: { readonly previous: string; readonly entryJson: string; readonly payloadHash: string }): string {
  const entryHash = createHash("sha256").update(link.entryJson).digest();
  return createHash("sha256")
    .update(Buffer.from(link.previous, "hex"))
    .update(entryHash)
    .update(Buffer.from(link.payloadHash, "hex"))
    .digest("hex");
}

/** Reads `SEQ:HASH`, as `evenkeel audit verify --head` takes it. */
export function parseAuditHead(text: string): AuditHead | undefined {
  const [, seq, hash] = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  return seq && hash ? { seq: Number(seq), hash } : undefined;
}

const parseEntry = checked(
  Type.Object({ seq: Type.Integer(), action: Type.String(), actor: Type.String(), object: Type.String(), time: Type.String() }),
);

/** The entry of a row, or undefined where its text is no entry any more. */
export function entryOf(entryJson: string): AuditEntry | undefined {
  try {
    const parsed = parseEntry(JSON.parse(entryJson));
    return parsed.ok ? parsed.value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Walks the log once, in order of `seq`; holds only what it has to name at the end. */
export class ChainCheck {
  readonly #outsideHead: AuditHead | undefined;
  readonly #problems: AuditProblem[] = [];
  readonly #erased = new Set<number>();
  readonly #erasuresTold = new Set<number>();
  /** null after a gap: what the next entry follows from is not known, and the gap is told already. */
  #previous: string | null = GENESIS;
  #head: AuditHead | null = null;
  #entries = 0;
  #next = 1;

  constructor(outsideHead?: AuditHead) {
    this.#outsideHead = outsideHead;
  }

  add(row: AuditRow): void {
    this.#entries++;
    if (row.seq !== this.#next) this.#tellGap(row.seq);
    this.#checkPayload(row);
    const entry = entryOf(row.entry_json);
    const follows =
      this.#previous === null ||
      chainHash({ previous: this.#previous, entryJson: row.entry_json, payloadHash: row.payload_hash }) === row.hash;
    if (entry && entry.seq !== row.seq) this.#tell(row.seq, "moved", `in the place of entry ${row.seq} lies entry ${entry.seq}`);
    else if (!entry || !follows) {
      const or = row.seq > 1 ? `, or entry ${row.seq - 1} before it was put there or rewritten` : "";
      this.#tell(row.seq, "changed", `entry ${row.seq} is not what was written${or}`);
    }
    if (entry?.action === ERASED) this.#erasuresTold.add(Number(entry.object.replace("audit/", "")));
    if (this.#outsideHead?.seq === row.seq && this.#outsideHead.hash !== row.hash)
      this.#tell(row.seq, "other-history", `entry ${row.seq} is not the one whose hash was kept: the log was rewritten up to it`);
    this.#previous = row.hash;
    this.#head = { seq: row.seq, hash: row.hash };
    this.#next = row.seq + 1;
  }

  finish(): AuditVerdict {
    for (const seq of this.#erased) {
      if (!this.#erasuresTold.has(seq))
        this.#tell(seq, "payload-gone", `the payload of entry ${seq} is gone, and no entry says who erased it`);
    }
    const { seq: lastSeq } = this.#head ?? { seq: 0 };
    if (this.#outsideHead && this.#outsideHead.seq > lastSeq)
      this.#tell(lastSeq + 1, "cut", `the log ends at entry ${lastSeq}, but entry ${this.#outsideHead.seq} was seen: its tail was cut off`);
    const seen = { entries: this.#entries, erased: this.#erased.size, head: this.#head };
    return this.#problems.length === 0 ? { ok: true, ...seen } : { ok: false, ...seen, problems: this.#problems };
  }

  #tellGap(seq: number): void {
    if (seq < this.#next) return this.#tell(seq, "moved", `entry ${seq} lies where no entry can be`);
    const last = seq - 1;
    this.#tell(this.#next, "missing", last === this.#next ? `entry ${last} is missing` : `entries ${this.#next} to ${last} are missing`);
    this.#previous = null;
  }

  #checkPayload({ seq, salt, payload_json: payloadJson, payload_hash: hash }: AuditRow): void {
    if (salt === null && payloadJson === null) this.#erased.add(seq);
    else if (salt === null || payloadJson === null || payloadHash(salt, payloadJson) !== hash)
      this.#tell(seq, "payload-changed", `the payload of entry ${seq} is not what was written`);
  }

  #tell(seq: number, kind: AuditProblem["kind"], message: string): void {
    if (this.#problems.length < PROBLEMS_KEPT) this.#problems.push({ seq, kind, message });
  }
}
