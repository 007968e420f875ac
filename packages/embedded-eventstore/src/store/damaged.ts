// The error for a damaged file, which must not be served.

export class Damaged extends Error {
  /** @param what the damage, as a part of a sentence */
  constructor(file: string, what: string) {
    super(
      `${file} is damaged: ${what}. It is not served, so that no new events depend on it. Restore the last backup (README, "Back it up"); ` +
        'when there is none, keep a copy of the folder and see what `sqlite3 <file> .recover` still finds.',
    )
  }
}
