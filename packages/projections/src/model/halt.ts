// Errors that end a writer of a read model because a retry cannot help.

export class Halt extends Error {}

/** The read model was built from another history than the store's; only a rebuild helps. */
export class RebuildNeeded extends Halt {
  override readonly name = 'RebuildNeeded'
}

/** Another writer has moved the checkpoint. */
export class Superseded extends Halt {
  override readonly name = 'Superseded'
}

/** The checkpoint or the list of parked events was not as the step expected: its transaction is rolled back. */
export class StepUndone extends Error {}

export const wrongShape = (place: string): Halt =>
  new Halt(`${place} was made for another shape of its tables: give the new shape a version of its own.`)
