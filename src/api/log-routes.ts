/** What models in containers print. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { Releases } from "../releases/index.ts";
import { EngineError, type Containers, type LogLine } from "../serving/index.ts";
import { ProblemError } from "./problem.ts";
import { routeCommander } from "./route-commander.ts";
import type { Server } from "./server.ts";

const LogLineView = Type.Object(
  {
    stream: Type.Enum(["stdout", "stderr"]),
    at: orNull(Type.String({ description: "As the container engine says it" })),
    text: Type.String(),
  },
  { title: "LogLine", additionalProperties: false },
);
export const LogView = Type.Object(
  {
    lines: Type.Array(LogLineView),
    next: orNull(Type.String({ description: "Give it as `after` to get what is printed later" })),
    missing: orNull(Type.String({ description: "Why there is no log at all" })),
  },
  { title: "Log", additionalProperties: false },
);
export type LogView = Static<typeof LogView>;

const CURSOR = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))~(\d{1,9})$/;

export const logRoutes = (releases: Releases, containers: Containers | undefined) => (app: Server) => {
  const { roomOf, releaseOf } = routeCommander(releases);
  app.get(
    "/v1/endpoints/:endpoint/releases/:release/logs",
    {
      config: { right: "route:write" },
      schema: {
        summary: "What the container of a release printed last",
        description:
          "A model server may print what it is sent, so only those who release may read it. Where one container serves several releases, they have one log.",
        tags: ["releases"],
        params: Type.Object({ endpoint: Type.String(), release: Type.String() }),
        querystring: Type.Object({
          tail: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "Lines at most, the last ones; 200 by default" })),
          after: Type.Optional(Type.String({ pattern: CURSOR.source, description: "The `next` of an earlier answer" })),
        }),
        response: { 200: LogView },
      },
    },
    async (request) => {
      const { scorer } = releaseOf(roomOf(request.params.endpoint), request.params.release).bundle;
      const { tail = 200, after } = request.query;
      if (scorer.kind !== "container") return none(`its model is not in a container (${scorer.kind})`);
      const cursor = cursorIn(after);
      const lines = await containers?.logs(scorer, tail, Math.floor(Date.parse(cursor.at) / 1000)).catch(engineTrouble);
      if (lines === undefined) return none("no container of it is kept now: one is started when the route table needs it");
      return { lines: linesAfter(lines, cursor), next: nextCursor(lines, after), missing: null };
    },
  );
};

const none = (missing: string): LogView => ({ lines: [], next: null, missing });

function engineTrouble(error: unknown): never {
  if (error instanceof EngineError) throw new ProblemError("conflict", `The container engine can't say: ${error.message}`);
  throw error;
}

/** Engines tell times by the second or finer: a place in a log is a time, and how many lines of that time have been seen. */
interface Cursor {
  readonly at: string;
  readonly seen: number;
}

function cursorIn(text: string | undefined): Cursor {
  const [, at = "1970-01-01T00:00:00Z", seen = "0"] = CURSOR.exec(text ?? "") ?? [];
  return { at, seen: Number(seen) };
}

/** @param lines - from the cursor's second on, in their order */
export function linesAfter(lines: readonly LogLine[], { at, seen }: Cursor): LogLine[] {
  let left = seen;
  return lines.filter((line) => {
    if (line.at === null || line.at > at) return true;
    return line.at === at && left-- <= 0;
  });
}

/** @param before - what was asked after: nothing new leaves it as it is */
export function nextCursor(lines: readonly LogLine[], before: string | undefined): string | null {
  const at = lines.findLast((line) => line.at !== null)?.at;
  if (at === undefined || at === null) return before ?? null;
  return `${at}~${lines.filter((line) => line.at === at).length}`;
}
