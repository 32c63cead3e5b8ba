/** Why a server can't start, in words for whoever typed `evenkeel up`. */

export interface StartedWith {
  /** As the user said it. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly hasPostgres: boolean;
}

const text = (error: Error, name: "code" | "syscall" | "address"): string => {
  const value: unknown = Object.entries(error).find(([key]) => key === name)?.[1];
  return typeof value === "string" ? value : "";
};

/** @returns undefined where the error says best itself what is wrong */
export function startTrouble(thrown: Error, { folder, host, port, hasPostgres }: StartedWith): string | undefined {
  const error = systemError(thrown);
  const [code, syscall, address] = [text(error, "code"), text(error, "syscall"), text(error, "address")];
  if (syscall === "listen") {
    // A socket's path has a bound of about a hundred bytes.
    if (address.endsWith("control.sock")) return `the path of ${folder} is too long for the socket in it: choose a shorter --data`;
    if (code === "EADDRINUSE") return `another program listens on ${host}:${port}: choose another --port`;
    if (code === "EADDRNOTAVAIL") return `this machine has no address ${host}: choose another --host`;
    if (code === "EACCES") return `this user may not listen on port ${port}: choose one from 1024 on`;
    return undefined;
  }
  // Where the kernel shows what it knows as files, a missing folder stays missing.
  if (syscall === "mkdir" && code === "ENOENT") return `no folder can be made at ${folder}: choose another --data`;
  if (syscall === "mkdir" && (code === "EEXIST" || code === "ENOTDIR")) return `${folder} is not a folder: choose another --data`;
  if (["EACCES", "EPERM", "EROFS"].includes(code)) return `this user can't write to ${folder}: choose another --data`;
  if (hasPostgres && (syscall === "connect" || syscall === "getaddrinfo")) return `PostgreSQL doesn't answer: ${error.message}`;
  return undefined;
}

/** The innermost cause that the operating system gave; what was thrown, where none did. */
function systemError(thrown: Error): Error {
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) if (text(at, "syscall") !== "") return at;
  return thrown;
}
