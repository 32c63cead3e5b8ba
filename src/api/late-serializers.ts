/** Serialisers of replies that are compiled when a reply is first sent: of some 200 routes a start would wait a third of a second for. */
import { SerializerSelector } from "@fastify/fast-json-stringify-compiler";

type Factory = ReturnType<typeof SerializerSelector>;

/** What Fastify builds serialisers with by itself, put off. A schema that can't be compiled is found by the route's own test, not at start. */
export function lateSerializers(): Factory {
  const build = SerializerSelector();
  return (externalSchemas, options) => {
    const compile = build(externalSchemas, options);
    return (route) => {
      let serializer: ReturnType<typeof compile> | undefined;
      return (reply: unknown) => (serializer ??= compile(route))(reply);
    };
  };
}
