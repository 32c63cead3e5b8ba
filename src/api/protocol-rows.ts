/** Rows of other projects' protocols as requests of our own: what is an input, what a group, who it is about. */
import { shown } from "../checked.ts";
import type { CompiledEndpoint, Decided, Gateway, RequestTrace } from "../serving/index.ts";
import type { Issue, ReleaseId } from "../std.ts";
import { applicationOf, keyedAsOne } from "./batch-routes.ts";
import { refusal } from "./decision-routes.ts";
import { IDEMPOTENCY_KEY } from "./idempotency-key.ts";
import { ProblemError } from "./problem.ts";

/** What a flat name stands for. */
export type Role =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "group"; readonly name: string }
  | { readonly kind: "subject" }
  | { readonly kind: "key" };

/**
 * An input of the endpoint, else one of its group attributes, else `subject` or `key`. `group_<attribute>` is a group always: where an
 * input has the attribute's name, there is no other way to say it.
 */
export function roleOf({ inputs, groups }: Pick<CompiledEndpoint, "inputs" | "groups">, name: string): Role | undefined {
  if (Object.hasOwn(inputs, name)) return { kind: "input", name };
  if (Object.hasOwn(groups, name)) return { kind: "group", name };
  if (name === "subject" || name === "key") return { kind: name };
  const attribute = name.startsWith("group_") ? name.slice("group_".length) : undefined;
  return attribute !== undefined && Object.hasOwn(groups, attribute) ? { kind: "group", name: attribute } : undefined;
}

/** One row: the body that `/v1` would have got, and the row's idempotency key as it came. */
export class ProtocolRow {
  readonly inputs: Record<string, unknown> = {};
  readonly #groups: Record<string, unknown> = {};
  #subject: unknown;
  key: unknown;

  set(role: Role, value: unknown): void {
    switch (role.kind) {
      case "input":
        this.inputs[role.name] = value;
        break;
      case "group":
        this.#groups[role.name] = value;
        break;
      case "subject":
        this.#subject = value;
        break;
      case "key":
        this.key = value;
    }
  }

  get body(): object {
    return {
      ...(this.#subject === undefined || this.#subject === null ? {} : { subject: this.#subject }),
      inputs: this.inputs,
      ...(Object.keys(this.#groups).length > 0 ? { groups: this.#groups } : {}),
    };
  }
}

/** A fault of one row, for the protocol to say where that is in its own form. */
export interface RowFault extends Issue {
  readonly row: number;
  /** Of the input or group; else `subject` or `key`. */
  readonly name: string;
}

export interface RowsRequest {
  readonly endpoint: string;
  readonly rows: readonly ProtocolRow[];
  readonly source: string;
  readonly receivedAtUs: number;
  /** `Idempotency-Key` of the request. */
  readonly requestKey?: string | undefined;
  readonly pinned?: ReleaseId | undefined;
  readonly deadlineMs?: number | undefined;
  readonly trace?: RequestTrace;
  /** Says the faults in the protocol's own form. */
  readonly refuse: (faults: readonly RowFault[]) => ProblemError;
}

/** Every row becomes one recorded decision, exactly as through `/v1`; one that can't be decided refuses them all. @throws ProblemError */
export async function decideRows(gateway: Gateway, request: RowsRequest): Promise<readonly Decided[]> {
  const { endpoint, rows, source, receivedAtUs, pinned, requestKey } = request;
  if (rows.length === 0) return [];
  const keys = keysOf(request);
  const each = rows.map((row, i) => applicationOf(row.body, keys[i] ?? null));
  const applications = requestKey === undefined ? each : keyedAsOne(each, requestKey);
  const asked = { source, receivedAtUs, ...(pinned === undefined ? {} : { pinned }) };
  const [only] = applications;
  if (only && applications.length === 1) {
    const { body, payload, idempotencyKey, bodyHash } = only;
    const deadline = request.deadlineMs === undefined ? {} : { deadlineMs: request.deadlineMs };
    const trace = request.trace === undefined ? {} : { trace: request.trace };
    const decided = await gateway.decide(endpoint, body, { ...asked, ...deadline, ...trace, payload, idempotencyKey, bodyHash });
    if (decided.ok) return [decided.value];
    if (decided.error.kind !== "invalid") throw refusal(decided.error, endpoint);
    throw request.refuse(decided.error.issues.map((issue) => faultOf({ ...issue, path: `/0${issue.path}` })));
  }
  const decided = await gateway.decideAll(endpoint, applications, asked);
  if (decided.ok) return decided.value;
  if (decided.error.kind === "invalid") throw request.refuse(decided.error.issues.map(faultOf));
  throw refusal(decided.error, endpoint);
}

function keysOf({ rows, requestKey, refuse }: RowsRequest): readonly (string | null)[] {
  const fault = (row: number, expected: string, got: string) => refuse([{ row, name: "key", path: `/${row}/key`, expected, got }]);
  const firstWith = new Map<string, number>();
  return rows.map(({ key }, row) => {
    if (key === undefined || key === null) return null;
    if (requestKey !== undefined) throw fault(row, "keys of rows, or one of the request", "both");
    if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) throw fault(row, "1 to 255 visible ASCII characters", shown(key));
    const first = firstWith.get(key);
    if (first !== undefined) throw fault(row, "a key that no other row has", `that of row ${first}`);
    firstWith.set(key, row);
    return key;
  });
}

/** `/17/inputs/age` is row 17's input `age`; `/17` alone can't come: rows are objects. */
function faultOf(issue: Issue): RowFault {
  const [, row = "0", ...rest] = issue.path.split("/");
  const name = (rest[1] ?? rest[0] ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
  return { ...issue, row: Number(row), name };
}
