/** All cases, in the order of the report. */
import type { Case } from "./case.ts";
import { diskFull, fsyncFailsForGood, fsyncFailsOnce, slowDisk, writesRefused } from "./disk-faults.ts";
import { explorer, synchronousNormal, tallyApart } from "./explorer.ts";
import { keysOff, killStages } from "./kill-stages.ts";
import { killsUnderLoad } from "./kills-under-load.ts";

export const cases: readonly Case[] = [
  killStages,
  killsUnderLoad,
  explorer,
  fsyncFailsOnce,
  fsyncFailsForGood,
  diskFull,
  writesRefused,
  slowDisk,
  synchronousNormal,
  tallyApart,
  keysOff,
];
