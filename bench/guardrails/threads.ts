/** Runs jobs on several threads; one thread is this one. */
import { Worker } from "node:worker_threads";
import { runJob, type Job, type JobEnd } from "./jobs.ts";
import { Estimate, type Progress } from "./progress.ts";

/** @returns how the lives of every job ended, in the order of the jobs: the same whatever the number of threads */
export async function runJobs(
  jobs: readonly Job[],
  onProgress: (progress: Progress) => void,
  width: number,
): Promise<readonly (readonly JobEnd[])[]> {
  const ends: (readonly JobEnd[])[] = jobs.map(() => []);
  const kindOf = ({ part, index }: Job) => `${part} ${index}`;
  const estimate = new Estimate(jobs.map(kindOf), width);
  // The first lives of every scenario first: then it can be told how long all of it takes.
  const order = [...jobs.entries()].toSorted(([, a], [, b]) => a.from - b.from);
  let next = 0;
  const take = () => order[next++];
  const finished = (at: number, job: Job, end: readonly JobEnd[], startedMs: number) => {
    ends[at] = end;
    onProgress(estimate.finished(kindOf(job), performance.now() - startedMs));
  };
  if (width < 2) {
    for (let taken = take(); taken; taken = take()) {
      const [at, job] = taken;
      const startedMs = performance.now();
      finished(at, job, runJob(job), startedMs);
    }
    return ends;
  }
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./thread.ts", import.meta.url));
      let mine: readonly [at: number, job: Job, startedMs: number] | undefined;
      const begin = () => {
        const taken = take();
        mine = taken && [...taken, performance.now()];
        if (mine) worker.postMessage(mine[1]);
        else void worker.terminate().then(() => resolve(), reject);
      };
      worker.on("message", (end: readonly JobEnd[]) => {
        if (mine) finished(mine[0], mine[1], end, mine[2]);
        begin();
      });
      worker.on("error", reject);
      begin();
    });
  await Promise.all(Array.from({ length: Math.min(width, jobs.length) }, thread));
  return ends;
}
