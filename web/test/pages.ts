/** Before the tests with a browser: the pages that their servers give out, built once. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** As `npm run build:web` does: in this process the environment is that of a test, and pages would be built for development. */
export default async function setup(): Promise<void> {
  const vite = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));
  const web = fileURLToPath(new URL("..", import.meta.url));
  await promisify(execFile)(process.execPath, [vite, "build", web, "--logLevel", "error"], {
    env: { ...process.env, NODE_ENV: "production" },
  });
}
