/** Names and texts: tags and parameters where their lengths were checked before. */
import { Type, type Static } from "typebox";

export const Texts = Type.Record(Type.String(), Type.String());
export type Texts = Static<typeof Texts>;
