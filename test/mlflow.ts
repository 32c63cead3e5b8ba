/** Requests of MLflow's protocol, as tests write them. */
import type { FreshServer } from "./server.ts";

export interface MlflowAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}
export interface MlflowClient {
  readonly get: (path: string, query?: Readonly<Record<string, string>>) => Promise<MlflowAnswer>;
  readonly post: (path: string, body: unknown) => Promise<MlflowAnswer>;
  readonly patch: (path: string, body: unknown) => Promise<MlflowAnswer>;
  readonly delete: (path: string, body?: unknown) => Promise<MlflowAnswer>;
  /** Below the artifact proxy; the address is sent as it is given. */
  readonly artifact: (method: string, address: string, bytes?: Uint8Array) => Promise<Response>;
}

export function mlflowClient({ url }: Pick<FreshServer, "url">, token: string): MlflowClient {
  const send = async (method: string, path: string, body?: unknown): Promise<MlflowAnswer> => {
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, body: asObject(await answer.json()) };
  };
  return {
    get: (path, query = {}) => send("GET", `${path}?${new URLSearchParams(query).toString()}`),
    post: (path, body) => send("POST", path, body),
    patch: (path, body) => send("PATCH", path, body),
    delete: (path, body) => send("DELETE", path, body),
    artifact: (method, address, bytes) =>
      fetch(`${url}/api/2.0/mlflow-artifacts/artifacts${address}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(bytes === undefined ? {} : { body: Buffer.from(bytes) }),
      }),
  };
}

/** Every answer of the protocol is one. */
const asObject = (value: unknown) => value as Readonly<Record<string, unknown>>;
