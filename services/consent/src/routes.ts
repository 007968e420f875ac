// The commands on consents over HTTP: what was sent becomes a command with the time added, and who asks as its token says.
import { consentApi } from '@headwater/deciders/consent/api'
import { granteeKindsIn, granteeKindsOf } from '@headwater/deciders/consent/consent-policy'
import type { PatientCommand } from '@headwater/deciders/consent/patient'
import type { Grantee, GranteeKind } from '@headwater/deciders/consent/patient-events'
import type { PatientState } from '@headwater/deciders/consent/patient-state'
import { personKey } from '@headwater/deciders/fields'
import type { Actor } from '@headwater/deciders/policy'
import { answerInText } from '@headwater/eventstore/commands/command-request'
import type { CommandHandler } from '@headwater/eventstore/commands/handle-command'
import { Problem, validationProblem } from '@headwater/http-kit/commands/problem'
import { type ReceivedCommand, registerCommands } from '@headwater/http-kit/commands/register-commands'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { type AskOptions, createAsk } from './ask.ts'
import { DirectoryUnavailable } from './directory.ts'

type RouteOptions = AskOptions & { readonly commands: CommandHandler<PatientCommand, PatientState> }

/** A grantee's kind is one of their roles. @throws Problem when it is not, or when it is not clear which */
const granteeOfActor = (actor: Actor, kind: GranteeKind | undefined): Grantee => {
  const kinds = granteeKindsOf(actor)
  if (kind !== undefined && !kinds.includes(kind)) throw new Problem(403, 'forbidden', `You are no ${kind}.`)
  const chosen = kind ?? kinds[0]
  if (chosen === undefined || (kind === undefined && kinds.length > 1))
    throw validationProblem([{ field: 'kind', message: `one of ${kinds.join(', ')}` }])
  return { kind: chosen, id: personKey(actor.sub) }
}

/** One form for all instants, so that they compare as texts. */
const inUtc = (instant: string): string => new Date(instant).toISOString()

const now = () => new Date().toISOString()

export const registerRoutes = (server: HttpServer, options: RouteOptions): void => {
  const { commands, directory } = options
  const ask = createAsk(options)

  /** For the sender's own record. */
  const send =
    <Input>(
      toCommand: (
        input: Input,
        own: { readonly patientId: string; readonly at: string },
        traceparent: string,
      ) => PatientCommand | Promise<PatientCommand>,
    ) =>
    async ({ input, actor, expectedRevision, origin }: ReceivedCommand<Input>) => {
      const patientId = personKey(actor.sub)
      const handle = async () => {
        const command = await toCommand(input, { patientId, at: now() }, origin.traceparent)
        return commands.handle({ ...origin, id: patientId, command, expectedRevision })
      }
      /** A repeat is answered from what is recorded, also while the directory is away. */
      const recordedOr = async (error: unknown) => {
        const earlier =
          error instanceof DirectoryUnavailable ? await commands.recorded({ ...origin, id: patientId }) : undefined
        if (!earlier) throw error
        return earlier
      }
      return answerInText(await handle().catch(recordedOr))
    }

  registerCommands(server, consentApi.commands, {
    ask: async ({ input: { kind, ...input }, actor, expectedRevision, origin }) => {
      if (expectedRevision !== undefined)
        throw validationProblem([{ field: 'If-Match', message: 'not with a request: its answer holds no revision' }])
      return ask({ ...input, by: granteeOfActor(actor, kind), at: now() }, origin)
    },
    grant: send(async ({ until, ...input }, own, traceparent) => {
      const person = await directory.find(input.to.id, traceparent)
      const kinds = granteeKindsIn(person?.roles ?? [])
      const end = until === undefined ? {} : { until: inUtc(until) }
      return { type: 'GrantConsent', data: { ...input, ...end, kinds, ...own } }
    }),
    revoke: send((input, own) => ({ type: 'RevokeConsent', data: { ...input, ...own } })),
    decline: send((input, own) => ({ type: 'DeclineConsent', data: { ...input, ...own } })),
    contact: send((input, own) => ({ type: 'RegisterContact', data: { ...input, ...own } })),
  })
}
