/** All cases, in the order of the report. */
import type { Case } from "./case.ts";
import { killsUnderLoad } from "./kills-under-load.ts";

export const cases: readonly Case[] = [killsUnderLoad];
