// The commands on consents over HTTP: what was sent becomes a command with the time added, and who asks as its token says.
import { consentCommandRules, granteeKindsOf } from '@headwater/deciders/consent/consent-policy'
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
import type { Actor } from '@headwater/deciders/policy'
import type { CommandHandler } from '@headwater/eventstore/handle-command'
import { formatPosition } from '@headwater/eventstore/position'
import { answerCommand, commandHeaders, commandResponses, expectedRevisionOf } from '@headwater/http-kit/command'
import { identify } from '@headwater/http-kit/idempotency'
import { Problem, validationProblem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { traceIdOf } from '@headwater/http-kit/telemetry'
import type { z } from 'zod'

/** A command at `/api/consents/<name>`. */
type Route<Input extends z.ZodType> = {
  readonly name: string
  readonly type: PatientCommand['type']
  readonly summary: string
  readonly input: Input
  readonly toCommand: (input: z.output<Input>, actor: Actor, at: string) => PatientCommand
}

/** A grantee's kind is one of their roles. @throws Problem when it is not, or when it is not clear which */
const granteeOfActor = (actor: Actor, kind: GranteeKind | undefined): Grantee => {
  const kinds = granteeKindsOf(actor)
  if (kind !== undefined && !kinds.includes(kind)) throw new Problem(403, 'forbidden', `You are no ${kind}.`)
  const chosen = kind ?? kinds[0]
  if (chosen === undefined || (kind === undefined && kinds.length > 1))
    throw validationProblem([{ field: 'kind', message: `one of ${kinds.join(', ')}` }])
  return { kind: chosen, id: actor.sub }
}

/** One form for all instants, so that they compare as texts. */
const inUtc = (instant: string): string => new Date(instant).toISOString()

export const registerRoutes = (server: HttpServer, commands: CommandHandler<PatientCommand, PatientState>): void => {
  const register = <Input extends z.ZodType>({ name, type, summary, input, toCommand }: Route<Input>) =>
    server.post(
      `/api/consents/${name}`,
      {
        config: { rules: consentCommandRules[type] },
        schema: { operationId: name, summary, headers: commandHeaders, body: input, response: commandResponses },
      },
      async (request, reply) => {
        const { actor, id: traceparent } = request
        const { commandId, requestHash } = identify(request, actor)
        const command = toCommand(request.body as z.output<Input>, actor, new Date().toISOString())
        const { id, revision, position } = await commands.handle({
          id: command.data.patientId,
          command,
          commandId,
          requestHash,
          expectedRevision: expectedRevisionOf(request),
          actor: actor.sub,
          correlationId: traceIdOf(traceparent),
          traceparent,
        })
        return answerCommand(reply, { id, revision: String(revision), position: formatPosition(position) })
      },
    )

  register({
    name: 'ask',
    type: 'AskConsent',
    summary: 'Ask a patient for consent',
    input: askConsentInput,
    toCommand: ({ kind, ...input }, actor, at) => ({
      type: 'AskConsent',
      data: { ...input, by: granteeOfActor(actor, kind), at },
    }),
  })
  register({
    name: 'grant',
    type: 'GrantConsent',
    summary: 'Let somebody see a part of your record',
    input: grantConsentInput,
    toCommand: ({ until, ...input }, { sub: patientId }, at) => ({
      type: 'GrantConsent',
      data: { ...input, ...(until !== undefined && { until: inUtc(until) }), patientId, at },
    }),
  })
  register({
    name: 'revoke',
    type: 'RevokeConsent',
    summary: 'Take a consent back',
    input: revokeConsentInput,
    toCommand: (input, { sub: patientId }, at) => ({ type: 'RevokeConsent', data: { ...input, patientId, at } }),
  })
  register({
    name: 'decline',
    type: 'DeclineConsent',
    summary: 'Decline what somebody asks for',
    input: declineConsentInput,
    toCommand: (input, { sub: patientId }, at) => ({ type: 'DeclineConsent', data: { ...input, patientId, at } }),
  })
  register({
    name: 'contact',
    type: 'RegisterContact',
    summary: 'Where news is sent; called at sign-in with the address that the identity provider has verified',
    input: registerContactInput,
    toCommand: (input, { sub: patientId }, at) => ({ type: 'RegisterContact', data: { ...input, patientId, at } }),
  })
}
