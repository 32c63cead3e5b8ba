/** All cases, in the order of the report. */
import type { Case } from "./case.ts";
import { fsyncFailsForGood, fsyncFailsOnce } from "./disk-fails.ts";
import { commitWorker } from "./commit-worker.ts";
import { connectionFlood } from "./connection-flood.ts";
import { containerFaults } from "./container-faults.ts";
import { diskFull, writesRefused } from "./disk-full.ts";
import { slowDisk } from "./disk-slow.ts";
import { clientGone } from "./client-gone.ts";
import { clockJumps } from "./clock-jumps.ts";
import { explorer, synchronousNormal, tallyApart } from "./explorer.ts";
import { handOvers } from "./hand-overs.ts";
import { keysOff, killStages } from "./kill-stages.ts";
import { killsUnderLoad } from "./kills-under-load.ts";
import { decideHeld, rollbacksHeld } from "./load-held.ts";
import { loadsAndUnloads } from "./loads-and-unloads.ts";
import { logTarget } from "./log-target.ts";
import { memoryLimit } from "./memory-limit.ts";
import { oddModels } from "./odd-models.ts";
import { overloadHeld } from "./overload.ts";
import { fsyncOff, powerCut } from "./power-cut.ts";
import { sameRequest } from "./same-request.ts";
import { scorerFaults } from "./scorer-faults.ts";
import { scorersAtRandom } from "./scorers-at-random.ts";
import { slowClients } from "./slow-clients.ts";
import { ssrf } from "./ssrf.ts";
import { sticky } from "./sticky.ts";
import { stopped } from "./stopped.ts";
import { toldToStop } from "./told-to-stop.ts";

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
  logTarget,
  clockJumps,
  commitWorker,
  stopped,
  memoryLimit,
  connectionFlood,
  slowClients,
  clientGone,
  sameRequest,
  toldToStop,
  handOvers,
  oddModels,
  sticky,
  scorersAtRandom,
  scorerFaults,
  containerFaults,
  loadsAndUnloads,
  ssrf,
  fsyncOff,
  synchronousNormal,
  tallyApart,
  keysOff,
];
