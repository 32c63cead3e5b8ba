/** The process that `evenkeel` is: its words, its streams, its exit code. */
import { call } from "./call.ts";
import { streamsIo } from "./io.ts";

process.exitCode = await call(process.argv.slice(2), streamsIo({ out: process.stdout, err: process.stderr }), process.env, process.cwd());
