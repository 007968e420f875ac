// All commands of the tool, in the order of its help.
import type { Command } from './command.ts'
import { doctorCommands } from './doctor.ts'
import { jobCommands } from './jobs.ts'
import { parkedCommands } from './parked.ts'
import { parkedActs } from './parked-acts.ts'
import { listCommands } from './projections-list.ts'
import { pauseCommands } from './projections-pause.ts'
import { rebuildCommands } from './projections-rebuild.ts'
import { replayCommands } from './replay.ts'
import { seedCommands } from './seed-file.ts'
import { streamCommands } from './streams.ts'
import { deleteCommands } from './streams-delete.ts'

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
