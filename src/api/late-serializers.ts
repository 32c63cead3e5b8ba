/**
 * Serialisers of replies that are compiled when a reply is first sent: a start would wait a third of a second for those of some 200 routes.
 * What is sent while somebody waits for it, such as the reply to a rollback, is compiled soon after the start, a little at a time.
 */
import { SerializerSelector } from "@fastify/fast-json-stringify-compiler";
import type { Timers } from "../store/index.ts";

type Factory = ReturnType<typeof SerializerSelector>;
type Compile = ReturnType<Factory>;
type Serialize = ReturnType<Compile>;

/** The largest take 20 ms: decisions that come meanwhile wait for one, not for all of them. */
const ONE_EVERY_MS = 100;

export class LateSerializers {
  /** By the text of their schema: many routes reply alike. */
  readonly #compiled = new Map<string, Serialize>();
  readonly #soon: (() => void)[] = [];

  /** What Fastify builds serialisers with by itself, put off. A schema that can't be compiled is found by the route's own test, not at start. */
  readonly factory: Factory = (externalSchemas, options) => {
    const compile = SerializerSelector()(externalSchemas, options);
    return (route) => {
      let serializer: Serialize | undefined;
      const get = () => (serializer ??= this.#once(route, compile));
      if (isUrgent(route)) this.#soon.push(get);
      return (reply: unknown) => get()(reply);
    };
  };

  /** Compiles the urgent ones in turn. @returns what stops it */
  compileSoon(timers: Timers): () => void {
    const stop = timers.every(ONE_EVERY_MS, () => {
      const next = this.#soon.shift();
      if (next) next();
      else stop();
    });
    return stop;
  }

  #once(route: Parameters<Compile>[0], compile: Compile): Serialize {
    const key = JSON.stringify(route.schema);
    const known = this.#compiled.get(key) ?? compile(route);
    this.#compiled.set(key, known);
    return known;
  }
}

/** Decisions and changes of the route table. */
const isUrgent = ({ method, url }: Parameters<Compile>[0]) => method === "POST" && url.startsWith("/v1/endpoints/:");
