/** MLflow's error codes. Clients branch on some of them, and retry whatever is 429 or 5xx for minutes: a mistake of theirs never is. */
import type { Result } from "../../std.ts";
import type { TrackingRefusal } from "../../registry/index.ts";

const STATUS = {
  INVALID_PARAMETER_VALUE: 400,
  BAD_REQUEST: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  RESOURCE_CONFLICT: 409,
  NOT_IMPLEMENTED: 501,
} as const;
export type MlflowCode = keyof typeof STATUS;

export class MlflowError extends Error {
  override readonly name = "MlflowError";
  readonly code: MlflowCode;
  readonly status: number;
  constructor(code: MlflowCode, message: string) {
    super(message);
    this.code = code;
    this.status = STATUS[code];
  }
}

export const invalid = (message: string) => new MlflowError("INVALID_PARAMETER_VALUE", message);

const CODE = {
  missing: "RESOURCE_DOES_NOT_EXIST",
  exists: "RESOURCE_ALREADY_EXISTS",
  invalid: "INVALID_PARAMETER_VALUE",
} as const satisfies Record<TrackingRefusal["kind"], MlflowCode>;

/** The value, or the refusal as MLflow's error. */
export function orError<T>(result: Result<T, TrackingRefusal>): T {
  if (result.ok) return result.value;
  throw new MlflowError(CODE[result.error.kind], result.error.message);
}
