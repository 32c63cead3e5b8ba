/** Asking the server: the public API under the cookie of the session, answers as they are typed in `src/api/ui-view.ts`. */

/** The problem details (RFC 9457) of an answer that isn't one, or what stands for them when the server can't be reached. */
export interface ProblemDetails {
  /** 0: no answer came at all. */
  readonly status: number;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly requestId?: string | undefined;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: ProblemDetails;
  constructor(problem: ProblemDetails, options?: ErrorOptions) {
    super(problem.title, options);
    this.problem = problem;
  }
}

export const isSignedOut = (error: unknown): boolean => error instanceof ApiError && error.problem.status === 401;

const TIMEOUT_MS = 10_000;

/** @throws ApiError */
export async function get<View>(path: string, signal?: AbortSignal, timeoutMs = TIMEOUT_MS): Promise<View> {
  const limit = AbortSignal.timeout(timeoutMs);
  return viewOf<View>(await ask(path, { signal: signal ? AbortSignal.any([signal, limit]) : limit }));
}

/** @throws ApiError */
export async function post<View>(path: string, body: unknown): Promise<View> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return viewOf<View>(await ask(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

/** Gives the token to the server, which keeps it in a cookie that no script can read. @throws ApiError */
export async function signIn(token: string): Promise<void> {
  await ask("/v1/session", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }) });
}

/** @throws ApiError */
export async function signOut(): Promise<void> {
  await ask("/v1/session", { method: "DELETE" });
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, { credentials: "same-origin", ...init }).catch((error: unknown) => {
    if (error instanceof Error && error.name === "AbortError") throw error; // ours: the page moved on
    throw new ApiError(
      { status: 0, title: "The server doesn't answer", detail: "It may be restarting, or the network is away." },
      { cause: error },
    );
  });
  if (!response.ok) throw new ApiError(await problemOf(response));
  return response;
}

async function problemOf(response: Response): Promise<ProblemDetails> {
  const body: unknown = await response.json().catch(() => null);
  const text = (key: string): string | undefined => {
    const value: unknown = typeof body === "object" && body !== null && key in body ? Reflect.get(body, key) : undefined;
    return typeof value === "string" ? value : undefined;
  };
  return {
    status: response.status,
    title: text("title") ?? `The server answered ${response.status}`,
    detail: text("detail"),
    requestId: text("requestId"),
  };
}

/** Pages and server come out of one package and one schema, and the server writes answers by that schema: so this is a `View`. */
async function viewOf<View>(response: Response): Promise<View> {
  return (await response.json()) as View;
}
