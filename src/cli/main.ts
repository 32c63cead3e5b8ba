/** The process behind `evenkeel`: its arguments, streams, environment and exit code. */
import { commandLine } from "./command-line.ts";
import { streamsIo } from "./io.ts";

const io = streamsIo({ out: process.stdout, err: process.stderr });
process.exitCode = await commandLine(process.argv.slice(2), io, process.env, process.cwd());
