/** What an endpoint expects of its inputs, and how that stands. */
import { mayDo } from "../access/index.ts";
import type { ExpectationWatch } from "../monitoring/index.ts";
import type { Releases } from "../releases/index.ts";
import { EndpointParams } from "./command-body.ts";
import { ExpectationsView, stateView, warningView } from "./expectation-view.ts";
import { routeCommander } from "./route-commander.ts";
import { principalOf, type Server } from "./server.ts";

export interface ExpectationRouteParts {
  readonly releases: Releases;
  readonly expectations: Pick<ExpectationWatch, "states" | "warnings" | "refused">;
  readonly clock: { nowMs(): number };
}

const DAY_MS = 86_400_000;
const WARNING_DAYS = 30;

export const expectationRoutes = (parts: ExpectationRouteParts) => (app: Server) => {
  const { roomOf } = routeCommander(parts.releases);
  app.get(
    "/v1/endpoints/:endpoint/expectations",
    {
      config: { right: "read" },
      schema: {
        summary: "What an endpoint expects of its inputs, and how that stands today",
        description: "Counts are of valid requests that were looked at, retries included. Days are those of UTC.",
        tags: ["endpoints"],
        params: EndpointParams,
        response: { 200: ExpectationsView },
      },
    },
    async (request) => {
      const { name, definition } = roomOf(request.params.endpoint);
      const { expectations } = definition.compiled;
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const states = expectations ? await parts.expectations.states(name, expectations) : [];
      const since = Math.floor(parts.clock.nowMs() / DAY_MS) - WARNING_DAYS;
      const warnings = await parts.expectations.warnings(name, since);
      return {
        endpoint: name,
        expectations: states.map((state) => stateView(state, seesGroups)),
        refused: parts.expectations.refused(name),
        warnings: warnings.map(warningView),
      };
    },
  );
};
