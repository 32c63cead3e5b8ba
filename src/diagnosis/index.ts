export { Blame, type BlameRefusal } from "./blame.ts";
export { TrainedMixtures, type BlameReport, type StoredBlame } from "./blame-report.ts";
export { nameOf as stepName } from "./verdict.ts";
export { Reasons, type ReasonsRefusal } from "./reasons.ts";
export { ReasonsReport } from "./reasons-report.ts";
