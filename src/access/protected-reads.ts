/** Who has seen what is protected about people: every such read has its entry in the audit log before it is answered. */
import type { Transaction } from "kysely";
import type { Schema, Store } from "../store/index.ts";
import type { Audit } from "./audit.ts";
import { actorOf, type Principal } from "./rights.ts";

/** What was seen. */
export interface ProtectedRead {
  /** As in `AuditNote`: `endpoint/loans`, `dataset/credit`. */
  readonly object: string;
  /** What was asked for: filter and page, as the reader gave them. */
  readonly asked: Readonly<Record<string, string | number | undefined>>;
  /** How many people's rows, or groups, were in the answer. */
  readonly shown: number;
}

interface Waiting {
  readonly actor: string;
  readonly read: ProtectedRead;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** More entries than this in one transaction would keep decisions waiting for the database. */
const AT_ONCE = 100;

export class ProtectedReads {
  readonly #store: Store;
  readonly #audit: Audit;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  /**
   * Resolves once the entry is there; reads that come while others are being written share a transaction. Nothing is noted where nothing
   * was shown. @throws StorageError when it can't be noted: the answer must not be given then
   */
  note(principal: Principal, read: ProtectedRead): Promise<void> {
    if (read.shown === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.#waiting.push({ actor: actorOf(principal), read, done, failed });
      if (!this.#isWriting) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, AT_ONCE);
      try {
        await this.#inTransaction(async (tx) => {
          for (const { actor, read } of batch) {
            const { object, asked, shown } = read;
            await this.#audit.append(tx, { actor, action: "protected.read", object, payload: { asked, shown } });
          }
        });
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.#isWriting = false;
  }

  /** Not the store's own on SQLite: what that keeps for a full disk is for rollbacks, and not spent on looking at people. */
  #inTransaction(work: (tx: Transaction<Schema>) => Promise<void>): Promise<void> {
    return this.#store.kind === "sqlite" ? this.#store.db.transaction().execute(work) : this.#store.transaction(work);
  }
}
