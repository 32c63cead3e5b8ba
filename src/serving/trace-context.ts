/** Where a request stands in its caller's trace: W3C Trace Context, level 2. Pure. */

/** What goes along with whatever is asked because of a request: headers, as they are sent. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Lower-case hex; neither id is all zeros. */
export interface TraceParent {
  readonly traceId: string;
  readonly parentId: string;
  /** Of the bits that are known: 1 sampled, 2 the trace id is random. */
  readonly flags: number;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const KNOWN_FLAGS = 3;
const STATE_AT_MOST = 512;

/** @returns undefined for what isn't one: whoever gets it starts a new trace. A later version is read as far as this one goes. */
export function parseTraceParent(text: string): TraceParent | undefined {
  const [, version, traceId = "", parentId = "", flags = "", more] = FORM.exec(text) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

export const traceParentText = ({ traceId, parentId, flags }: TraceParent): string =>
  `00-${traceId}-${parentId}-${flags.toString(16).padStart(2, "0")}`;

/** The context that a request came with; undefined where it has none, or one that nobody can read. */
export function traceContextIn(headers: Readonly<Record<string, string | string[] | undefined>>): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== "string") return undefined;
  const parent = parseTraceParent(traceparent);
  if (!parent) return undefined;
  // What others have written there is passed on as it is, if it can be at all.
  const isPassable = typeof tracestate === "string" && tracestate.length <= STATE_AT_MOST && /^[ -~]+$/.test(tracestate);
  return { traceparent: traceParentText(parent), ...(isPassable ? { tracestate } : {}) };
}
