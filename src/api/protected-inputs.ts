/** Inputs that say the same as a protected attribute: their values are for those who may see groups. */
import type { EndpointRoom } from "../releases/index.ts";

export function tellsOfGroups(room: EndpointRoom, input: string): boolean {
  const { inputs, groups } = room.definition.compiled;
  return Object.hasOwn(groups, input) || inputs[input]?.twin_of !== undefined;
}
