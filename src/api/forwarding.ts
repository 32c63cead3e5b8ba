/** Requests that reach a server whose successor has taken over: they are its successor's to answer, and nobody notices. */
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { problem } from "./problem.ts";

/** About one connection, not about the message. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]);

/** @param next - resolves with the path of the socket at which the successor answers; until then the request waits */
export async function forward(request: IncomingMessage, response: ServerResponse, next: Promise<string>): Promise<void> {
  let socketPath: string;
  try {
    socketPath = await next;
  } catch {
    return refuse(response);
  }
  if (response.destroyed) return;
  const headers = { ...endToEnd(request.headers), connection: "close" };
  const asked = httpRequest({ socketPath, method: request.method ?? "GET", path: request.url ?? "/", headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, { ...endToEnd(answer.headers), connection: "close" });
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  });
  asked.on("error", () => (response.headersSent ? response.destroy() : refuse(response)));
  response.on("close", () => asked.destroy());
  request.on("error", () => asked.destroy());
  request.pipe(asked);
}

const endToEnd = (headers: OutgoingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name, value]) => !HOP_BY_HOP.has(name) && value !== undefined));

function refuse(response: ServerResponse): void {
  const text = JSON.stringify(problem("not-ready", "It is being replaced by another. Try again in a moment."));
  const headers = {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(text),
    "retry-after": "1",
    connection: "close",
  };
  response.writeHead(503, headers).end(text);
}
