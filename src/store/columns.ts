import type { Row } from './database.ts';

// the schema is STRICT, so a column has the type that the migration gave it

export function text(row: Row, column: string): string {
  return row[column] as string;
}

export function textOrNone(row: Row, column: string): string | undefined {
  return (row[column] as string | null) ?? undefined;
}

export function number(row: Row, column: string): number {
  return row[column] as number;
}

export function numberOrNone(row: Row, column: string): number | undefined {
  return (row[column] as number | null) ?? undefined;
}

export function blob(row: Row, column: string): Uint8Array {
  return row[column] as Uint8Array;
}

export function blobOrNone(row: Row, column: string): Uint8Array | undefined {
  return (row[column] as Uint8Array | null) ?? undefined;
}
