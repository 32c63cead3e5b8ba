/** Who may have the server call another one. */
import { mayDo, rolesWith, type Principal } from "../access/index.ts";
import { valueAt } from "../checked.ts";
import type { EndpointRoom } from "../releases/index.ts";
import { ProblemError } from "./problem.ts";

/**
 * Applicants' data goes to a model's server, and what can be called from here can be asked about from here: a new address is for an
 * admin, or whom an admin lets. At an address that a release of the endpoint has already, an operator releases as ever.
 * @param release - of which nothing was checked yet
 * @throws ProblemError
 */
export function refuseNewTarget(principal: Principal, room: EndpointRoom | undefined, release: unknown): void {
  const url = valueAt(release, "/scorer/kind") === "http" ? valueAt(release, "/scorer/url") : undefined;
  if (url === undefined || mayDo(principal, "targets:write")) return;
  const known = [...(room?.releases.values() ?? [])].map(({ bundle: { scorer } }) => (scorer.kind === "http" ? scorer.url : null));
  if (known.some((each) => each === url)) return;
  const { name, role } = principal;
  throw new ProblemError(
    "forbidden",
    `The token "${name}" (${role}) lacks the right targets:write, which ${rolesWith("targets:write").join(", ")} can have: ` +
      "no release of this endpoint has that server's address yet.",
  );
}
