/** From rows of numbers to the tensors that a model takes. */
import { Tensor } from "onnxruntime-node";
import { wholeTrouble, type Feed } from "./onnx-call.ts";
import type { TextOf } from "./text-frames.ts";

/**
 * The tensor of one input.
 * @throws RangeError for a number that the input's type can't hold
 */
export function tensorOf(feed: Feed, rows: Float32Array, width: number, textOf: TextOf): Tensor {
  const count = rows.length / width;
  const shape = feed.isFlat ? [count] : [count, feed.width];
  if (feed.type === "float32" && feed.width === width) return new Tensor("float32", rows, shape);
  const cells = <T>(make: (value: number, column: number) => T): T[] => {
    const made: T[] = [];
    for (let row = 0; row < count; row++)
      for (let column = feed.from; column < feed.from + feed.width; column++) made.push(make(rows[row * width + column] ?? 0, column));
    return made;
  };
  const whole = (value: number) => {
    const wrong = wholeTrouble(feed, value);
    if (wrong !== undefined) throw new RangeError(`${feed.input} takes ${wrong}, got ${value}`);
    return value;
  };
  switch (feed.type) {
    case "float32":
      return new Tensor("float32", Float32Array.from(cells((value) => value)), shape);
    case "float64":
      return new Tensor("float64", Float64Array.from(cells((value) => value)), shape);
    case "int64":
      return new Tensor("int64", BigInt64Array.from(cells((value) => BigInt(whole(value)))), shape);
    case "int32":
      return new Tensor("int32", Int32Array.from(cells(whole)), shape);
    case "bool":
      return new Tensor("bool", Uint8Array.from(cells(whole)), shape);
    case "string":
      return new Tensor(
        "string",
        cells((code, column) => textOf(column, code)),
        shape,
      );
  }
}
