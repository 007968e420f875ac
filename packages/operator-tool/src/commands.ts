// All commands of the tool, in the order of its help.
import type { Command } from './command.ts'
import { doctorCommands } from './doctor/doctor.ts'
import { parkedActs } from './parked/acts.ts'
import { jobCommands } from './parked/jobs.ts'
import { parkedCommands } from './parked/parked.ts'
import { listCommands } from './projections/list.ts'
import { pauseCommands } from './projections/pause.ts'
import { rebuildCommands } from './projections/rebuild.ts'
import { replayCommands } from './projections/replay.ts'
import { seedCommands } from './projections/seed-file.ts'
import { deleteCommands } from './streams/delete.ts'
import { streamCommands } from './streams/streams.ts'

export const commands: readonly Command[] = [
  ...doctorCommands,
  ...listCommands,
  ...rebuildCommands,
  ...pauseCommands,
  ...parkedCommands,
  ...parkedActs,
  ...jobCommands,
  ...streamCommands,
  ...deleteCommands,
  ...seedCommands,
  ...replayCommands,
]
