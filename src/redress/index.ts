export { Redress, type AffectedPerson, type AffectedSummary, type RedressRefusal } from "./affected.ts";
export { affectedClasses, type AffectedClass } from "./classes.ts";
export { FollowUp } from "./follow-up.ts";
