/** Runs jobs on as many threads as there are cores; one thread is this one. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { runJob, type Job, type JobEnd } from "./jobs.ts";

export type Progress = (done: number, all: number) => void;

/** @returns how the lives of every job ended, in the order of the jobs: the same whatever the number of threads */
export async function runJobs(
  jobs: readonly Job[],
  onProgress: Progress,
  width = availableParallelism(),
): Promise<readonly (readonly JobEnd[])[]> {
  const ends: (readonly JobEnd[])[] = jobs.map(() => []);
  let [next, done] = [0, 0];
  const finished = (at: number, end: readonly JobEnd[]) => {
    ends[at] = end;
    onProgress(++done, jobs.length);
  };
  if (width < 2) {
    for (const [at, job] of jobs.entries()) finished(at, runJob(job));
    return ends;
  }
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./thread.ts", import.meta.url));
      let mine = -1;
      const take = () => {
        mine = next++;
        const job = jobs[mine];
        if (job) worker.postMessage(job);
        else void worker.terminate().then(() => resolve(), reject);
      };
      worker.on("message", (end: readonly JobEnd[]) => {
        finished(mine, end);
        take();
      });
      worker.on("error", reject);
      take();
    });
  await Promise.all(Array.from({ length: Math.min(width, jobs.length) }, thread));
  return ends;
}
