/** The pools that Baton itself names. */

/** The pool of the steps that a plan adds and names no other for. */
export const plannedPool = "default";

/** Steps that a caller waits for are performed by the api process itself, see ARCHITECTURE §4. */
export const interactivePool = "interactive";
