import { Type } from "typebox";
import { object } from "../checked.ts";
import { ProblemError } from "./problem.ts";
import type { Server } from "./server.ts";

/** What a server is asked by the process that is to take its place. */
export interface HandOver {
  /** Where it listens. */
  readonly port: number;
  /** Begins to hand over, unless it has begun before. @param socket - in the data folder, where the successor will answer */
  begin(socket: string): boolean;
}

/** Only on the control socket: whoever can open it owns the folder. */
export const handOverRoutes = (handOver: () => HandOver) => (app: Server) => {
  app.post(
    "/v1/hand-over",
    {
      config: { right: "tokens:write" },
      schema: {
        hide: true,
        body: object({
          socket: Type.String({ pattern: String.raw`^successor-\d+\.sock$` }),
          port: Type.Integer({ minimum: 0, maximum: 65_535 }),
        }),
        response: { 202: object({ pid: Type.Integer() }) },
      },
    },
    async ({ body: { socket, port } }, reply) => {
      const here = handOver();
      if (here.port !== port)
        throw new ProblemError(
          "conflict",
          `The server that runs listens on port ${here.port}, not on ${port}: take over with --port ${here.port}.`,
        );
      if (!here.begin(socket)) throw new ProblemError("conflict", "The server that runs is being taken over already.");
      return reply.code(202).send({ pid: process.pid });
    },
  );
};
