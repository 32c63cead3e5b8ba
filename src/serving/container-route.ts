/** Where the calls of one scorer may go: to its own container, wherever that listens now, and nowhere else. */
import { buildConnector } from "undici";
import type { CallGuard } from "./http-caller.ts";
import type { Address } from "./container-address.ts";

/** No address of anybody's choice is ever called, so there is nothing to allow or refuse: whatever is asked for, the container is it. */
export class ContainerRoute implements CallGuard {
  #address: Address | null = null;

  /** It listens there from now on; nowhere, when null. */
  point(address: Address | null): void {
    this.#address = address;
  }

  check(): undefined {
    return undefined;
  }

  connector(timeoutMs: number): buildConnector.connector {
    const connect = buildConnector({ timeout: timeoutMs, allowH2: false });
    return (options, callback) => {
      if (this.#address === null) return callback(Object.assign(new Error("the container isn't running"), { code: "ECONNREFUSED" }), null);
      const { host, port } = this.#address;
      return connect({ ...options, hostname: host, host, port: String(port) }, callback);
    };
  }
}
