import { Type } from "typebox";
import type { Server } from "./server.ts";

/** @param isReady - whether a decision asked for now would be answered */
export const healthRoutes = (isReady: () => boolean) => (app: Server) => {
  const State = Type.Object({ status: Type.String() });
  app.get(
    "/healthz/live",
    { config: { right: "public" }, schema: { summary: "The process is up", tags: ["health"], response: { 200: State } } },
    async () => ({ status: "up" }),
  );
  app.get(
    "/healthz/ready",
    {
      config: { right: "public" },
      schema: { summary: "Every endpoint's live release and fallback are proven", tags: ["health"], response: { 200: State, 503: State } },
    },
    async (_request, reply) => (isReady() ? { status: "ready" } : reply.code(503).send({ status: "not ready" })),
  );
};
