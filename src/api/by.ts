/** Who changes the route table, and why, as releases keep it. */
import { actorOf, type Principal } from "../access/index.ts";
import { asCommandId, type By } from "../releases/index.ts";

export function byOf(
  principal: Principal,
  { reason: why, commandId, generation }: { readonly reason: string; readonly commandId?: string; readonly generation?: number },
): By {
  return {
    actor: { kind: "person", name: actorOf(principal) },
    reason: why,
    ...(commandId === undefined ? {} : { commandId: asCommandId(commandId) }),
    ...(generation === undefined ? {} : { expectedGeneration: generation }),
  };
}
