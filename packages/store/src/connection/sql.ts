/** The tag of hand-written statements. drizzle's other entries load its columns, operators and functions as well. */
export { type SQL, sql } from "drizzle-orm/sql/sql";
