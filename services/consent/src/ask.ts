// Asking a patient for consent, answered alike whether or not there is such a patient (docs/decisions/020).
import type { PatientCommand } from '@headwater/deciders/consent/patient'
import { Rejection } from '@headwater/deciders/decider'
import type { CommandRequest } from '@headwater/eventstore/commands/command-request'
import type { CommandHandler } from '@headwater/eventstore/commands/handle-command'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { formatPosition, type Position } from '@headwater/eventstore/position'
import type { CommandAnswer } from '@headwater/http-kit/commands/command'
import type { Directory } from './directory.ts'

type AskData = Extract<PatientCommand, { type: 'AskConsent' }>['data']
type Origin = Pick<CommandRequest<PatientCommand>, 'commandId' | 'requestHash' | 'actor' | 'correlationId'> & {
  readonly traceparent: string
}

export type AskOptions = {
  readonly commands: Pick<CommandHandler<PatientCommand>, 'handle' | 'recorded'>
  readonly directory: Pick<Directory, 'find'>
  readonly head: () => Promise<Position>
  /** Names the streams that take requests to patients who do not exist. */
  readonly unknownKey: string
}

/** A real revision would tell how much has happened to the record, so every request gets this one. */
const revisionShown = '0'

export const createAsk = ({ commands, directory, head, unknownKey }: AskOptions) => {
  const send = async (data: AskData, origin: Origin): Promise<Position> => {
    const identity = { id: data.patientId, ...origin }
    // Reads the stream before the first append, so that an empty one takes as many round trips as one with events.
    const earlier = await commands.recorded(identity)
    if (earlier) return earlier.position
    const { position } = await commands.handle({ ...identity, command: { type: 'AskConsent', data } })
    // A request that was open before leaves no event, and the position would be that of the record's last one.
    return (await commands.recorded(identity)) ? position : head()
  }

  return async (asked: AskData, origin: Origin): Promise<CommandAnswer> => {
    const { patientId } = asked
    // The typed ID may be a name, and the stream has no owner: neither the ID nor the purpose is stored.
    const unknown = { ...asked, patientId: `unknown.${keyedId(unknownKey, patientId)}`, purpose: undefined }
    const person = await directory.find(patientId, origin.traceparent)
    const isThere = person !== undefined || patientId === asked.by.id
    const position = await send(isThere ? asked : unknown, origin).catch((error: unknown) => {
      // For the asker a deleted record never existed.
      if (error instanceof Rejection && error.code === 'stream_deleted') return send(unknown, origin)
      throw error
    })
    return { id: patientId, revision: revisionShown, position: formatPosition(position) }
  }
}
