/** What every command to a route table carries. */
import { Type } from "typebox";
import { wholeNumber } from "../checked.ts";

export const EndpointParams = Type.Object({ endpoint: Type.String() });

export const command = {
  reason: Type.String({ minLength: 1, maxLength: 2000, description: "Kept with the transition and in the audit log" }),
  commandId: Type.Optional(Type.String({ minLength: 8, maxLength: 100, description: "The same id twice changes nothing" })),
  generation: Type.Optional(wholeNumber({ description: "The generation you saw: refused when the table has moved on" })),
};

/** Of commands that need nothing else. */
export const ReasonBody = Type.Object(command, { additionalProperties: false });
