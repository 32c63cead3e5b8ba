/** Values of a Parquet column as the text that the same values have in a CSV file: nothing is rounded, and no digit is made up. */
import type { SchemaElement } from "hyparquet";
import { TableProblem } from "./csv-text.ts";

/** How one column is read: what the decoder is told it is, and how what it gives becomes text. */
export interface ParquetColumn {
  readonly name: string;
  /** The column as the decoder is to see it: without its meaning, so that it gives values as they are stored. */
  readonly raw: SchemaElement;
  /** For `stringFromBytes` of the decoder, which is called once for each entry of a dictionary. */
  readonly ofBytes: (bytes: Uint8Array) => string;
  readonly text: (value: unknown) => string;
}

/** @throws TableProblem for what isn't one value a row: lists, structures, and types without a text of their own */
export function parquetColumn(element: SchemaElement): ParquetColumn {
  const { name, type, num_children: children = 0, repetition_type: repetition } = element;
  if (children > 0 || repetition === "REPEATED" || type === undefined) {
    throw new TableProblem({
      expected: "one value in each cell",
      got: `lists or structures in the column "${name}"`,
      hint: "give each value a column of its own",
      line: 1,
    });
  }
  const { converted_type: _converted, logical_type: _logical, ...bare } = element;
  const isBytes = type === "BYTE_ARRAY" || type === "FIXED_LEN_BYTE_ARRAY";
  // Told that all bytes are text, the decoder hands each value, or entry of a dictionary, to `ofBytes`.
  const raw: SchemaElement = isBytes ? { ...bare, converted_type: "UTF8" } : bare;
  return { name, raw, ofBytes: isBytes ? bytesText(element) : () => "", text: isBytes ? String : plainText(element) };
}

function bytesText(element: SchemaElement): (bytes: Uint8Array) => string {
  const { name, type, type_length: width, converted_type: converted, logical_type: logical } = element;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return (bytes) => scaled(signed(bytes), scaleOf(element));
  if (logical?.type === "UUID" && width === 16) return uuidText;
  if (logical?.type === "FLOAT16" && width === 2) return (bytes) => numberText(halfFloat(bytes));
  const isText =
    type === "BYTE_ARRAY" && converted !== "BSON" && (logical === undefined || ["STRING", "JSON", "ENUM"].includes(logical.type));
  if (!isText) throw unreadable(name, converted ?? logical?.type ?? "bytes of a fixed length");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (bytes) => {
    let text: string | undefined;
    try {
      text = decoder.decode(bytes);
    } catch {
      throw new TableProblem({ expected: `text in UTF-8 in the column "${name}"`, got: "bytes that are none", line: 1 });
    }
    if (text.includes("\0")) throw new TableProblem({ expected: `text in the column "${name}"`, got: "a NUL character", line: 1 });
    return text;
  };
}

function plainText(element: SchemaElement): (value: unknown) => string {
  const { name, type, converted_type: converted, logical_type: logical } = element;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return (value) => scaled(wholeOf(value), scaleOf(element));
  switch (type) {
    case "BOOLEAN":
      return (value) => (value === true ? "true" : "false");
    case "FLOAT":
      return (value) => singleText(Number(value));
    case "DOUBLE":
      return (value) => numberText(Number(value));
    case "INT96":
      return (value) => momentText(wholeOf(value), perSecond.NANOS, true);
    case "INT32":
    case "INT64":
      break;
    default:
      throw unreadable(name, String(type));
  }
  if (converted === "DATE" || logical?.type === "DATE") return (value) => dayText(wholeOf(value));
  if (logical?.type === "TIMESTAMP") return (value) => momentText(wholeOf(value), perSecond[logical.unit], logical.isAdjustedToUTC);
  if (converted === "TIMESTAMP_MILLIS") return (value) => momentText(wholeOf(value), perSecond.MILLIS, true);
  if (converted === "TIMESTAMP_MICROS") return (value) => momentText(wholeOf(value), perSecond.MICROS, true);
  if (logical?.type === "TIME") return (value) => timeText(wholeOf(value), perSecond[logical.unit]);
  if (converted === "TIME_MILLIS") return (value) => timeText(wholeOf(value), perSecond.MILLIS);
  if (converted === "TIME_MICROS") return (value) => timeText(wholeOf(value), perSecond.MICROS);
  const isUnsigned = converted?.startsWith("UINT_") || (logical?.type === "INTEGER" && !logical.isSigned);
  const bits = type === "INT32" ? 32 : 64;
  return isUnsigned ? (value) => String(BigInt.asUintN(bits, wholeOf(value))) : String;
}

const perSecond = { MILLIS: 1000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n } as const;

const unreadable = (name: string, what: string): TableProblem =>
  new TableProblem({ expected: "columns of text, numbers, booleans, dates or times", got: `${what} in the column "${name}"`, line: 1 });

const wholeOf = (value: unknown): bigint => (typeof value === "bigint" ? value : BigInt(Number(value)));
const scaleOf = ({ scale, logical_type: logical }: SchemaElement): number => (logical?.type === "DECIMAL" ? logical.scale : (scale ?? 0));

function signed(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** `12345` with scale 2 is `123.45`. */
function scaled(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A whole double is written `1.0`, as most programs do: it is a number that happens to be whole, not an integer. */
function numberText(value: number): string {
  if (!Number.isInteger(value)) return String(value);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes("e") ? text : `${text}.0`;
}

/** The fewest digits that give the same single-precision number back: 0.1, not 0.10000000149011612. */
function singleText(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return numberText(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function halfFloat([low = 0, high = 0]: Uint8Array): number {
  const sign = high >> 7 ? -1 : 1;
  const exponent = (high >> 2) & 31;
  const fraction = (((high & 3) << 8) | low) / 1024;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * 2 ** -14 * fraction : sign * 2 ** (exponent - 15) * (1 + fraction);
}

const DAY_MS = 86_400_000;
/** Years beyond these have no ISO 8601 form of four digits. */
const [FIRST_DAY, LAST_DAY] = [-719_162n, 2_932_896n];

function dayText(days: bigint): string {
  if (days < FIRST_DAY || days > LAST_DAY)
    throw new TableProblem({ expected: "dates in the years 1 to 9999", got: `day ${days} after 1970-01-01`, line: 1 });
  return new Date(Number(days) * DAY_MS).toISOString().slice(0, 10);
}

function momentText(units: bigint, second: bigint, isUtc: boolean): string {
  const day = second * 86_400n;
  const days = floorDivided(units, day);
  const time = timeText(units - days * day, second);
  return isUtc ? `${dayText(days)}T${time}Z` : `${dayText(days)} ${time}`;
}

function timeText(units: bigint, second: bigint): string {
  const seconds = Number(units / second);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const fraction = String(units % second)
    .padStart(String(second).length - 1, "0")
    .replace(/0+$/, "");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${fraction ? `.${fraction}` : ""}`;
}

const floorDivided = (value: bigint, by: bigint): bigint => (value - (((value % by) + by) % by)) / by;

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
