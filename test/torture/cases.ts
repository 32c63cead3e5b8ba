/** All cases, in the order of the report. */
import type { Case } from "./case.ts";
import { fsyncFailsForGood, fsyncFailsOnce } from "./disk-fails.ts";
import { diskFull, writesRefused } from "./disk-full.ts";
import { slowDisk } from "./disk-slow.ts";
import { clockJumps } from "./clock-jumps.ts";
import { explorer, synchronousNormal, tallyApart } from "./explorer.ts";
import { keysOff, killStages } from "./kill-stages.ts";
import { killsUnderLoad } from "./kills-under-load.ts";
import { decideHeld, rollbacksHeld } from "./load-held.ts";
import { oddModels } from "./odd-models.ts";
import { overloadHeld } from "./overload.ts";
import { fsyncOff, powerCut } from "./power-cut.ts";
import { sameRequest } from "./same-request.ts";
import { scorerFaults } from "./scorer-faults.ts";
import { scorersAtRandom } from "./scorers-at-random.ts";
import { sticky } from "./sticky.ts";

export const cases: readonly Case[] = [
  decideHeld,
  rollbacksHeld,
  overloadHeld,
  killStages,
  killsUnderLoad,
  powerCut,
  explorer,
  fsyncFailsOnce,
  fsyncFailsForGood,
  diskFull,
  writesRefused,
  slowDisk,
  clockJumps,
  sameRequest,
  oddModels,
  sticky,
  scorersAtRandom,
  scorerFaults,
  fsyncOff,
  synchronousNormal,
  tallyApart,
  keysOff,
];
