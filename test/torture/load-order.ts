/** Starts the applicants' process and reads what it has to say. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface LoadOrder {
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  /** Names the applicants: nobody of another run is the same person. */
  readonly run: string;
  readonly first: number;
  readonly durationMs: number;
  /** null: as many as the connections carry. */
  readonly perSecond: number | null;
  /** People come at random with this seed; evenly spaced without one. */
  readonly seed?: number;
}

/** Times are of the machine's monotonic clock, in milliseconds: comparable between processes. */
export interface Sent {
  readonly n: number;
  readonly dueMs: number;
  readonly sentMs: number;
  readonly doneMs: number;
  /** 0 where no answer came. */
  readonly status: number;
  readonly body: string;
  readonly isReplay: boolean;
  readonly retryAfter: string | null;
}
export interface LoadReport {
  readonly sent: readonly Sent[];
  /** Number of the next applicant. */
  readonly next: number;
  /** How late the generator itself was. */
  readonly lagsMs: readonly number[];
}
const asReport = (text: string): LoadReport => JSON.parse(text) as LoadReport;

export interface RunningLoad {
  /** Resolves once its connections stand. */
  readonly sending: Promise<void>;
  /** Resolves when it has stopped: by itself, when the server is gone, or after `stop`. */
  readonly report: Promise<LoadReport>;
  stop(): void;
}

/** @param under - what starts it, such as `taskset`: it must become the load */
export function startLoad(order: LoadOrder, under: readonly string[] = []): RunningLoad {
  const [program, ...words] = [...under, process.execPath, fileURLToPath(new URL("./load.ts", import.meta.url)), JSON.stringify(order)];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let begun: () => void = () => undefined;
  const sending = new Promise<void>((resolve) => {
    begun = resolve;
  });
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (text.startsWith("sending\n")) begun();
  });
  const report = new Promise<LoadReport>((resolve, reject) => {
    child.on("close", (code) => {
      begun();
      const line = text.split("\n")[1];
      if (code === 0 && line) resolve(asReport(line));
      else reject(new Error(`the load ended with ${code}`));
    });
  });
  report.catch(() => undefined); // whoever waits for it is told; nobody need be told twice
  return { sending, report, stop: () => void child.kill("SIGTERM") };
}
