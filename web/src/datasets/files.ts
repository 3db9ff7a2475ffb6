/** Which files can be taken, said before anything is sent. */

import { formatBytes } from "../numbers";
import { Problem } from "../problem";

export const MAX_BYTES = 50 * 1024 * 1024;
export const ACCEPT = ".csv,.tsv,.txt,.parquet,.gz,text/csv,text/tab-separated-values";
const MAX_NAME = 120;
const KNOWN = /\.(csv|tsv|txt|parquet)(\.gz)?$/i;
const SHEETS = /\.(xlsx?|ods|numbers)$/i;
const HEAD_BYTES = 8;

/** First bytes of kinds of files. */
const GZIP = [0x1f, 0x8b];
const ZIP = [0x50, 0x4b, 0x03, 0x04];
const PDF = [0x25, 0x50, 0x44, 0x46];
const PARQUET = [0x50, 0x41, 0x52, 0x31];

/** Refuse a file that cannot be a table. Throws a `Problem`. */
export async function checkFile(file: File): Promise<void> {
  if (SHEETS.test(file.name)) refuse("That is a spreadsheet. Save the sheet as CSV, and drop that.");
  if (!KNOWN.test(file.name))
    refuse("Not a kind of file that is read here. CSV, TSV and Parquet are, each also packed with gzip.");
  if (file.size === 0) refuse("The file is empty.");
  if (file.size > MAX_BYTES) {
    refuse(`${formatBytes(file.size)} is too large; the limit is 50 MB. Packed with gzip, or as Parquet, it may fit.`);
  }
  if (file.name.length > MAX_NAME) refuse("Its name is too long; 120 characters are the limit.");
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (startsWith(head, ZIP))
    refuse("Its content is a ZIP archive or a spreadsheet, whatever its name says. Save the table as CSV.");
  if (startsWith(head, PDF)) refuse("Its content is a PDF, whatever its name says. Save the table as CSV.");
  if (/\.gz$/i.test(file.name) && !startsWith(head, GZIP)) refuse("It is called .gz, but is not packed with gzip.");
  if (/\.parquet$/i.test(file.name) && !startsWith(head, PARQUET))
    refuse("It is called .parquet, but is no Parquet file.");
}

/** SHA-256 of a file in lower-case hexadecimal. */
export async function digestOf(file: File): Promise<string> {
  if (!crypto.subtle) refuse("This page was not opened over https, so the browser cannot check the file.");
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function startsWith(head: Uint8Array, bytes: number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}

function refuse(detail: string): never {
  throw new Problem(detail, { status: 422, code: "file_refused" });
}
