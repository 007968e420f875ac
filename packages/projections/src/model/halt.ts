// Why a writer of a read model cannot go on as it is: trying again does not help.

export class Halt extends Error {}

/** The read model was made from another history than the store's; only building it again helps. */
export class RebuildNeeded extends Halt {
  override readonly name = 'RebuildNeeded'
}

/** Another writer has moved the checkpoint. */
export class Superseded extends Halt {
  override readonly name = 'Superseded'
}

/** The checkpoint or the list of parked events was not as the step expected: its transaction is undone. */
export class StepUndone extends Error {}

export const wrongShape = (place: string): Halt =>
  new Halt(`${place} was made for another shape of its tables: give the new shape a version of its own.`)
