/** The product in a process of its own, for bench/mlflow.ts: says where it answers, and with which token. */
import { startApp } from "../src/app.ts";

const [folder = ""] = process.argv.slice(2);
const app = await startApp({ folder, port: 0 });
console.log(JSON.stringify({ url: app.url, token: app.firstAdmin?.token ?? "" }));
process.once("SIGTERM", () => void app.stop().then(() => process.exit(0)));
