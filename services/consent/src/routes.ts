// The commands on consents over HTTP: what was sent becomes a command with the time added, and who asks as its token says.
import { consentCommandRules, granteeKindsIn, granteeKindsOf } from '@headwater/deciders/consent/consent-policy'
import {
  askConsentInput,
  declineConsentInput,
  grantConsentInput,
  type PatientCommand,
  registerContactInput,
  revokeConsentInput,
} from '@headwater/deciders/consent/patient'
import type { Grantee, GranteeKind } from '@headwater/deciders/consent/patient-events'
import type { PatientState } from '@headwater/deciders/consent/patient-state'
import { personKey } from '@headwater/deciders/fields'
import type { Actor } from '@headwater/deciders/policy'
import type { CommandHandler } from '@headwater/eventstore/commands/handle-command'
import { formatPosition } from '@headwater/eventstore/position'
import {
  answerCommand,
  commandHeaders,
  commandResponses,
  expectedRevisionOf,
} from '@headwater/http-kit/commands/command'
import { identify } from '@headwater/http-kit/commands/idempotency'
import { Problem, validationProblem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { z } from 'zod'
import { type AskOptions, createAsk } from './ask.ts'
import { DirectoryUnavailable } from './directory.ts'

type RouteOptions = AskOptions & { readonly commands: CommandHandler<PatientCommand, PatientState> }

/** A command on one's own record at `/api/consents/<name>`. */
type Route<Input extends z.ZodType> = {
  readonly name: string
  readonly type: PatientCommand['type']
  readonly summary: string
  readonly input: Input
  readonly toCommand: (
    input: z.output<Input>,
    own: { readonly patientId: string; readonly at: string },
    traceparent: string,
  ) => PatientCommand | Promise<PatientCommand>
}

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

const originOf = ({ actor, id: traceparent }: { readonly actor: Actor; readonly id: string }) => ({
  actor: actor.sub,
  correlationId: traceIdOf(traceparent),
  traceparent,
})

export const registerRoutes = (server: HttpServer, options: RouteOptions): void => {
  const { commands, directory } = options
  const ask = createAsk(options)

  const schemaOf = (name: string, summary: string, body: z.ZodType) => ({
    operationId: name,
    summary,
    headers: commandHeaders,
    body,
    response: commandResponses,
  })

  server.post(
    '/api/consents/ask',
    {
      config: { rules: consentCommandRules.AskConsent },
      schema: schemaOf('ask', 'Ask a patient for consent', askConsentInput),
    },
    async (request, reply) => {
      const { actor } = request
      if (request.headers['if-match'] !== undefined)
        throw validationProblem([{ field: 'If-Match', message: 'not with a request: its answer holds no revision' }])
      const { kind, ...input } = request.body as z.output<typeof askConsentInput>
      const { commandId, requestHash } = identify(request, actor)
      const data = { ...input, by: granteeOfActor(actor, kind), at: now() }
      return answerCommand(reply, await ask(data, { commandId, requestHash, ...originOf(request) }))
    },
  )

  const register = <Input extends z.ZodType>({ name, type, summary, input, toCommand }: Route<Input>) =>
    server.post(
      `/api/consents/${name}`,
      { config: { rules: consentCommandRules[type] }, schema: schemaOf(name, summary, input) },
      async (request, reply) => {
        const { actor } = request
        const patientId = personKey(actor.sub)
        const { commandId, requestHash } = identify(request, actor)
        const identity = { id: patientId, commandId, requestHash }
        const expectedRevision = expectedRevisionOf(request)
        const handle = async () => {
          const own = { patientId, at: now() }
          const command = await toCommand(request.body as z.output<Input>, own, request.id)
          return commands.handle({ ...identity, command, expectedRevision, ...originOf(request) })
        }
        /** A repeat is answered from what is recorded, also while the directory is away. */
        const recordedOr = async (error: unknown) => {
          const earlier = error instanceof DirectoryUnavailable ? await commands.recorded(identity) : undefined
          if (!earlier) throw error
          return earlier
        }
        const { id, revision, position } = await handle().catch(recordedOr)
        return answerCommand(reply, { id, revision: String(revision), position: formatPosition(position) })
      },
    )

  register({
    name: 'grant',
    type: 'GrantConsent',
    summary: 'Let somebody see a part of your record',
    input: grantConsentInput,
    toCommand: async ({ until, ...input }, own, traceparent) => {
      const person = await directory.find(input.to.id, traceparent)
      const kinds = granteeKindsIn(person?.roles ?? [])
      const end = until === undefined ? {} : { until: inUtc(until) }
      return { type: 'GrantConsent', data: { ...input, ...end, kinds, ...own } }
    },
  })
  register({
    name: 'revoke',
    type: 'RevokeConsent',
    summary: 'Take a consent back',
    input: revokeConsentInput,
    toCommand: (input, own) => ({ type: 'RevokeConsent', data: { ...input, ...own } }),
  })
  register({
    name: 'decline',
    type: 'DeclineConsent',
    summary: 'Decline what somebody asks for',
    input: declineConsentInput,
    toCommand: (input, own) => ({ type: 'DeclineConsent', data: { ...input, ...own } }),
  })
  register({
    name: 'contact',
    type: 'RegisterContact',
    summary: 'Where news is sent; called at sign-in with the address that the identity provider has verified',
    input: registerContactInput,
    toCommand: (input, own) => ({ type: 'RegisterContact', data: { ...input, ...own } }),
  })
}
