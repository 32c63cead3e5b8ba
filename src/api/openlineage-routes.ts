/** Lineage as events of OpenLineage: on request, and how a receiver that is told of them stands. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { OpenLineage } from "../releases/index.ts";
import { iso } from "./iso.ts";
import type { Server } from "./server.ts";

export const OpenLineageEventsView = Type.Object(
  {
    events: Type.Array(Type.Unknown({ description: "RunEvent of OpenLineage 2-0-2" })),
    next: orNull(Type.Integer({ description: "Pass as after; null when that is all" })),
  },
  { title: "OpenLineageEvents" },
);
export type OpenLineageEventsView = Static<typeof OpenLineageEventsView>;

export const OpenLineageStatusView = Type.Object(
  {
    receiver: orNull(
      Type.Object({
        target: Type.String(),
        waiting: Type.Integer({ description: "Entries of the audit log that it hasn't been told yet" }),
        delivered: Type.Integer({ description: "Events that it took" }),
        refused: Type.Integer({ description: "Events that it won't ever take, and that were passed over" }),
        failures: Type.Integer({ description: "In a row" }),
        lastError: orNull(Type.String()),
        lastErrorAt: orNull(Type.String()),
        lastSuccessAt: orNull(Type.String()),
      }),
    ),
  },
  { title: "OpenLineageStatus" },
);
export type OpenLineageStatusView = Static<typeof OpenLineageStatusView>;

const time = (atMs: number | null) => (atMs === null ? null : iso(atMs));

export const openLineageRoutes = (openLineage: OpenLineage) => (app: Server) => {
  app.get(
    "/v1/openlineage/events",
    {
      config: { right: "audit:read" },
      schema: {
        summary: "What happened here as events of OpenLineage, oldest first",
        description: "Runs, their steps and models, releases and rollbacks. A page may hold no event and still have a next one.",
        tags: ["lineage"],
        querystring: Type.Object({
          after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
          limit: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1000, description: "Of entries of the audit log; 1,000 when left out" }),
          ),
        }),
        response: { 200: OpenLineageEventsView },
      },
    },
    async (request) => {
      const { events, next } = await openLineage.events(request.query.after ?? 0, request.query.limit ?? 1000);
      return { events: [...events], next };
    },
  );
  app.get(
    "/v1/openlineage",
    {
      config: { right: "audit:read" },
      schema: { summary: "How the receiver of OpenLineage events stands", tags: ["lineage"], response: { 200: OpenLineageStatusView } },
    },
    async () => {
      const status = await openLineage.status();
      if (!status) return { receiver: null };
      const { lastErrorAtMs, lastSuccessAtMs, ...receiver } = status;
      return { receiver: { ...receiver, lastErrorAt: time(lastErrorAtMs), lastSuccessAt: time(lastSuccessAtMs) } };
    },
  );
};
