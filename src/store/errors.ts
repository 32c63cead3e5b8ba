/** The database's troubles in words that the rooms above act on. */
export type StorageTrouble =
  /** No room for one more page. Reads go on; control writes have a reserve. */
  | "storage-full"
  | "storage-read-only"
  /** An error came from the commit itself: it may or may not be durable. Look up the ids, or retry with the same key. */
  | "outcome-unknown"
  /** The database is away, locked by somebody else, or doesn't answer in time. */
  | "storage-unavailable";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly trouble: StorageTrouble;
  constructor(trouble: StorageTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}

/** What an engine's error code means for us; undefined for errors of the program (a wrong query, a broken constraint). */
export function troubleOf(code: string): StorageTrouble | undefined {
  if (code.startsWith("SQLITE_FULL") || code === "53100") return "storage-full";
  if (code.startsWith("SQLITE_READONLY") || code === "25006") return "storage-read-only";
  if (code.startsWith("SQLITE_IOERR")) return "outcome-unknown";
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_CANTOPEN")) return "storage-unavailable";
  if (/^(08|57P|53)/.test(code) || /^E(CONN|PIPE|TIMEDOUT|HOSTUNREACH|AI_AGAIN|NOTFOUND)/.test(code)) return "storage-unavailable";
  return undefined;
}
