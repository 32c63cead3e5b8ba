/** What starts a server takes, and gives. */
import type { NewToken } from "../access/index.ts";
import type { RequestTracer } from "../api/index.ts";
import type { Ack } from "../decisions/index.ts";
import type { OpenLineageTarget } from "../releases/index.ts";
import type { Runtime } from "../store/index.ts";

export interface AppOptions {
  /** The data folder; made when missing. */
  readonly folder: string;
  /** Keep the database in PostgreSQL instead of in the folder. */
  readonly postgresUrl?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. Default 7070. */
  readonly port?: number;
  readonly allowedHosts?: readonly string[];
  /** Clock, ids, randomness and timers; the system's own by default. */
  readonly runtime?: Runtime;
  /** When a decision is answered: once it is on disk (default), once it is queued, or (benchmarks only) without being recorded. */
  readonly ack?: Ack;
  /** `host:port` that model servers may be called at though it is private or loopback; public addresses may always. */
  readonly egress?: { readonly allow: readonly string[] };
  /** Values for headers of calls to model servers, by the names that releases know them by. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Path of the socket of Docker or Podman, for models in containers; without it releases with such models are refused. */
  readonly containerEngine?: string;
  /** Models in processes of their own (default), or in this one: deterministic and blocking, for simulations. */
  readonly scorers?: "process" | "inline";
  /** What the scorer processes of all releases may take together; without end by default. */
  readonly memoryBudgetBytes?: number;
  /** Who is told of everything that happens, as events of OpenLineage; nobody by default. */
  readonly openLineage?: OpenLineageTarget;
  /** Where people reach the server, for links in alerts: `https://evenkeel.internal`. Without it alerts have no links. */
  readonly publicUrl?: string;
  /** Between two looks of the guardrails. Default 500. */
  readonly lookEveryMs?: number;
  /** Take the place of the server that runs on this folder, if one does; it goes on undisturbed when this one can't. */
  readonly takeOver?: boolean;
  /** Where requests for decisions are traced; nowhere by default. Whoever made it closes it. */
  readonly tracer?: RequestTracer;
  /** Told of errors that are our fault, and of what an operator should see. */
  readonly onError?: (error: Error, reference: string) => void;
  /** How many lines about such errors reached nobody: a metric. */
  readonly dropped?: () => number;
  /** Told once when the process can't promise anything any more and must end. */
  readonly onFatal?: (why: string) => void;
}

export interface App {
  /** Where it listens, once started. */
  readonly url: string;
  /** On the first start of a folder: the token that all others are made with. */
  readonly firstAdmin: NewToken | undefined;
  /** Resolves when nothing is under way: every answer, shadow and look that has begun is done. */
  settled(): Promise<void>;
  /**
   * Resolves when another server has been asked to take this one's place: `successor` when it answers and nobody is connected here any
   * more, `nobody` when it died on the way. The store is closed in both cases; all that is left is `stop`.
   */
  readonly replaced: Promise<"successor" | "nobody">;
  /** Finishes what is under way, then closes everything. May be called twice. */
  stop(): Promise<void>;
}
